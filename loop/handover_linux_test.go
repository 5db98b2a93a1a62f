package loop

import (
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// caller is a Caller that counts how often it is told that its loop is gone.
type caller struct {
	taken func()
	times atomic.Int32
}

func (c *caller) TakenOver() {
	c.times.Add(1)
	if c.taken != nil {
		c.taken()
	}
}

// newWatched returns a reactor whose calls are watched; it is stopped with the test, and must not log.
func newWatched(t *testing.T, loops, maxAway int) *Reactor {
	t.Helper()
	j := &journal{}
	r, err := New(Options{Loops: loops, MaxAway: maxAway, Logger: slog.New(j)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Stop()
		for _, line := range j.all() {
			t.Errorf("logged: %s", line)
		}
	})
	return r
}

// gate returns a channel that open closes, and the end of the test at the latest: a loop that waits for it cannot be stopped.
func gate(t *testing.T) (release chan struct{}, open func()) {
	release = make(chan struct{})
	open = sync.OnceFunc(func() { close(release) })
	t.Cleanup(open)
	return release, open
}

// call is a call into an application which waits for release. It ends the goroutine when that has lost its loop, as a
// Handler must.
func call(l *Loop, c Caller, release <-chan struct{}) {
	n := l.Enter(c)
	<-release
	if !l.Leave(n) {
		l.Depart()
	}
}

// blocking makes a Handler's Data that calls an application which waits for release, when it gets "b", and answers with what it gets
// otherwise. The rest of the input behind the "b" waits for its turn, as the requests of a pipeline do.
func blocking(release <-chan struct{}, callers chan<- *caller) func(p *peer, in []byte) int {
	return func(p *peer, in []byte) int {
		for i, octet := range in {
			if octet != 'b' {
				p.Write(in[i : i+1])
				continue
			}
			rest := in[i+1:]
			c := &caller{taken: func() { p.Interrupted(len(rest)) }}
			n := p.Loop().Enter(c)
			if callers != nil {
				callers <- c
			}
			<-release
			l := p.Loop()
			if !l.Leave(n) {
				l.Post(func(any) { p.Write([]byte("B")); p.Release() }, nil)
				l.Depart()
			}
			p.Write([]byte("B"))
		}
		return len(in)
	}
}

// A call that blocks costs its connection time, and no other one: those of the loop, those that come meanwhile, posted
// functions and timers go on. What was written before it leaves, and what came behind it waits.
func TestHandover(t *testing.T) {
	r := newWatched(t, 1, 10)
	release, open := gate(t)
	ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{data: blocking(release, nil)})
	before, blocked := dial(t, ln), dial(t, ln)
	send(t, before, []byte("x"))
	expect(t, before, "x")
	goroutines := runtime.NumGoroutine()

	send(t, blocked, []byte("12b34"))
	expect(t, blocked, "12")
	after := dial(t, ln)
	for range 10 {
		send(t, before, []byte("y"))
		expect(t, before, "y")
		send(t, after, []byte("z"))
		expect(t, after, "z")
	}
	l := r.Loops()[0]
	rounds(t, l)
	timer := make(chan struct{})
	on(t, l, func() { l.After(time.Millisecond, func() { close(timer) }) })
	receive(t, timer, "timer")
	if r.Takeovers() == 0 || r.Away() != 1 {
		t.Errorf("%d take-overs, %d calls away", r.Takeovers(), r.Away())
	}
	open()
	expect(t, blocked, "B34")
	eventually(t, "the goroutine ends", func() bool { return r.Away() == 0 && runtime.NumGoroutine() <= goroutines })
	send(t, blocked, []byte("b5"))
	expect(t, blocked, "B5")
}

// The first request of a connection that was accepted just now may block: the poller learns of the connection all the same.
func TestHandoverAtAccept(t *testing.T) {
	for _, behind := range []int{0, 10, 2 * holdSize} {
		r := newWatched(t, 1, 10)
		release, open := gate(t)
		ln := serve(t, r, "127.0.0.1:0", ListenOptions{DeferAccept: true}, hooks{data: blocking(release, nil)})
		c := dial(t, ln)
		send(t, c, append([]byte("b"), make([]byte, behind)...))
		eventually(t, "a take-over", func() bool { return r.Away() == 1 })
		other := dial(t, ln)
		send(t, other, []byte("x"))
		expect(t, other, "x")
		open()
		expect(t, c, "B"+string(make([]byte, behind)))
		send(t, c, []byte("y"))
		expect(t, c, "y")
	}
}

// A client that vanishes while its call blocks is noticed, behind what it has sent too.
func TestHandoverVanishing(t *testing.T) {
	for _, behind := range []int{0, 10, holdSize, ReadSize + 10} {
		r := newWatched(t, 1, 10)
		release, open := gate(t)
		reasons := make(chan Reason, 1)
		ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{
			data:   blocking(release, nil),
			closed: func(_ *peer, reason Reason) { reasons <- reason },
		})
		c := dial(t, ln)
		send(t, c, append([]byte("b"), make([]byte, behind)...))
		eventually(t, "a take-over", func() bool { return r.Away() == 1 })
		reset(c)
		if reason := receive(t, reasons, "end"); reason != ReasonReset {
			t.Errorf("closed: %v", reason)
		}
		open()
	}
}

// A paused connection is registered edge-triggered: that its client takes output again may have been announced to
// the goroutine that blocks, in the same batch of events. It is announced again.
func TestHandoverLooksAgain(t *testing.T) {
	r := newWatched(t, 1, 10)
	release, open := gate(t)
	const size = 16 << 20
	block := blocking(release, nil)
	ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{data: func(p *peer, in []byte) int {
		if in[0] != 'm' {
			return block(p, in)
		}
		p.Write(make([]byte, size))
		p.Hold()
		return len(in)
	}})
	l := r.Loops()[0]
	much, blocked := dial(t, ln), dial(t, ln)
	send(t, much, []byte("m"))
	fill(t, much, make([]byte, 2*size)) // the connection pauses
	// While the loop is busy, both become ready: one batch has both events.
	entered, goOn := make(chan struct{}), make(chan struct{})
	l.Post(func(any) { close(entered); <-goOn }, nil)
	receive(t, entered, "turn of the loop")
	send(t, blocked, []byte("b"))
	expect(t, much, string(make([]byte, ReadSize)))
	close(goOn)
	expect(t, much, string(make([]byte, size-ReadSize)))
	open()
	expect(t, blocked, "B")
}

// A posted function may block too, and those behind it run.
func TestHandoverPosted(t *testing.T) {
	r := newWatched(t, 1, 10)
	r.Start()
	l := r.Loops()[0]
	release, open := gate(t)
	c := &caller{}
	l.Post(func(any) { call(l, c, release) }, nil)
	rounds(t, l)
	open()
	eventually(t, "the goroutine ends", func() bool { return r.Away() == 0 })
	if c.times.Load() != 1 || r.Takeovers() != 1 {
		t.Errorf("taken over %d times, %d in all", c.times.Load(), r.Takeovers())
	}
}

// Calls that are not the same one at two looks keep their loop, however long all of them take together.
func TestHandoverOfNoneThatReturns(t *testing.T) {
	r := newWatched(t, 1, 10)
	r.Start()
	l := r.Loops()[0]
	c := &caller{}
	done := make(chan struct{})
	l.Post(func(any) {
		defer close(done)
		for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
			if n := l.Enter(c); !l.Leave(n) {
				l.Depart() // this machine was busy elsewhere for a millisecond
			}
		}
	}, nil)
	receive(t, done, "end of the calls")
	if c.times.Load() > 10 {
		t.Errorf("taken over %d times", c.times.Load())
	}
}

// In the middle of a long event, a call that blocks is noticed although the clock had gone to rest.
func TestHandoverLateInAnEvent(t *testing.T) {
	r := newWatched(t, 1, 10)
	r.Start()
	l := r.Loops()[0]
	release, open := gate(t)
	l.Post(func(any) {
		for r.clock.now.Load() != 0 { // nothing has happened for a while, as it sees it
			time.Sleep(time.Millisecond)
		}
		call(l, &caller{}, release)
	}, nil)
	rounds(t, l)
	open()
}

// At most MaxAway calls lose their loop; the next one stops it until one of them returns.
func TestHandoverLimit(t *testing.T) {
	r := newWatched(t, 2, 1)
	r.Start()
	first, openFirst := gate(t)
	second, openSecond := gate(t)
	l, other := r.Loops()[0], r.Loops()[1]
	l.Post(func(any) { call(l, &caller{}, first) }, nil)
	rounds(t, l)
	other.Post(func(any) { call(other, &caller{}, second) }, nil)
	ran := make(chan struct{})
	other.Post(func(any) { close(ran) }, nil)
	time.Sleep(20 * time.Millisecond)
	none(t, ran, "the loop went on beyond the limit")
	openFirst()
	receive(t, ran, "place for another call")
	openSecond()
	eventually(t, "the goroutines end", func() bool { return r.Away() == 0 })
}

// Without MaxAway calls are not watched: the loop waits.
func TestHandoverOff(t *testing.T) {
	r := newWatched(t, 1, 0)
	r.Start()
	l := r.Loops()[0]
	release, open := gate(t)
	ran := make(chan struct{})
	c := &caller{}
	l.Post(func(any) { call(l, c, release) }, nil)
	l.Post(func(any) { close(ran) }, nil)
	time.Sleep(20 * time.Millisecond)
	none(t, ran, "the loop went on")
	open()
	receive(t, ran, "turn of the loop")
	if r.Takeovers() != 0 || c.times.Load() != 0 {
		t.Error("a take-over")
	}
}

// A goroutine that is about to end gives its loop away, watched or not.
func TestAbandon(t *testing.T) {
	for _, maxAway := range []int{0, 10} {
		r := newWatched(t, 1, maxAway)
		r.Start()
		l := r.Loops()[0]
		c := &caller{}
		l.Post(func(any) { l.Abandon(c); l.Depart() }, nil)
		rounds(t, l)
		eventually(t, "the old goroutine ends", func() bool { return r.Away() == 0 })
		if n := c.times.Load(); n != 1 {
			t.Errorf("taken over %d times", n)
		}
	}
}

// A loop whose call blocks stops, before the call returns.
func TestHandoverStop(t *testing.T) {
	for range 20 {
		r := newWatched(t, 1, 10)
		r.Start()
		l := r.Loops()[0]
		release, open := gate(t)
		entered := make(chan struct{})
		l.Post(func(any) { close(entered); call(l, &caller{}, release) }, nil)
		receive(t, entered, "call")
		stopped := make(chan struct{})
		go func() { r.Stop(); close(stopped) }()
		receive(t, stopped, "end of Stop")
		open()
		eventually(t, "the goroutine ends", func() bool { return r.Away() == 0 })
	}
}

// The clock of a watched reactor rests when nothing happens, and wakes for the next event.
func TestHandoverClockRests(t *testing.T) {
	r := newWatched(t, 1, 10)
	ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{})
	c := dial(t, ln)
	for range 3 {
		send(t, c, []byte("x"))
		expect(t, c, "x")
		// It rests when it tells no time: the next look is at an alarm, and there is none.
		eventually(t, "the clock rests", func() bool { return r.clock.now.Load() == 0 && r.clock.target.Load() > int64(time.Hour) })
	}
}
