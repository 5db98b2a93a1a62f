package exchange_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

var errDisk = errors.New("disk on fire")

// endings are all the ways in which a response can end. Close is called once in each.
var endings = []struct {
	name     string
	method   string
	blocking bool // runs with Blocking too
	steps    []step
	closes   func() error
	start    func(start app.StartResponse)
	end      func(r *run) // what happens after the call
	status   string       // "": no head
	content  string
	finished int
	whole    bool
	logged   string
}{
	{name: "success", steps: chunks("ab", "c"), status: "200 OK", content: "abc", finished: 1, whole: true},
	{name: "no chunks", status: "200 OK", finished: 1, whole: true},
	{name: "HEAD", method: "HEAD", steps: chunks("ab", "c"), status: "200 OK", finished: 1, whole: true},
	{name: "204", start: func(start app.StartResponse) { start("204 No Content", nil) }, steps: chunks("ab"),
		status: "204 No Content", finished: 1, whole: true},
	{name: "excess", start: func(start app.StartResponse) { start("200 OK", []app.Header{header("Content-Length", "1")}) },
		steps: chunks("ab", "c"), status: "200 OK", content: "a", finished: 1, whole: true, logged: "longer"},
	{name: "short", start: func(start app.StartResponse) { start("200 OK", []app.Header{header("Content-Length", "9")}) },
		steps: chunks("ab", "c"), status: "200 OK", content: "abc", finished: 1, logged: "shorter"},
	{name: "error before the head", steps: []step{{err: errDisk}}, status: "500 Internal Server Error",
		content: "Internal Server Error\n", finished: 1, whole: true, logged: "disk on fire"},
	{name: "error after the head", steps: []step{{chunk: "ab"}, {err: errDisk}}, status: "200 OK", content: "ab",
		finished: 1, logged: "disk on fire"},
	{name: "error before the head, HEAD", method: "HEAD", steps: []step{{err: errDisk}}, status: "500 Internal Server Error",
		finished: 1, whole: true, logged: "disk on fire"},
	{name: "panic in Next before the head", steps: []step{{do: func() { panic("oops") }}}, status: "500 Internal Server Error",
		content: "Internal Server Error\n", finished: 1, whole: true, logged: "oops"},
	{name: "panic in Next after the head", steps: []step{{chunk: "ab"}, {do: func() { panic("oops") }}}, status: "200 OK",
		content: "ab", finished: 1, logged: "oops"},
	{name: "panic in Close", steps: chunks("ab"), closes: func() error { panic("oops") }, status: "200 OK", content: "ab",
		finished: 1, whole: true, logged: "oops"},
	{name: "error in Close", steps: chunks("ab"), closes: func() error { return errDisk }, status: "200 OK", content: "ab",
		finished: 1, whole: true, logged: "disk on fire"},
	{name: "panic in Next and in Close", steps: []step{{do: func() { panic("oops") }}}, closes: func() error { panic("again") },
		status: "500 Internal Server Error", content: "Internal Server Error\n", finished: 1, whole: true, logged: "again"},
	{name: "start never called", start: func(app.StartResponse) {}, steps: chunks("ab"), status: "500 Internal Server Error",
		content: "Internal Server Error\n", finished: 1, whole: true, logged: "start_response"},
}

func TestCloseOnce(t *testing.T) {
	for _, c := range endings {
		for _, blocking := range []bool{false, true} {
			name := c.name
			if blocking {
				name += ", blocking"
			}
			t.Run(name, func(t *testing.T) {
				method := c.method
				if method == "" {
					method = "GET"
				}
				r := newRun(method)
				b := &body{journal: r.journal, steps: c.steps, closes: c.closes}
				start := c.start
				if start == nil {
					start = func(start app.StartResponse) { start("200 OK", nil) }
				}
				application := func(_ *app.Environ, s app.StartResponse) app.Body { start(s); return b }
				if blocking {
					application = app.Blocking(application)
				}
				r.start(application).finish(t)
				r.exec.runUntil(t, "Close", func() bool { return b.closedTimes() > 0 })
				if r.head.Status != c.status || r.content.String() != c.content || r.ended != c.finished || r.whole != c.whole {
					t.Errorf("got %q %q, Finish(%v) %d times; want %q %q %v", r.head.Status, r.content.String(), r.whole, r.ended,
						c.status, c.content, c.whole)
				}
				r.exec.runUntil(t, "the log line "+c.logged, func() bool { return strings.Contains(r.logs.String(), c.logged) })
				if c.logged == "" && r.logs.String() != "" {
					t.Errorf("log is %q", r.logs.String())
				}
				// Neither a late Gone nor a late Resume closes it again.
				r.exchange.Gone()
				r.exchange.Resume()
				if n := b.closedTimes(); n != 1 || r.ended != c.finished {
					t.Errorf("Close was called %d times, Finish %d times", n, r.ended)
				}
				if strings.Contains(r.journal.String(), "NEXT AFTER CLOSE") {
					t.Errorf("calls are %s", r.journal)
				}
			})
		}
	}
}

// TestPanicInCall: there is no body yet that could be closed.
func TestPanicInCall(t *testing.T) {
	for _, c := range []struct {
		name    string
		call    func(start app.StartResponse)
		status  string
		content string
		whole   bool
	}{
		{"before start", func(app.StartResponse) { panic("oops") }, "500 Internal Server Error", "Internal Server Error\n", true},
		{"after start", func(start app.StartResponse) {
			start("200 OK", []app.Header{header("Content-Length", "999"), header("X-Secret", "1")})
			panic("oops")
		}, "500 Internal Server Error", "Internal Server Error\n", true},
		{"after write", func(start app.StartResponse) {
			write := start("200 OK", []app.Header{header("X-Secret", "1")})
			_, _ = write([]byte("some"))
			panic("oops")
		}, "200 OK", "some", false},
		{"with an error", func(app.StartResponse) { panic(errDisk) }, "500 Internal Server Error", "Internal Server Error\n", true},
		{"with nil", func(app.StartResponse) { panic(nil) }, "500 Internal Server Error", "Internal Server Error\n", true},
	} {
		for _, blocking := range []bool{false, true} {
			name := c.name
			if blocking {
				name += ", blocking"
			}
			t.Run(name, func(t *testing.T) {
				r := newRun("GET")
				application := func(_ *app.Environ, start app.StartResponse) app.Body { c.call(start); return nil }
				if blocking {
					application = app.Blocking(application)
				}
				r.start(application).finish(t)
				if r.head.Status != c.status || r.content.String() != c.content || r.whole != c.whole || r.ended != 1 {
					t.Errorf("calls are %s", r.journal)
				}
				if r.head.Code == 500 && len(r.head.Headers) != 1 {
					t.Errorf("headers are %v", r.head.Headers)
				}
				if log := r.logs.String(); !strings.Contains(log, "application failed") || !strings.Contains(log, "/path") {
					t.Errorf("log is %q", log)
				}
				if log := r.logs.String(); strings.Contains(c.name, "start") && !strings.Contains(log, "stack=") {
					t.Errorf("log has no stack: %q", log)
				}
			})
		}
	}
}

// TestNextExchangeAfterFailure: an Exchange is good for another request whatever became of the last.
func TestNextExchangeAfterFailure(t *testing.T) {
	r := newRun("GET")
	for _, c := range endings {
		b := &body{journal: r.journal, steps: c.steps, closes: c.closes}
		start := c.start
		if start == nil {
			start = func(start app.StartResponse) { start("200 OK", nil) }
		}
		r.again(func(_ *app.Environ, s app.StartResponse) app.Body { start(s); return b })
		r.again(answering(app.String("fine"), "200 OK", header("X-A", "1")))
		if r.head.Status != "200 OK" || r.content.String() != "fine" || !r.whole || r.head.Length != 4 || r.head.HasLength || b.closed != 1 {
			t.Errorf("after %s: %q %q", c.name, r.head.Status, r.content.String())
		}
	}
}

// TestGoneWhileSuspended: the client leaves while the response waits for room.
func TestGoneWhileSuspended(t *testing.T) {
	for name, sent := range map[string]bool{"before the head": false, "after the head": true} {
		t.Run(name, func(t *testing.T) {
			r := newRun("GET")
			b := &body{journal: r.journal, steps: chunks("ab", "cd")}
			r.full = !sent
			r.fullBy = 1
			var write app.Write
			r.start(func(_ *app.Environ, start app.StartResponse) app.Body {
				write = start("200 OK", nil)
				return b
			})
			r.exchange.Gone()
			r.exec.runUntil(t, "Close", func() bool { return b.closedTimes() > 0 })
			if _, err := write([]byte("late")); !errors.Is(err, app.ErrGone) {
				t.Errorf("write returned %v, want ErrGone", err)
			}
			r.resume()
			r.exchange.Gone()
			if b.closedTimes() != 1 || r.ended != 0 || strings.Contains(r.content.String(), "late") || strings.Contains(r.journal.String(), "AFTER") {
				t.Errorf("calls are %s", r.journal)
			}
		})
	}
}

// TestWriteAfterEnd: a write that comes when the response has ended tells so.
func TestWriteAfterEnd(t *testing.T) {
	var write app.Write
	r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
		write = start("200 OK", nil)
		return app.String("x")
	})
	if _, err := write([]byte("late")); !errors.Is(err, app.ErrGone) || r.content.String() != "x" {
		t.Errorf("write returned %v, content is %q", err, r.content.String())
	}
}
