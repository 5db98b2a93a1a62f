package server_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// drip sends an octet every few milliseconds until the server closes, or stop is closed.
func drip(c net.Conn, stop <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	}
}

// TestTimeouts: each limit of time alone ends a connection, with the answer that belongs to it.
func TestTimeouts(t *testing.T) {
	const short = 200 * time.Millisecond
	tests := []struct {
		name   string
		config server.Config
		send   string
		drips  bool
		want   int // the status of the one answer; 0: none
	}{
		{"new connection that sends nothing", server.Config{IdleTimeout: short, AcceptAtOnce: true}, "", false, 0},
		{"keep-alive", server.Config{IdleTimeout: short}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, 200},
		{"head stops", server.Config{HeadTimeout: short}, "GET / HTTP/1.1\r\nHost:", false, 408},
		{"head drips", server.Config{HeadTimeout: short}, "GET / HTTP/1.1\r\nHost: ", true, 408},
		{"content stops", server.Config{ContentTimeout: short}, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", false, 408},
		{"streamed content stops", server.Config{ContentTimeout: short, ContentBuffer: 4},
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", false, 408},
		{"content drips", server.Config{ContentRate: 1 << 20, ContentGrace: short},
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n", true, 408},
		{"streamed content drips", server.Config{ContentRate: 1 << 20, ContentGrace: short, ContentBuffer: 4},
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n", true, 408},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Application = app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
				content, err := io.ReadAll(environ.Input())
				if err != nil {
					panic(app.ErrAbort)
				}
				start("200 OK", nil)
				return app.Bytes(content)
			})
			c := serve(t, tt.config).dial()
			if _, err := io.WriteString(c, tt.send); err != nil {
				t.Fatal(err)
			}
			if tt.drips {
				stop := make(chan struct{})
				defer close(stop)
				go drip(c, stop)
			}
			if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(c)
			if tt.want != 0 {
				response, err := http.ReadResponse(r, nil)
				if err != nil || response.StatusCode != tt.want {
					t.Fatalf("received %v, %v; want %d", response, err, tt.want)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Fatal(err)
				}
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("received %q, %v; want the end", rest, err)
			}
		})
	}
}

// TestSlowContentIsServed: a rate that suffices, and pauses that earlier octets have paid for, are no reason to give up.
func TestSlowContentIsServed(t *testing.T) {
	s := serve(t, server.Config{
		Application:  plain("thanks"),
		ContentRate:  10,
		ContentGrace: 100 * time.Millisecond,
	})
	c := s.dial()
	content := strings.Repeat("x", 100)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"+content); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // the pause is what is tested: five times the grace, and paid for
	if response, body := ask(t, c, "x"); response.StatusCode != 200 || body != "thanks" {
		t.Errorf("received %d %q", response.StatusCode, body)
	}
}

// TestWriteTimeout: a client that takes nothing loses its connection; its body is closed.
func TestWriteTimeout(t *testing.T) {
	closed := make(chan struct{})
	s := serve(t, server.Config{
		WriteTimeout: 200 * time.Millisecond,
		Application: func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", nil)
			return &flood{closed: closed}
		},
	})
	c := s.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection of a client that takes nothing stays")
	}
}

type flood struct{ closed chan struct{} }

var kibibytes = bytes.Repeat([]byte("x"), 64<<10)

func (f *flood) Next() ([]byte, error) { return kibibytes, nil }
func (f *flood) Close() error          { close(f.closed); return nil }

// TestMaxRequests: the last answer says that it is the last.
func TestMaxRequests(t *testing.T) {
	c := serve(t, server.Config{Application: plain("hello"), MaxRequests: 2}).dial()
	request := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	if response, _ := ask(t, c, request); response.Close {
		t.Error("the first of two closes")
	}
	if response, _ := ask(t, c, request); !response.Close {
		t.Error("the second of two does not close")
	}
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("received %q, %v; want the end", rest, err)
	}
}

// TestMaxPerAddress: those beyond the limit are told, and others come in when some have left.
func TestMaxPerAddress(t *testing.T) {
	s := serve(t, server.Config{Application: plain("hello"), MaxPerAddress: 2})
	request := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	first, second := s.dial(), s.dial()
	for _, c := range []net.Conn{first, second} {
		if response, _ := ask(t, c, request); response.StatusCode != 200 {
			t.Fatalf("received %d inside the limit", response.StatusCode)
		}
	}
	if response, _ := ask(t, s.dial(), request); response.StatusCode != 503 || !response.Close {
		t.Errorf("received %d beyond the limit, close %v", response.StatusCode, response.Close)
	}
	_ = first.Close()
	until(t, "there is room again", func() bool {
		response, _ := ask(t, s.dial(), request)
		return response.StatusCode == 200
	})
}

// TestMaxConnections: at the limit accepting pauses, and goes on when a connection has gone.
func TestMaxConnections(t *testing.T) {
	s := serve(t, server.Config{Application: plain("hello"), MaxConnections: 1})
	request := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	first, second := s.dial(), s.dial()
	if response, _ := ask(t, first, request); response.StatusCode != 200 {
		t.Fatalf("received %d", response.StatusCode)
	}
	if _, err := io.WriteString(second, request); err != nil {
		t.Fatal(err)
	}
	if err := second.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d octets came beyond the limit", n)
	}
	if err := second.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	if response, body := ask(t, second, ""); response.StatusCode != 200 || body != "hello" {
		t.Errorf("received %d %q when there was room again", response.StatusCode, body)
	}
}
