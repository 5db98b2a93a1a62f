package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// hurdle is where an application blocks until it is opened, at the end of the test at the latest.
type hurdle struct {
	entered atomic.Int64 // calls that have come to it
	opened  chan struct{}
	open    func()
}

func newHurdle(t *testing.T) *hurdle {
	h := &hurdle{opened: make(chan struct{})}
	h.open = sync.OnceFunc(func() { close(h.opened) })
	t.Cleanup(h.open)
	return h
}

func (h *hurdle) wait() {
	h.entered.Add(1)
	<-h.opened
}

func (h *hurdle) awaited(t *testing.T, n int64) {
	t.Helper()
	until(t, fmt.Sprint(n, " blocked calls"), func() bool { return h.entered.Load() == n })
}

// paths is an application that has others by path. Those that it does not know answer with their path.
type paths map[string]app.Application

func (p paths) application() app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		if application := p[string(environ.Path())]; application != nil {
			return application(environ, start)
		}
		start("200 OK", nil)
		return app.String(string(environ.Path()))
	}
}

// get is a GET of these paths, pipelined.
func get(paths ...string) (requests string) {
	for _, path := range paths {
		requests += "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"
	}
	return requests
}

func send(t *testing.T, c net.Conn, octets string) {
	t.Helper()
	if _, err := io.WriteString(c, octets); err != nil {
		t.Fatal(err)
	}
}

// expectAnswers reads responses with these contents.
func expectAnswers(t *testing.T, in *bufio.Reader, want ...string) {
	t.Helper()
	for _, want := range want {
		if response, got := receive(t, in); got != want {
			t.Fatalf("%s, %.100q; want %.100q", response.Status, got, want)
		}
	}
}

// elsewhere has the loop answer other connections, new ones too.
func elsewhere(t *testing.T, s *running) {
	t.Helper()
	c := s.dial()
	for i := range 5 {
		path := fmt.Sprint("/", i)
		if _, body := ask(t, c, get(path)); body != path {
			t.Fatalf("received %q", body)
		}
	}
	_ = c.Close()
}

// TestHandoverWherever: an application may block wherever it is called, on the only loop, and others are answered meanwhile;
// those before and behind it on its connection are, in order.
func TestHandoverWherever(t *testing.T) {
	for name, make := range map[string]func(h *hurdle) app.Application{
		"call": func(h *hurdle) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				h.wait()
				start("200 OK", nil)
				return app.String("answer")
			}
		},
		"call, answered without a copy": func(h *hurdle) app.Application {
			return func(environ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				h.wait()
				return environ.Bytes([]byte("answer"))
			}
		},
		"before a blocking body": func(h *hurdle) app.Application {
			blocking := app.Blocking(plain("answer"))
			return func(environ *app.Environ, start app.StartResponse) app.Body {
				h.wait()
				return blocking(environ, start)
			}
		},
		"between writes": func(h *hurdle) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				write := start("200 OK", nil)
				_, _ = write([]byte("ans"))
				h.wait()
				_, _ = write([]byte("wer"))
				return nil
			}
		},
		"Next, first": func(h *hurdle) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return app.Seq(func(yield func([]byte) bool) { h.wait(); yield([]byte("answer")) })
			}
		},
		"Next, later": func(h *hurdle) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return app.Seq(func(yield func([]byte) bool) {
					_ = yield([]byte("ans")) && func() bool { h.wait(); return yield([]byte("wer")) }()
				})
			}
		},
		"Close": func(h *hurdle) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", []app.Header{{Name: "Content-Length", Value: "6"}})
				return &lateClose{app.String("answer"), h}
			}
		},
		"after Defer": func(h *hurdle) app.Application {
			return func(environ *app.Environ, _ app.StartResponse) app.Body {
				d := environ.Defer()
				go func() { <-h.opened; _ = d.Answer(&app.Response{Status: "200 OK", Content: []byte("answer")}) }()
				h.wait()
				return nil
			}
		},
		"before Defer": func(h *hurdle) app.Application {
			return func(environ *app.Environ, _ app.StartResponse) app.Body {
				h.wait()
				_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Content: []byte("answer")})
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			h := newHurdle(t)
			s := serve(t, server.Config{Loops: 1, Application: paths{"/block": make(h)}.application()})
			c := s.dial()
			in := bufio.NewReader(c)
			send(t, c, get("/before", "/block", "/behind")+get("/further")[:20])
			h.awaited(t, 1)
			expectAnswers(t, in, "/before")
			elsewhere(t, s)
			send(t, c, get("/further")[20:])
			h.open()
			expectAnswers(t, in, "answer", "/behind", "/further")
			send(t, c, get("/block", "/again"))
			expectAnswers(t, in, "answer", "/again")
			s.hangUp()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			noGoroutinesLeft(t, before)
		})
	}
}

// lateClose is a body that blocks in Close.
type lateClose struct {
	app.Body
	h *hurdle
}

func (b *lateClose) Close() error { b.h.wait(); return b.Body.Close() }

// TestHandoverCloseHoldsNobody: when it is Close that blocks, the response is there already, and the next request is answered.
func TestHandoverCloseHoldsNobody(t *testing.T) {
	h := newHurdle(t)
	s := serve(t, server.Config{Loops: 1, Application: paths{"/block": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return &lateClose{app.Seq(func(yield func([]byte) bool) { yield([]byte("answer")) }), h}
	}}.application()})
	c := s.dial()
	send(t, c, get("/before", "/block", "/behind"))
	expectAnswers(t, bufio.NewReader(c), "/before", "answer", "/behind")
	h.awaited(t, 1)
	if _, body := ask(t, c, "GET /last HTTP/1.0\r\n\r\n"); body != "/last" {
		t.Errorf("received %q", body)
	}
}

// TestHandoverViews: what a blocked call sees of its request stays as it was, whatever else the loop reads meanwhile.
func TestHandoverViews(t *testing.T) {
	for _, pieces := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(pieces, " pieces"), func(t *testing.T) {
			h := newHurdle(t)
			content := strings.Repeat("content ", 1000)
			look := func(environ *app.Environ) string {
				agent, _ := environ.Header("User-Agent")
				octets, _ := environ.Input().View()
				return fmt.Sprintf("%s %s %s %s %s %s", environ.Method(), environ.Path(), environ.RawPath(), environ.Query(), agent, octets)
			}
			s := serve(t, server.Config{Loops: 1, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				if environ.Method() != "POST" {
					return app.String(string(environ.Path()))
				}
				path, query := environ.Path(), environ.Query()
				agent, _ := environ.Header("User-Agent")
				octets, _ := environ.Input().View()
				before := look(environ)
				h.wait()
				if after := look(environ); after != before {
					return app.String("it became " + after)
				}
				environ.Detach()
				return app.String(fmt.Sprintf("%s %s %s %s", path, query, agent, octets))
			}})
			c := s.dial()
			request := fmt.Sprintf("POST /p%%61th?query HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
			for i := range pieces {
				send(t, c, request[i*len(request)/pieces:(i+1)*len(request)/pieces])
				elsewhere(t, s)
			}
			h.awaited(t, 1)
			for range 4 {
				other := s.dial()
				send(t, other, get("/"+strings.Repeat("x", 4000), "/"+strings.Repeat("y", 4000)))
				expectAnswers(t, bufio.NewReader(other), "/"+strings.Repeat("x", 4000), "/"+strings.Repeat("y", 4000))
			}
			h.open()
			expectAnswers(t, bufio.NewReader(c), "/path query me "+content)
		})
	}
}

// TestHandoverFails: a call that fails late is answered with 500, or cut off when its head is out, and its goroutine ends.
func TestHandoverFails(t *testing.T) {
	for _, c := range []struct {
		name        string
		blocks      bool
		application func(wait func()) app.Application
		want        string // status line, "": cut off
	}{
		{"panic", true, func(wait func()) app.Application {
			return func(*app.Environ, app.StartResponse) app.Body { wait(); panic("late") }
		}, "500"},
		{"panic, and what was started is withdrawn", true, func(wait func()) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body { start("200 OK", nil); wait(); panic("late") }
		}, "500"},
		{"panic after a write", true, func(wait func()) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				_, _ = start("200 OK", nil)([]byte("x"))
				wait()
				panic("late")
			}
		}, ""},
		{"no start", true, func(wait func()) app.Application {
			return func(*app.Environ, app.StartResponse) app.Body { wait(); return nil }
		}, "500"},
		{"Goexit", true, func(wait func()) app.Application {
			return func(*app.Environ, app.StartResponse) app.Body { wait(); runtime.Goexit(); return nil }
		}, "500"},
		{"Goexit at once", false, func(func()) app.Application {
			return func(*app.Environ, app.StartResponse) app.Body { runtime.Goexit(); return nil }
		}, "500"},
		{"Goexit in Next", true, func(wait func()) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return exiting{next: wait}
			}
		}, "500"},
		{"Goexit in Next at once", false, func(func()) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return exiting{next: func() {}}
			}
		}, "500"},
		{"Goexit in Close at once", false, func(func()) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body { start("200 OK", nil); return exiting{} }
		}, "200"},
		{"Goexit after Defer", false, func(func()) app.Application {
			return func(environ *app.Environ, _ app.StartResponse) app.Body {
				environ.Defer()
				runtime.Goexit()
				return nil
			}
		}, "500"},
		{"ErrAbort", true, func(wait func()) app.Application {
			return func(*app.Environ, app.StartResponse) app.Body { wait(); panic(app.ErrAbort) }
		}, ""},
	} {
		for _, inline := range []bool{false, true} {
			if inline && c.blocks {
				continue
			}
			t.Run(fmt.Sprintf("%s, inline %v", c.name, inline), func(t *testing.T) {
				before := runtime.NumGoroutine()
				h := newHurdle(t)
				s := serve(t, server.Config{Loops: 1, Inline: inline, MaxBlocking: 4, Application: paths{"/fail": c.application(h.wait)}.application()})
				elsewhere(t, s)
				steady := runtime.NumGoroutine()
				for i := range int64(6) { // more than the places that there are: each is given back
					conn := s.dial()
					send(t, conn, get("/before", "/fail", "/behind"))
					in := bufio.NewReader(conn)
					expectAnswers(t, in, "/before")
					if c.blocks {
						h.awaited(t, i+1)
						elsewhere(t, s)
						h.open()
					}
					response, err := http.ReadResponse(in, nil)
					if c.want == "" {
						if err == nil {
							_, err = io.Copy(io.Discard, response.Body)
						}
						if err == nil {
							t.Fatalf("received %v; want a response that is cut off", response)
						}
						noGoroutinesLeft(t, steady)
						continue
					}
					if err != nil || !strings.HasPrefix(response.Status, c.want) {
						t.Fatalf("received %v, %v; want %s", response, err, c.want)
					}
					_, _ = io.Copy(io.Discard, response.Body)
					expectAnswers(t, in, "/behind")
					noGoroutinesLeft(t, steady)
				}
				elsewhere(t, s)
				s.hangUp()
				if err := s.stop(); err != nil {
					t.Error(err)
				}
				noGoroutinesLeft(t, before)
			})
		}
	}
}

// exiting is a body that ends its goroutine: in Next behind next, or in Close.
type exiting struct{ next func() }

func (b exiting) Next() ([]byte, error) {
	if b.next == nil {
		return nil, io.EOF
	}
	b.next()
	runtime.Goexit()
	return nil, nil
}

func (b exiting) Close() error {
	if b.next == nil {
		runtime.Goexit()
	}
	return nil
}
