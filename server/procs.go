package server

import (
	"runtime"
	"sync"
	"time"
)

// procs raises GOMAXPROCS while the application blocks, and lowers it again. An application that computes keeps one of these
// places, and the loops need theirs to go on. They are not there all the time because an idle place costs: each time that a
// loop finds nothing to do, the runtime wakes a thread that looks for work for it, some 8 % of a small request.
type procs struct {
	base, spare int

	mu     sync.Mutex
	calls  int       // that have blocked since began
	began  time.Time // of the second in which calls are counted
	last   time.Time // when one blocked
	raised bool
	closed bool
}

// GOMAXPROCS is raised when so many calls have blocked within a second, and lowered when none has for quietTime.
const (
	busyCalls = 4
	quietTime = 10 * time.Second
)

// blocked notes a call that has blocked for long. Any goroutine may call it.
func (p *procs) blocked() {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = now
	if p.raised || p.closed {
		return
	}
	if now.Sub(p.began) > time.Second {
		p.calls, p.began = 0, now
	}
	if p.calls++; p.calls >= busyCalls {
		p.raised = true
		p.base = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(p.base + p.spare)
		time.AfterFunc(quietTime, p.lower)
	}
}

// lower takes the places back when no call has blocked for a while.
func (p *procs) lower() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := quietTime - time.Since(p.last); wait > 0 && !p.closed {
		time.AfterFunc(wait, p.lower)
		return
	}
	p.restore()
}

// restore lowers GOMAXPROCS if it was raised. p.mu is held.
func (p *procs) restore() {
	if p.raised {
		p.raised = false
		runtime.GOMAXPROCS(p.base)
	}
}

// close is the end.
func (p *procs) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.restore()
}
