package h1_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/h1"
)

// TestTable holds what must be true of any such table.
func TestTable(t *testing.T) {
	reached := map[int]bool{h1.Idle: true}
	for grown := true; grown; {
		grown = false
		for s := range h1.States {
			for e := range h1.Events {
				next := h1.Transition(s, e)
				if next < 0 || next > h1.None {
					t.Fatalf("state %d, event %d leads to %d", s, e, next)
				}
				if reached[s] && next != h1.None && !reached[next] {
					reached[next], grown = true, true
				}
			}
		}
	}
	for s := range h1.States {
		if !reached[s] {
			t.Errorf("state %d cannot be reached", s)
		}
		if next := h1.Transition(s, h1.ConnectionClosed); next != h1.Closing {
			t.Errorf("a connection that is closed in state %d gets into state %d", s, next)
		}
	}
	for e := range h1.Events {
		if next := h1.Transition(h1.Closing, e); next != h1.Closing && next != h1.None {
			t.Errorf("event %d leads out of the closing state, to %d", e, next)
		}
	}
}

// TestMove: a connection moves by the table, and panics at what the table does not have.
func TestMove(t *testing.T) {
	for s := range h1.States {
		for e := range h1.Events {
			want := h1.Transition(s, e)
			got := func() (got int) {
				defer func() {
					if recover() != nil {
						got = h1.None
					}
				}()
				return h1.Move(s, e)
			}()
			if got != want {
				t.Errorf("state %d, event %d: %d, want %d", s, e, got, want)
			}
		}
	}
}

// situation brings a connection into a state, and keeps it there.
type situation struct {
	name  string
	state int
	bring func(h *house, c *client)
}

// blocker is an application that waits in every place where one can wait.
type blocker struct {
	release chan struct{}
	closed  chan struct{}
}

func (b *blocker) application() app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		switch string(environ.Path()) {
		case "/block":
			return app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", plainHeaders)
				return b
			})(environ, start)
		case "/wait":
			<-b.release
			start("200 OK", plainHeaders)
			return b
		}
		return every(environ, start)
	}
}

func (b *blocker) Next() ([]byte, error) {
	<-b.release
	return []byte("released"), nil
}

func (b *blocker) Close() error {
	close(b.closed) // a second call panics
	return nil
}

var situations = []situation{
	{"idle", h1.Idle, func(*house, *client) {}},
	{"idle behind a request", h1.Idle, func(_ *house, c *client) { c.Feed([]byte("GET /probe HTTP/1.1\r\nHost: a\r\n\r\n")) }},
	{"in head", h1.InHead, func(_ *house, c *client) { c.Feed([]byte("GET /probe HT")) }},
	{"in content", h1.InContent, func(_ *house, c *client) {
		c.Feed([]byte("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"))
	}},
	{"in chunked content", h1.InContent, func(_ *house, c *client) {
		c.Feed([]byte("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel"))
	}},
	{"answering on a goroutine", h1.Answering, func(_ *house, c *client) {
		c.Feed([]byte("GET /block HTTP/1.1\r\nHost: a\r\n\r\nGET /probe HTTP/1.1\r\nHost: a\r\n\r\n"))
	}},
	{"answering a slow client", h1.Answering, func(_ *house, c *client) {
		c.room = 10
		c.Feed([]byte("GET /bytes/1000000 HTTP/1.1\r\nHost: a\r\n\r\nGET /probe HTTP/1.1\r\nHost: a\r\n\r\n"))
	}},
	{"streaming, not read", h1.Streaming, func(_ *house, c *client) {
		c.Feed([]byte("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n0123456789"))
	}},
	{"streaming, more than is read", h1.Streaming, func(_ *house, c *client) {
		c.Feed([]byte("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"))
		c.Feed(text("x", 200_000))
	}},
	{"streaming, the head sent", h1.Streaming, func(h *house, c *client) {
		c.Feed([]byte("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n0123456789"))
		if !h.until(func() bool { return strings.Contains(c.out.String(), "early") }) {
			h.t.Fatal("the application does not answer")
		}
	}},
	{"answering behind a stream", h1.Answering, func(_ *house, c *client) {
		c.Feed([]byte("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n"))
		c.Feed(text("x", 300))
	}},
	{"unread", h1.Unread, func(h *house, c *client) {
		c.Feed([]byte("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n0123456789"))
		if !h.until(func() bool { return strings.Contains(c.out.String(), "ignored") }) {
			h.t.Fatal("the application does not answer")
		}
	}},
	{"closing", h1.Closing, func(_ *house, c *client) { c.Feed([]byte("GET /close HTTP/1.1\r\nHost: a\r\n\r\n")) }},
	{"closing with output", h1.Closing, func(_ *house, c *client) {
		c.room = 10
		c.Feed([]byte("GET /close HTTP/1.1\r\nHost: a\r\n\r\n"))
	}},
}

// TestDisturbances: whatever happens in whatever state, in whatever order, a connection comes to an end, bodies
// are closed once, and no goroutine is left.
func TestDisturbances(t *testing.T) {
	disturbances := []struct {
		name string
		do   func(c *client)
	}{
		{"reset", func(c *client) { c.Reset() }},
		{"eof", func(c *client) { c.EOF() }},
		{"timeout", (*client).timeout},
		{"shutdown", func(c *client) { c.Shutdown() }},
		{"more", func(c *client) { c.Feed(text("GET /probe HTTP/1.1\r\nHost: a\r\n\r\n", 10_000)) }},
		{"drain", func(c *client) { c.room = 1000; c.Drain() }},
		{"drain all", func(c *client) { c.room = -1; c.Drain() }},
	}
	before := runtime.NumGoroutine()
	for _, s := range situations {
		for _, first := range disturbances {
			for _, second := range disturbances {
				t.Run(fmt.Sprintf("%s, %s, %s", s.name, first.name, second.name), func(t *testing.T) {
					b := &blocker{make(chan struct{}), make(chan struct{})}
					h := newHouse(t, b.application(), func(config *h1.Config) { config.ContentBuffer = 100 })
					c := h.dial()
					s.bring(h, c)
					if got := h1.StateOf(c.handler); got != s.state {
						t.Fatalf("the state is %d, want %d", got, s.state)
					}
					first.do(c)
					h.loop.RunPosted()
					second.do(c)
					close(b.release)
					for range 3 {
						h.loop.RunPosted()
						c.room = -1
						c.Drain()
					}
					c.Reset()
					if !h.until(c.Closed) || h1.StateOf(c.handler) != h1.Closing {
						t.Errorf("the connection is not closed, its state is %d", h1.StateOf(c.handler))
					}
					called := strings.HasPrefix(s.name, "answering on") || strings.Contains(s.name, "read") && s.state == h1.Streaming ||
						s.name == "answering behind a stream"
					if called && !h.until(func() bool {
						select {
						case <-b.closed:
							return true
						default:
							return false
						}
					}) {
						t.Error("the body was not closed")
					}
				})
			}
		}
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}
