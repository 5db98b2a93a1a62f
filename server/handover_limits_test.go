package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
)

// blocked is an application that blocks at h.
func blocked(h *hurdle) app.Application {
	return func(_ *app.Environ, start app.StartResponse) app.Body {
		h.wait()
		start("200 OK", nil)
		return app.String("answer")
	}
}

// TestInline: with the promise that nothing blocks, nobody watches: the loop waits.
func TestInline(t *testing.T) {
	h := newHurdle(t)
	s := serve(t, server.Config{Loops: 1, Inline: true, Application: paths{"/block": blocked(h)}.application()})
	other := s.dial() // accepted before the loop is stopped
	if _, body := ask(t, other, get("/other")); body != "/other" {
		t.Fatalf("received %q", body)
	}
	c := s.dial()
	send(t, c, get("/block"))
	h.awaited(t, 1)
	send(t, other, get("/other"))
	_ = other.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // long enough for the watch, if there were one
	if _, err := other.Read(make([]byte, 1)); err == nil {
		t.Error("the loop went on")
	}
	_ = other.SetReadDeadline(time.Now().Add(patience))
	h.open()
	expectAnswers(t, bufio.NewReader(other), "/other")
	expectAnswers(t, bufio.NewReader(c), "answer")
}

// TestHandoverMaxBlocking: when as many calls block as may, a path that is known to block is answered with 503, and others
// as ever; later it has its turn again.
func TestHandoverMaxBlocking(t *testing.T) {
	h := newHurdle(t)
	s := serve(t, server.Config{Loops: 1, MaxBlocking: 2, Application: paths{"/block": blocked(h)}.application()})
	var waiting []net.Conn
	for i := range 2 {
		c := s.dial()
		waiting = append(waiting, c)
		send(t, c, get("/block"))
		h.awaited(t, int64(i+1))
		elsewhere(t, s)
	}
	c := s.dial()
	response, _ := ask(t, c, get("/block"))
	if response.StatusCode != 503 || response.Header.Get("Retry-After") != "1" || response.Close {
		t.Errorf("got %v", response)
	}
	elsewhere(t, s)
	h.open()
	for _, c := range waiting {
		expectAnswers(t, bufio.NewReader(c), "answer")
	}
	until(t, "place for another call", func() bool {
		response, _ := ask(t, c, get("/block"))
		return response.StatusCode == 200
	})
}

// TestHandoverLearns: a path that has blocked several times goes to a goroutine at once; its views are copies then.
func TestHandoverLearns(t *testing.T) {
	h := make(chan struct{})
	detached := make(chan bool, 100)
	s := serve(t, server.Config{Loops: 1, Application: paths{"/block": func(environ *app.Environ, start app.StartResponse) app.Body {
		detached <- environ.Detached()
		<-h
		start("200 OK", nil)
		return app.String("answer")
	}}.application()})
	c := s.dial()
	in := bufio.NewReader(c)
	for calls := 1; ; calls++ {
		send(t, c, get("/block"))
		learned := <-detached
		elsewhere(t, s) // meanwhile the loop goes on, so that this one counts
		h <- struct{}{}
		expectAnswers(t, in, "answer")
		if learned {
			if calls < 7 {
				t.Errorf("learned from %d calls", calls-1)
			}
			break
		}
		if calls > 10 {
			t.Fatal("nothing was learned from 10 calls")
		}
	}
}

// TestHandoverVanishing: a client that leaves while its call blocks has its line in the log, of its own request; the call is told so
// where it asks, and its body is closed.
func TestHandoverVanishing(t *testing.T) {
	for name, make := range map[string]func(h *hurdle, all *bodies) app.Application{
		"call": func(h *hurdle, all *bodies) app.Application {
			return func(environ *app.Environ, start app.StartResponse) app.Body {
				h.wait()
				environ.Detach()
				start("200 OK", nil)
				return all.body(app.String("answer"), 0)
			}
		},
		"write": func(h *hurdle, all *bodies) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				write := start("200 OK", nil)
				h.wait()
				for deadline := time.Now().Add(patience); time.Now().Before(deadline); { // what leaves before the client's reset is there, leaves
					if _, err := write(kibi); err == app.ErrGone {
						return all.body(app.Empty(), 0)
					}
				}
				panic("not told")
			}
		},
		"Next, later": func(h *hurdle, all *bodies) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return all.body(app.Seq(func(yield func([]byte) bool) {
					for range 8 { // more than there is room for
						if !yield(bytes.Repeat(kibi, 8<<10)) {
							return
						}
					}
					h.wait()
				}), 0)
			}
		},
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reset %v", name, reset), func(t *testing.T) {
				before := runtime.NumGoroutine()
				h := newHurdle(t)
				var all bodies
				var log bytes.Buffer // read when the server has ended
				s := serve(t, server.Config{Loops: 1, AccessLog: &log, AccessLogFormat: accesslog.Combined,
					Application: paths{"/block": make(h, &all)}.application()})
				c := s.dial()
				send(t, c, "GET /block HTTP/1.1\r\nHost: a\r\nUser-Agent: vanishing\r\n\r\n")
				if name == "Next, later" {
					if _, err := io.CopyN(io.Discard, c, 64<<20); err != nil {
						t.Fatal(err)
					}
				}
				h.awaited(t, 1)
				elsewhere(t, s)
				if reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				_ = c.Close()
				elsewhere(t, s)
				h.open()
				until(t, "Close", func() bool { return all.made.Load() == 1 && all.closed.Load() == 1 })
				elsewhere(t, s)
				s.hangUp()
				if err := s.stop(); err != nil {
					t.Error(err)
				}
				if n := strings.Count(log.String(), `"GET /block HTTP/1.1" `); n != 1 || strings.Count(log.String(), `"vanishing"`) != 1 {
					t.Errorf("%d lines in the log: %s", n, log.String())
				}
				noGoroutinesLeft(t, before)
			})
		}
	}
}

// TestHandoverShutdown: a blocked call is waited for, and its connection closed behind its answer; one that takes too long does
// not keep the server.
func TestHandoverShutdown(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late=%v", late), func(t *testing.T) {
			before := runtime.NumGoroutine()
			h := newHurdle(t)
			config := server.Config{Loops: 1, Application: paths{"/block": blocked(h)}.application()}
			if late {
				config.GracefulTimeout = 20 * time.Millisecond
			}
			s := serve(t, config)
			c := s.dial()
			send(t, c, get("/block", "/behind"))
			h.awaited(t, 1)
			if late { // the call begins just as the server ends, too
				send(t, s.dial(), get("/block"))
			} else {
				elsewhere(t, s)
			}
			s.cancel()
			if !late {
				until(t, "the end of accepting", func() bool {
					c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.Addresses()[0])
					if err == nil {
						_ = c.Close()
					}
					return err != nil
				})
				h.open()
				in := bufio.NewReader(c)
				response, body := receive(t, in)
				if body != "answer" || !response.Close {
					t.Errorf("received %q, the connection closes: %v", body, response.Close)
				}
				if _, err := in.ReadByte(); err != io.EOF {
					t.Errorf("behind it %v, want the end", err)
				}
				s.hangUp()
			}
			if err := s.wait(); (err != nil) != late {
				t.Errorf("Serve returned %v", err)
			}
			h.open()
			noGoroutinesLeft(t, before)
		})
	}
}

// TestHalfClosedWithRoomForNothing: a client that sends requests, ends its sending, and only then reads gets all answers.
func TestHalfClosedWithRoomForNothing(t *testing.T) {
	called := make(chan struct{}, 10_000)
	content := strings.Repeat("x", 200_000)
	s := serve(t, server.Config{Loops: 1, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		if len(environ.Path()) > 1 {
			return nil
		}
		called <- struct{}{}
		return app.String(content)
	}})
	c := s.dial()
	sent := 0
	for full := false; !full; sent++ {
		send(t, c, get("/"))
		select {
		case <-called:
		case <-time.After(200 * time.Millisecond): // it is not read before the client has taken some; on a slow machine, maybe
			full = true
		}
	}
	_ = c.(*net.TCPConn).CloseWrite()
	other := s.dial()
	for range 10 {
		ask(t, other, get("/other"))
	}
	in := bufio.NewReader(c)
	for range sent {
		expectAnswers(t, in, content)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("behind it %v, want the end", err)
	}
}
