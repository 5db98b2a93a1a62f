//go:build unix

package loop

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// handover is a loop's part of moving on without a call into application code that blocks.
//
// The goroutine that runs the loop makes such a call between Enter and Leave. When the clock finds the same call running
// at two looks in a row, it takes the loop from the goroutine: a fresh one, with fresh buffers, goes on with the loop. The
// old one keeps its input buffer, for the views that the application has; when the call returns, Leave tells it that
// the loop is no longer its own. It then works as any goroutine, and ends with Depart, which never
// returns: what the frames below it had left to do is not done, or by the new owner.
//
//	Enter, Leave, Abandon   the goroutine that runs the loop
//	watch                   the clock's
//	takeOver, resume        the new owner
//	Depart                  the old one
type handover struct {
	epoch  atomic.Uint64 // odd while a call runs
	clock  *atomic.Int64 // the clock's time, 0 while it rests; nil: calls are not watched
	seen   uint64        // epoch when the clock looked last; the clock's own
	caller Caller        // of the call that runs; the owner's, by epoch
	taking sync.Mutex    // held from when the loop is taken until the caller knows
}

// Caller makes calls into application code on a loop.
type Caller = interface {
	// TakenOver is called on the loop, by its new owner, before Leave returns false to the old one, while the application
	// is still running. What the application works with must not be touched.
	TakenOver()
}

// Enter begins a call into application code, which may block or compute for long. Until Leave nothing of the loop
// may be used. c may be nil.
func (l *Loop) Enter(c Caller) (call uint64) {
	if l.clock == nil {
		return 0
	}
	if l.caller != c { // a pipeline's is the same one
		l.caller = c
	}
	call = l.epoch.Add(1)
	if l.clock.Load() == 0 { // it rests, in the middle of a long event
		l.reactor.clock.wake()
	}
	return call
}

// Leave ends the call. It is false when the loop has been taken over: the goroutine must not use it any more, and
// finally has to call Depart.
func (l *Loop) Leave(call uint64) bool {
	if call == 0 || l.epoch.CompareAndSwap(call, call+1) {
		return true
	}
	l.taking.Lock() // until TakenOver has returned
	defer l.taking.Unlock()
	return false
}

// Abandon gives the loop away because the goroutine that owns it is about to end. As after Leave, TakenOver
// was called and Depart is due.
func (l *Loop) Abandon(c Caller) {
	l.taking.Lock()
	l.caller = c
	l.reactor.away.Add(1)
	go l.takeOver()
	l.taking.Lock() // until TakenOver has returned
	defer l.taking.Unlock()
}

// Depart ends a goroutine that its loop was taken from.
func (l *Loop) Depart() {
	l.reactor.away.Add(-1)
	runtime.Goexit()
}

// watches tells whether calls are watched.
func (l *Loop) watches() bool { return l.clock != nil }

// lateTime is how late the clock must be to conclude something from it, in nanoseconds.
const lateTime = 5e6

// watch takes the loop over if its call is that of the look before, which was so many nanoseconds ago. It tells whether a call is running.
//
// Where applications compute in all the places that GOMAXPROCS has, the clock does not get to run in time: it finds
// that few calls were made since, and says so.
func (l *Loop) watch(elapsed int64) (busy bool) {
	call := l.epoch.Load()
	if slow := l.reactor.slowCalls; slow != nil && call&1 == 1 && elapsed > lateTime && int64(call-l.seen)/2 <= elapsed/lateTime {
		slow()
	}
	if call != l.seen || call&1 == 0 {
		l.seen = call
		return call&1 == 1
	}
	r := l.reactor
	if r.away.Load() >= r.maxAway {
		return true
	}
	l.taking.Lock()
	if !l.epoch.CompareAndSwap(call, call+1) {
		l.taking.Unlock()
		return false
	}
	r.away.Add(1)
	r.takeovers.Add(1)
	go l.takeOver()
	return false
}

// takeOver goes on with the loop on a fresh goroutine.
func (l *Loop) takeOver() {
	l.turn = &turn{in: make([]byte, ReadSize), batch: l.turn.batch, batchOf: l.turn.batchOf}
	l.now = l.reactor.clock.time(l)
	if l.caller != nil {
		l.caller.TakenOver()
		l.caller = nil // it, and the request that it is about, would live until the next call
	}
	l.taking.Unlock()
	l.lookAgain()
	l.settle()
	if l.reactor.draining.Load() && !l.deaf.Load() {
		l.shutdown() // it may have been in the middle of it
	}
	l.run()
}

// lookAgain has the poller announce once more what it has announced of edge-triggered connections: the old owner may have had
// it in its events. Those are the paused ones.
func (l *Loop) lookAgain() {
	for c := range l.paused {
		c.watchOutput()
	}
}

// Takeovers is how many calls have lost their loop so far, Away how many of these have not returned.
func (r *Reactor) Takeovers() uint64 { return r.takeovers.Load() }

// Away is how many calls that have lost their loop are still running.
func (r *Reactor) Away() int { return int(r.away.Load()) }

// Interrupted is for a Caller that was called inside Data, from TakenOver: Data will not return. It would have left so many octets
// unconsumed; input is held. The views that Data gave out stay valid.
func (c *Conn) Interrupted(left int) {
	rest := c.loop.delivered
	rest = rest[len(rest)-left:]
	c.in, c.loop.viewed = nil, nil // it is the old owner's now
	if len(rest) > 0 {
		c.in = newInput(max(holdSize, len(rest)))
		c.in.data = append(c.in.data, rest...)
	}
	c.held = true
	switch {
	case c.memory() != nil || c.state == closed:
	case c.interest == unregistered: // it was just accepted
		c.watch()
	case len(rest) >= holdSize:
		c.pauseReading()
	}
}
