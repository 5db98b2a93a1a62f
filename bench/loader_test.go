package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

func plaintextAt(target string) exchange { return exchangeOf("plaintext", target, 0) }

func plaintextHandler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "test")
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, hello)
}

// testServer counts the connections that it gets.
func testServer(t *testing.T, handler http.HandlerFunc) (addr string, conns *atomic.Int64) {
	conns = &atomic.Int64{}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), conns
}

func TestLoad(t *testing.T) {
	cases := map[string]load{
		"keep-alive": {connections: 4, depth: 1},
		"pipelined":  {connections: 3, depth: 16},
		"closing":    {connections: 2, depth: 1, closing: true},
	}
	for name, l := range cases {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int64
			addr, conns := testServer(t, func(w http.ResponseWriter, r *http.Request) {
				served.Add(1)
				if r.URL.Path != "/plaintext" || r.Close != l.closing {
					t.Errorf("asked for %s, close %v", r.URL.Path, r.Close)
				}
				plaintextHandler(w, r)
			})
			l.addr, l.want, l.duration = addr, plaintextAt("/plaintext"), 150*time.Millisecond
			got := l.run()
			if len(got.Problems) > 0 {
				t.Fatal(got.Problems)
			}
			if got.Requests == 0 || got.Requests != served.Load() {
				t.Errorf("counted %d requests, served %d", got.Requests, served.Load())
			}
			want := int64(l.connections)
			if l.closing {
				want = got.Requests
			}
			if conns.Load() != want {
				t.Errorf("%d connections, want %d", conns.Load(), want)
			}
			if got.P50 <= 0 || got.P99 < got.P50 || got.PerSecond <= 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestLoadReportsProblems(t *testing.T) {
	cases := map[string]struct {
		handler http.HandlerFunc
		closing bool
		want    string
	}{
		"status":     {func(w http.ResponseWriter, r *http.Request) { http.Error(w, hello, 500) }, false, "500"},
		"body":       {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hello, Moon!!") }, false, "Moon"},
		"length":     {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hello") }, false, "5 octets"},
		"broken off": {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false, "EOF"},
		"chunked":    {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() }, false, "no Content-Length"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			addr, _ := testServer(t, c.handler)
			l := load{addr: addr, want: plaintextAt("/"), connections: 2, depth: 1, closing: c.closing, duration: 50 * time.Millisecond}
			got := strings.Join(l.run().Problems, "\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestLoadWithoutServer(t *testing.T) {
	l := load{addr: "127.0.0.1:1", want: plaintextAt("/"), connections: 1, depth: 1, duration: 20 * time.Millisecond}
	if got := l.run(); len(got.Problems) == 0 || got.Requests != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestResponsesSplitAnywhere(t *testing.T) {
	const one = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH: 13\r\n\r\n" + hello
	r := newResponseReader(iotest.OneByteReader(strings.NewReader(strings.Repeat(one, 3))), plaintextAt("/"))
	for range 3 {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

func TestIdleConnections(t *testing.T) {
	addr, conns := testServer(t, plaintextHandler)
	held, err := openIdle(addr, "/plaintext", 50)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(held)
	if conns.Load() != 50 || countAlive(held) != 50 {
		t.Errorf("%d connections, %d alive, want 50", conns.Load(), countAlive(held))
	}
}

func TestClosedConnectionsAreNotAlive(t *testing.T) {
	addr, _ := testServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		plaintextHandler(w, r)
	})
	held, err := openIdle(addr, "/plaintext", 3)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(held)
	deadline := time.Now().Add(2 * time.Second)
	for countAlive(held) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d alive, want 0", countAlive(held))
		}
		time.Sleep(5 * time.Millisecond)
	}
}
