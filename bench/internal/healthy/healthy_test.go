package healthy

import (
	"net"
	"net/http"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	h := &Client{expected: []byte("\r\n\r\nHello, World!")}
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!"
	for n := range whole {
		if done, err := h.judge([]byte(whole[:n])); done || err != nil {
			t.Fatalf("%q: %v, %v", whole[:n], done, err)
		}
	}
	if done, err := h.judge([]byte(whole)); !done || err != nil {
		t.Errorf("whole: %v, %v", done, err)
	}
	for _, response := range []string{"HTTP/1.1 503 Service Unavailable\r\n\r\n", whole + "x"} {
		if _, err := h.judge([]byte(response)); err == nil {
			t.Errorf("%q: no error", response)
		}
	}
}

func TestRecordDue(t *testing.T) {
	h := &Client{}
	h.recordDue(time.Now().Add(-time.Second))
	if p50 := h.Latencies.Quantile(0.5); h.Requests < 200 || p50 < 400*time.Millisecond {
		t.Errorf("%d requests, median %v", h.Requests, p50)
	}
}

// TestClient: requests after the attack has begun are counted apart, and so are the connections that the server has closed.
func TestClient(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{}, 1000)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case served <- struct{}{}:
		default:
		}
		w.Header().Set("Connection", "close")
		_, _ = w.Write([]byte("hello from " + r.URL.Path)) // the client notices
	})}
	go func() { _ = s.Serve(listener) }()
	defer s.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	if h, err := New(port, "/x", "hello from /y"); err == nil {
		h.Stop()
		t.Error("another content is taken")
	}
	h, err := New(port, "/x", "hello from /x")
	if err != nil {
		t.Fatal(err)
	}
	h.Begin()
	h.Attack()
	for range 5 {
		<-served
	}
	h.Pause()
	h.Stop()
	if h.Requests < 2 || h.Errors > 0 || h.Reconnects < h.Requests {
		t.Errorf("%d requests, %d errors (%v), %d reconnects", h.Requests, h.Errors, h.FirstError, h.Reconnects)
	}
}
