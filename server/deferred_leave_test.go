package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// record is what a logger was told.
type record struct {
	mu sync.Mutex
	b  strings.Builder
}

func newRecord() *record { return &record{} }

func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// observer is a Watcher that counts.
type observer struct{ left, drained atomic.Int64 }

func (o *observer) Left()    { o.left.Add(1) }
func (o *observer) Drained() { o.drained.Add(1) }

func done(t *testing.T, d app.Deferred) {
	t.Helper()
	select {
	case <-d.Done():
	case <-time.After(patience):
		t.Fatal("Done is not closed")
	}
}

// TestDeferredLeaving: that a client has left is noticed while its request waits, however it leaves and whatever it has sent
// before; the watcher is told once.
func TestDeferredLeaving(t *testing.T) {
	for leaving, leave := range map[string]func(c *net.TCPConn){
		"FIN":        func(c *net.TCPConn) { _ = c.Close() },
		"RST":        func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
		"half close": func(c *net.TCPConn) { _ = c.CloseWrite() },
	} {
		for _, behind := range []int{0, 100, 1_950} { // requests that are not read: up to 64 KiB; the kernel does not announce an end behind more than it takes
			for way, wrap := range waysToDefer {
				for _, begun := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s behind %d, %s, begun %v", leaving, behind, way, begun), func(t *testing.T) {
						t.Parallel()
						l := newLot()
						var former, o observer
						l.after = func(_ *app.Environ, d app.Deferred) {
							d.Watch(&former)
							d.Watch(&o)
						}
						s := serve(t, server.Config{Loops: 1, Application: paths{"/defer": wrap(l.deferring)}.application()})
						c := s.dial().(*net.TCPConn)
						send(t, c, get("/defer"))
						send(t, c, strings.Repeat(get("/behind"), behind))
						if way == "taken over" { // it leaves before the answer is deferred
							leave(c)
						}
						d := l.take(t)
						if begun && d.Start("200 OK", nil) == nil {
							_, _ = d.Write([]byte("begun"))
						}
						if way != "taken over" {
							leave(c)
						}
						done(t, d)
						until(t, "Left", func() bool { return o.left.Load() == 1 })
						if d.Answer(response("late")) != app.ErrGone || d.Close() != app.ErrGone {
							t.Error("it may be answered")
						}
						if _, err := d.Write(kibi); err != app.ErrGone {
							t.Errorf("Write returned %v", err)
						}
						d.Abort(nil)
						elsewhere(t, s)
						if o.left.Load() != 1 {
							t.Errorf("Left was called %d times", o.left.Load())
						}
						if way != "taken over" && former.left.Load() != 0 { // it may have left before both
							t.Error("the watcher that was replaced was told")
						}
						late := &observer{}
						d.Watch(late)
						until(t, "Left of a late watcher", func() bool { return late.left.Load() == 1 })
					})
				}
			}
		}
	}
}

// TestDeferredLeavingBefore: a client that had left before its request was deferred, behind an earlier one, is noticed too.
func TestDeferredLeavingBefore(t *testing.T) {
	for _, behind := range []int{0, 1000} {
		l := newLot()
		h := newHurdle(t)
		s := serve(t, server.Config{Loops: 1, Application: paths{"/defer": l.deferring, "/block": blocked(h)}.application()})
		c := s.dial()
		send(t, c, get("/block", "/defer")+strings.Repeat(get("/behind"), behind))
		_ = c.(*net.TCPConn).CloseWrite()
		h.awaited(t, 1)
		elsewhere(t, s)
		h.open()
		done(t, l.take(t))
	}
}

// TestDeferredKeepHalfClosed: with that option, a client that has ended its sending gets its answers, and one that is gone is noticed.
func TestDeferredKeepHalfClosed(t *testing.T) {
	for _, behind := range []int{0, 1, 5_000} {
		t.Run(fmt.Sprint(behind), func(t *testing.T) {
			l := newLot()
			s := serve(t, server.Config{Loops: 1, KeepHalfClosed: true, Application: l.application()})
			c := s.dial()
			send(t, c, get("/defer", "/defer"))
			send(t, c, strings.Repeat(get("/behind"), behind))
			_ = c.(*net.TCPConn).CloseWrite()
			d := l.take(t)
			elsewhere(t, s)
			if err := d.Answer(response("first")); err != nil {
				t.Fatal(err)
			}
			d = l.take(t)
			elsewhere(t, s)
			if err := d.Answer(response("second")); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(c)
			expectAnswers(t, in, "first", "second")
			for range behind {
				expectAnswers(t, in, "/behind")
			}
			if _, err := in.ReadByte(); err != io.EOF {
				t.Errorf("behind it %v, want the end", err)
			}

			c = s.dial()
			send(t, c, get("/defer"))
			d = l.take(t)
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
			done(t, d)
		})
	}
}

// TestDeferredWatcher: Left is for ends that the application has not made.
func TestDeferredWatcher(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(d app.Deferred)
		left int64
	}{
		"answer":   {func(d app.Deferred) { _ = d.Answer(response("x")) }, 0},
		"close":    {func(d app.Deferred) { _ = d.Start("200 OK", nil); _ = d.Close() }, 0},
		"abort":    {func(d app.Deferred) { d.Abort(nil) }, 0},
		"deadline": {func(d app.Deferred) { d.SetDeadline(time.Millisecond, response("x")) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLot()
			var o observer
			l.after = func(_ *app.Environ, d app.Deferred) { d.Watch(&o) }
			s := serve(t, server.Config{Loops: 1, Application: l.application()})
			conn := s.dial()
			send(t, conn, get("/defer"))
			d := l.take(t)
			c.end(d)
			receive(t, bufio.NewReader(conn))
			done(t, d)
			_ = conn.Close()
			elsewhere(t, s)
			if o.left.Load() != c.left || o.drained.Load() != 0 {
				t.Errorf("Left was called %d times, Drained %d times", o.left.Load(), o.drained.Load())
			}
		})
	}
}

// TestDeferredDrained: a producer that waits for Drained when there is too much has a bounded amount waiting, and loses nothing.
func TestDeferredDrained(t *testing.T) {
	const total = 32 << 20
	l := newLot()
	s := serve(t, server.Config{Loops: 1, Application: l.application()})
	c := s.dial()
	send(t, c, get("/defer", "/behind"))
	d := l.take(t)
	p := &producer{d: d, left: total}
	d.Watch(p)
	if err := d.Start("200 OK", nil); err != nil {
		t.Fatal(err)
	}
	d.Post(p.produce)
	until(t, "the producer to wait", func() bool { return p.waits.Load() > 0 })
	in := bufio.NewReader(c)
	response, content := receive(t, in)
	if len(content) != total || response.ContentLength != -1 {
		t.Errorf("received %d octets", len(content))
	}
	expectAnswers(t, in, "/behind")
	if most := p.most.Load(); most > 128<<10 {
		t.Errorf("%d octets were waiting", most)
	}
}

// producer writes on the loop until there is too much.
type producer struct {
	d           app.Deferred
	left        int
	most, waits atomic.Int64
}

func (p *producer) produce() {
	for p.left > 0 {
		chunk := make([]byte, min(p.left, 16<<10))
		p.left -= len(chunk)
		unsent, err := p.d.Write(chunk)
		if err != nil {
			return
		}
		p.most.Store(max(p.most.Load(), int64(unsent)))
		if unsent > 64<<10 {
			p.waits.Add(1)
			return
		}
	}
	_ = p.d.Close()
}

func (p *producer) Left()    {}
func (p *producer) Drained() { p.produce() }

// TestDeferredCallbacks: what is posted to a request's loop may block, panic or end its goroutine; the loop goes on.
func TestDeferredCallbacks(t *testing.T) {
	before := runtime.NumGoroutine()
	l := newLot()
	h := newHurdle(t)
	log := newRecord()
	s := serve(t, server.Config{Loops: 1, Application: l.application(), Logger: log.logger()})
	c, c2 := s.dial(), s.dial()
	send(t, c, get("/defer"))
	d := l.take(t)
	send(t, c2, get("/defer"))
	if d2 := l.take(t); d2.Executor() != d.Executor() {
		t.Error("executors of the same loop differ")
	}
	for _, f := range []func(){
		h.wait,
		func() { panic("in a callback") },
		runtime.Goexit,
		func() { h.wait(); panic("late") },
		func() { h.wait(); runtime.Goexit() },
	} {
		d.Post(f)
		elsewhere(t, s)
		d.Executor().After(time.Millisecond, f)
		elsewhere(t, s)
	}
	h.awaited(t, 6)
	elsewhere(t, s)
	h.open()
	until(t, "the log", func() bool {
		return strings.Count(log.String(), "in a callback") >= 2 && strings.Count(log.String(), "panic: late") >= 2
	})
	d.Post(func() { _ = d.Answer(response("answer")) })
	expectAnswers(t, bufio.NewReader(c), "answer")
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, before)
}

// TestDeferredShutdown: a request that waits is waited for, and its connection closed behind the answer; or it is cut off.
func TestDeferredShutdown(t *testing.T) {
	for way, wrap := range waysToDefer {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", way, late), func(t *testing.T) {
				before := runtime.NumGoroutine()
				l := newLot()
				s := serve(t, server.Config{Loops: 1, Application: paths{"/defer": wrap(l.deferring)}.application(), GracefulTimeout: -1})
				c := s.dial()
				send(t, c, get("/defer"))
				d := l.take(t)
				limit, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- s.Shutdown(limit) }()
				until(t, "the end of accepting", func() bool {
					c, err := net.Dial("tcp", s.Addresses()[0])
					if err == nil {
						_ = c.Close()
					}
					return err != nil
				})
				if late {
					cancel()
				} else {
					_ = d.Answer(response("answer"))
					if response, body := receive(t, bufio.NewReader(c)); body != "answer" || !response.Close {
						t.Errorf("received %q, the connection closes: %v", body, response.Close)
					}
					_ = c.Close()
				}
				if err := <-ended; late != (err != nil) {
					t.Errorf("Shutdown returned %v", err)
				}
				_ = c.Close() // a client that leaves before is not cut off
				done(t, d)
				_ = s.stop()
				noGoroutinesLeft(t, before)
			})
		}
	}
}
