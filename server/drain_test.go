package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// drains tells whether the server has stopped accepting.
func (r *running) drains() bool {
	c, err := net.DialTimeout("tcp", r.Addresses()[0], patience)
	if err == nil {
		_ = c.Close()
	}
	return err != nil
}

// TestDrainAnswers: a request that a client sends on a connection that was idle when the end began is answered, and told that it is the last.
func TestDrainAnswers(t *testing.T) {
	before := runtime.NumGoroutine()
	s := serve(t, server.Config{Loops: 2, Application: plain("content"), DrainIdle: patience})
	fresh, used := s.dial(), s.dial()
	ask(t, used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	// The first one is accepted too, before anything else has come of it.
	ask(t, fresh, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	s.cancel()
	until(t, "the server to drain", s.drains)
	for _, c := range []net.Conn{fresh, used} {
		response, body := ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if body != "content" || !response.Close {
			t.Errorf("got %q, and the connection closes: %v", body, response.Close)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("behind the last response: %v, want the end", err)
		}
		_ = c.Close() // or the server would wait for it to do so
	}
	if err := s.wait(); err != nil { // long before DrainIdle: nobody is left
		t.Error(err)
	}
	noGoroutinesLeft(t, before)
}

// TestDrainIdleBounds: connections without a request do not keep the server for longer than DrainIdle, nor for all of its time.
func TestDrainIdleBounds(t *testing.T) {
	for _, config := range []server.Config{
		{DrainIdle: 50 * time.Millisecond},
		{DrainIdle: time.Hour, GracefulTimeout: 400 * time.Millisecond},
		{DrainIdle: -1},
	} {
		config.Application, config.AcceptAtOnce = plain("content"), true
		s := serve(t, config)
		idle, silent := s.dial(), s.dial()
		ask(t, idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		begin := time.Now()
		if err := s.stop(); err != nil {
			t.Errorf("%v: %v", config.DrainIdle, err)
		}
		if took := time.Since(begin); config.GracefulTimeout == 0 && took < config.DrainIdle {
			t.Errorf("%v: it has ended after %v", config.DrainIdle, took)
		}
		for _, c := range []net.Conn{idle, silent} {
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%v: read %d, %v", config.DrainIdle, n, err)
			}
		}
	}
}

// TestDrainAfterAStream: a response whose head has said that the connection goes on, is followed by one more request.
func TestDrainAfterAStream(t *testing.T) {
	g := newGate()
	s := serve(t, server.Config{DrainIdle: patience, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/gate" {
			start("200 OK", nil)
			return &begunGate{gated{g: g}, false}
		}
		return plain("content")(environ, start)
	}})
	c := s.dial()
	if _, err := io.WriteString(c, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, nil)
	if err != nil || response.Close {
		t.Fatalf("%v, %v", response, err)
	}
	s.cancel()
	until(t, "the server to drain", s.drains)
	close(g.release)
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, body := receive(t, r)
	if body != "content" || !response.Close {
		t.Errorf("got %q, and the connection closes: %v", body, response.Close)
	}
	_ = c.Close()
	if err := s.wait(); err != nil {
		t.Error(err)
	}
}

// begunGate is a body with a chunk in front of the gate.
type begunGate struct {
	gated
	begun bool
}

func (b *begunGate) Next() ([]byte, error) {
	if !b.begun {
		b.begun = true
		return []byte("begun"), nil
	}
	return b.gated.Next()
}

// TestDrainHandshakes: a client that has connected, and whose handshake comes when the end has begun, is served.
func TestDrainHandshakes(t *testing.T) {
	s := serveTLS(t, server.Config{Application: plain("content"), DrainIdle: patience, AcceptAtOnce: true})
	raw := s.socket()
	first := s.connect(s.socket())
	ask(t, first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	s.cancel()
	until(t, "the server to drain", s.drains)
	late := s.connect(raw)
	for _, c := range []net.Conn{late, first} {
		response, body := ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if c == late && !response.Close { // it came before the new handler was told
			response, body = ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		if body != "content" || !response.Close {
			t.Errorf("got %q, and the connection closes: %v", body, response.Close)
		}
		_ = c.Close()
	}
	if err := s.wait(); err != nil {
		t.Error(err)
	}
}

// TestDrainWaitingRequest: a request that was sent before the client has taken earlier answers, and has to wait for that, is answered: whether it came
// together with those before it, and was received, or by itself, and was not read.
func TestDrainWaitingRequest(t *testing.T) {
	const most, size, request = 200, 200 << 10, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	content := bytes.Repeat([]byte("x"), size)
	for name, config := range map[string]server.Config{
		"at the end":         {DrainIdle: -1},
		"at the end, later":  {DrainIdle: 20 * time.Millisecond},
		"after --keep-alive": {IdleTimeout: 400 * time.Millisecond},
	} {
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", together ", together), func(t *testing.T) {
				var calls atomic.Int64
				config := config
				config.Loops = 1
				config.Application = func(environ *app.Environ, start app.StartResponse) app.Body {
					calls.Add(1)
					start("200 OK", nil)
					return app.Bytes(content)
				}
				s := serve(t, config)
				c := s.dial().(*net.TCPConn)
				_ = c.SetReadBuffer(256 << 10)
				send := func(n int) {
					if _, err := io.WriteString(c, strings.Repeat(request, n)); err != nil {
						t.Fatal(err)
					}
				}
				// Until all the buffers on the way are full.
				sent, before, since := int64(1), int64(0), time.Now()
				if together {
					sent = most
				}
				send(int(sent))
				until(t, "the answers to wait", func() bool {
					if n := calls.Load(); n != before {
						before, since = n, time.Now()
						if n == sent && n < most {
							send(1)
							sent++
						}
					}
					return before > 0 && time.Since(since) > 100*time.Millisecond
				})
				if before == most {
					t.Fatal("the buffers on the way take all")
				}
				ends := config.DrainIdle != 0
				if ends {
					s.cancel()
					s.untilRefusing()
				}
				time.Sleep(max(2*config.DrainIdle, 2*config.IdleTimeout)) // nothing is to happen
				r := bufio.NewReader(c)
				for n := int64(1); n <= sent; n++ {
					response, body := receive(t, r)
					if len(body) != size {
						t.Fatalf("answer %d has %d octets", n, len(body))
					}
					if response.Close {
						if n <= before || !ends {
							t.Errorf("answer %d says close, %d were made before", n, before)
						}
						break
					}
				}
				_ = c.Close()
			})
		}
	}
}
