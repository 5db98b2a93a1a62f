package exchange_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/exchange"
)

// TestBlockingRunsOffTheLoop: the call returns while the application is still at work, and nothing reaches the
// wire but on the loop.
func TestBlockingRunsOffTheLoop(t *testing.T) {
	r := newRun("GET")
	release := make(chan struct{})
	var detached, method atomic.Value
	r.start(app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		<-release
		detached.Store(environ.Detached())
		method.Store(environ.Method())
		start("200 OK", []app.Header{header("X-A", "1")})
		return app.String("late")
	}))
	if got := r.journal.String(); got != "" {
		t.Fatalf("calls are %s before the application has answered", got)
	}
	close(release)
	r.finish(t)
	if r.head.Length != 4 || r.content.String() != "late" || !r.whole || len(r.field("X-A")) != 1 {
		t.Errorf("calls are %s, head %+v", r.journal, r.head)
	}
	if detached.Load() != true || !r.source.detached || method.Load() != "GET" {
		t.Error("the environ was not detached")
	}
}

// TestBlockingChunksLeaveAsMade: a chunk is on the wire before the next one is made.
func TestBlockingChunksLeaveAsMade(t *testing.T) {
	r := newRun("GET")
	next := make(chan struct{})
	b := &body{journal: new(journal)}
	for _, c := range []string{"one", "two", "three"} {
		b.steps = append(b.steps, step{chunk: c, do: func() { <-next }})
	}
	r.start(app.Blocking(answering(b, "200 OK")))
	want := ""
	for _, c := range []string{"one", "two", "three"} {
		next <- struct{}{}
		want += c
		r.exec.runUntil(t, "chunk "+c, func() bool { return r.content.String() == want })
	}
	r.finish(t)
	if !r.whole || !strings.HasPrefix(r.journal.String(), "head 200 OK; chunk one;") {
		t.Errorf("calls are %s", r.journal)
	}
}

// TestBlockingBackPressure: a producer waits when its client is HighWater behind, and goes on when it has taken.
func TestBlockingBackPressure(t *testing.T) {
	r := newRun("GET")
	const chunk = 16 << 10
	var made atomic.Int64
	b := &body{journal: new(journal)}
	for range 64 {
		b.steps = append(b.steps, step{chunk: strings.Repeat("x", chunk), do: func() { made.Add(1) }})
	}
	r.unsent = exchange.HighWater + 1 // nothing of it is taken
	r.start(app.Blocking(answering(b, "200 OK")))
	r.exec.runUntil(t, "the producer to wait", func() bool { return r.content.Len() > 0 })
	// It cannot go on: what it has made does not grow, however often it is let run.
	for range 1000 {
		r.exec.step()
		runtime.Gosched()
	}
	if n := made.Load() * chunk; n > exchange.HighWater+chunk {
		t.Fatalf("%d octets were made for a client that takes nothing", n)
	}
	if r.ended > 0 {
		t.Fatal("the response ended")
	}
	r.unsent = 0
	r.resume()
	r.finish(t)
	if r.content.Len() != 64*chunk || !r.whole {
		t.Errorf("%d octets of content, complete %v", r.content.Len(), r.whole)
	}
}

// TestBlockingWriteWaits: write waits on a goroutine as well.
func TestBlockingWriteWaits(t *testing.T) {
	r := newRun("GET")
	var made atomic.Int64
	chunk := make([]byte, 32<<10)
	r.unsent = exchange.HighWater + 1
	r.start(app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", nil)
		for range 32 {
			if _, err := write(chunk); err != nil {
				t.Error(err)
			}
			made.Add(1)
		}
		return nil
	}))
	r.exec.runUntil(t, "the first write", func() bool { return r.content.Len() > 0 })
	for range 1000 {
		r.exec.step()
		runtime.Gosched()
	}
	if n := made.Load(); n > 3 {
		t.Fatalf("%d writes of 32 KiB to a client that takes nothing", n)
	}
	r.unsent = 0
	r.resume()
	r.finish(t)
	if r.content.Len() != 32*len(chunk) || !r.whole {
		t.Errorf("%d octets of content", r.content.Len())
	}
}

// TestBlockingGone: the client's leaving wakes a producer that waits for room, and its body is closed.
func TestBlockingGone(t *testing.T) {
	for _, write := range []bool{false, true} {
		t.Run(fmt.Sprintf("write=%v", write), func(t *testing.T) {
			r := newRun("GET")
			r.unsent = exchange.HighWater + 1
			b := &body{journal: new(journal)}
			for range 1000 {
				b.steps = append(b.steps, step{chunk: strings.Repeat("x", 32<<10)})
			}
			failed := make(chan error, 1)
			r.start(app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
				w := start("200 OK", nil)
				for write {
					if _, err := w([]byte(strings.Repeat("x", 32<<10))); err != nil {
						failed <- err
						break
					}
				}
				return b
			}))
			r.exec.runUntil(t, "content", func() bool { return r.content.Len() > 0 })
			r.exchange.Gone()
			r.exec.runUntil(t, "Close", func() bool { return b.closedTimes() == 1 })
			if write && !errors.Is(<-failed, app.ErrGone) {
				t.Error("write did not return ErrGone")
			}
			if write && b.nexts > 0 {
				t.Error("Next was called when the client had gone")
			}
			if r.ended != 0 {
				t.Error("Finish was called when the client had gone")
			}
			if r.logs.String() != "" {
				t.Errorf("log is %q: that a client leaves is no error", r.logs.String())
			}
		})
	}
}

// TestBlockingGoneBeforeStart: the application runs on, and nothing of its answer reaches the wire.
func TestBlockingGoneBeforeStart(t *testing.T) {
	r := newRun("GET")
	release := make(chan struct{})
	b := &body{journal: new(journal), steps: chunks("abc")}
	r.start(app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		<-release
		start("200 OK", nil)
		return b
	}))
	r.exchange.Gone()
	close(release)
	r.exec.runUntil(t, "Close", func() bool { return b.closedTimes() == 1 })
	for r.exec.step() {
	}
	if got := r.journal.String(); got != "" {
		t.Errorf("calls are %s", got)
	}
}

// TestMaxBlocking: what is more than may run is answered with 503, and there is room again when one has ended.
func TestMaxBlocking(t *testing.T) {
	r := newRun("GET")
	r.config.MaxBlocking = 1
	release := make(chan struct{})
	application := app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		<-release
		start("200 OK", nil)
		return app.String("first")
	})
	r.start(application)

	second := newRun("GET")
	second.use(r.config)
	second.start(application)
	if second.ended != 1 || second.head.Code != 503 || !second.whole {
		t.Fatalf("calls are %s, want a 503 at once", second.journal)
	}
	if got := second.field("Retry-After"); len(got) != 1 {
		t.Errorf("Retry-After is %v", got)
	}
	if !strings.HasPrefix(second.content.String(), "Service Unavailable") || second.head.Length != int64(second.content.Len()) {
		t.Errorf("content is %q", second.content.String())
	}
	close(release)
	r.finish(t)
	// The place is given back by the goroutine, soon after it has answered.
	r.exec.runUntil(t, "a place", func() bool {
		third := newRun("HEAD")
		third.use(r.config)
		third.start(application).finish(t)
		return third.head.Code == 200
	})
}

func TestMaxBlockingHead(t *testing.T) {
	r := newRun("HEAD")
	r.config.MaxBlocking = 0
	r.start(app.Blocking(answering(app.Empty(), "200 OK")))
	if r.ended != 1 || r.head.Code != 503 || !r.head.NoContent || r.content.Len() != 0 {
		t.Errorf("calls are %s", r.journal)
	}
}

// TestBlockingUnderMiddleware: a body that hides the BlockingBody calls the application where its own Next is called.
func TestBlockingUnderMiddleware(t *testing.T) {
	type wrapper struct{ app.Body }
	r := newRun("GET")
	b := &body{journal: r.journal, steps: chunks("ab", "cd")}
	inner := app.Blocking(answering(b, "201 Created"))
	r.start(func(environ *app.Environ, start app.StartResponse) app.Body {
		return wrapper{inner(environ, start)}
	}).finish(t)
	if r.head.Status != "201 Created" || r.content.String() != "abcd" || b.closedTimes() != 1 {
		t.Errorf("calls are %s", r.journal)
	}
}

// TestBlockingInBlocking: the body of a Blocking application may be another one's. What is known of the inner body
// is not lost.
func TestBlockingInBlocking(t *testing.T) {
	r := newRun("GET")
	r.start(app.Blocking(app.Blocking(answering(app.String("inner"), "200 OK")))).finish(t)
	if r.content.String() != "inner" || !r.whole {
		t.Errorf("calls are %s", r.journal)
	}
	if r.head.Length != 5 {
		t.Errorf("Length is %d, want 5: the body is a slice", r.head.Length)
	}
}

// TestRunBlockingOfBlocking: a wire that runs everything on a goroutine, because content streams, loses no length.
func TestRunBlockingOfBlocking(t *testing.T) {
	r := newRun("POST")
	r.exchange.Begin(r, r.source, r.input)
	r.exchange.RunBlocking(app.Blocking(answering(app.String("inner"), "200 OK")))
	r.finish(t)
	if r.content.String() != "inner" || r.head.Length != 5 || !r.whole {
		t.Errorf("content %q, Length %d, complete %v", r.content.String(), r.head.Length, r.whole)
	}
}

// TestBlockingGoexit: an application that ends its goroutine (as a test's FailNow does) has failed.
func TestBlockingGoexit(t *testing.T) {
	t.Run("in the call", func(t *testing.T) {
		r := newRun("GET")
		r.start(app.Blocking(func(*app.Environ, app.StartResponse) app.Body { runtime.Goexit(); return nil })).finish(t)
		checkPlain500(t, r)
	})
	t.Run("in Next", func(t *testing.T) {
		r := newRun("GET")
		r.config.MaxBlocking = 1
		b := &body{journal: new(journal), steps: []step{{do: runtime.Goexit}}}
		r.start(app.Blocking(answering(b, "200 OK")))
		r.exec.runUntil(t, "the end of the goroutine", func() bool {
			next := newRun("GET")
			next.use(r.config)
			next.start(app.Blocking(answering(app.Empty(), "204 No Content"))).finish(t)
			return next.head.Code == 204
		})
		for r.exec.step() {
		}
		if r.ended != 1 || b.closedTimes() != 1 {
			t.Errorf("the response did not end: Finish was called %d times, Close %d times", r.ended, b.closedTimes())
		}
	})
}

// TestAbort: ErrAbort cuts the connection off without an answer and without a line in the log.
func TestAbort(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		head  bool
	}{
		{"returned before the head", []step{{err: app.ErrAbort}}, false},
		{"returned after the head", []step{{chunk: "ab"}, {err: fmt.Errorf("gone: %w", app.ErrAbort)}}, true},
		{"panicked before the head", []step{{do: func() { panic(app.ErrAbort) }}}, false},
		{"panicked after the head", []step{{chunk: "ab"}, {do: func() { panic(app.ErrAbort) }}}, true},
	} {
		for _, blocking := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, blocking %v", c.name, blocking), func(t *testing.T) {
				r := newRun("GET")
				b := &body{journal: new(journal), steps: c.steps}
				application := answering(b, "200 OK")
				if blocking {
					application = app.Blocking(application)
				}
				r.start(application).finish(t)
				r.exec.runUntil(t, "Close", func() bool { return b.closedTimes() == 1 })
				if (r.head != nil) != c.head || r.whole || r.ended != 1 || r.logs.String() != "" {
					t.Errorf("calls are %s, log %q", r.journal, r.logs.String())
				}
			})
		}
	}
}
