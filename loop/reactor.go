//go:build unix

package loop

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Reactor.
type Options struct {
	// Loops is the number of event loops, one goroutine each. It must be positive.
	Loops int
	// WriteTimeout is how long a client may take no output while there is some for it; 0: for ever.
	WriteTimeout time.Duration
	// MaxConnections is how many connections may be open before accepting pauses; 0: no limit.
	MaxConnections int
	// MaxAway is how many calls into application code may have lost their loop at a time (Loop.Enter); beyond it a
	// call that blocks stops its loop. 0: calls are not watched at all.
	MaxAway int
	// SlowCalls is told when calls keep all the places that GOMAXPROCS has, now and then while that is so; nil: nobody is. It must not block.
	SlowCalls func()
	// MaxPerAddress is how many of them may be one client address's; those beyond it are OverLimit. 0: no limit.
	MaxPerAddress int
	// DrainIdle is how long idle connections may go on during Shutdown, at most half of the time that there is for it; 0: not at all.
	DrainIdle time.Duration
	// GatherMemory bounds the memory of buffers that gather input (Conn.Gather), in octets; 0: none is gathered.
	GatherMemory int64
	// Logger is told what goes wrong; nil: slog.Default.
	Logger *slog.Logger
}

// Reactor is a set of event loops and what they share: the clock and the listeners. Its methods are safe for
// use by any goroutine.
type Reactor struct {
	log            *slog.Logger
	loops          []*Loop
	clock          *clock
	next           atomic.Uint32 // round robin over loops
	draining       atomic.Bool
	drainIdle      atomic.Int64 // nanoseconds
	farewell       atomic.Int64 // nanoseconds
	writeTimeout   atomic.Int64 // nanoseconds
	maxConnections atomic.Int64
	gathering      budget
	maxAway        int64
	slowCalls      func()
	away           atomic.Int64
	alone          bool // one goroutine runs at a time
	takeovers      atomic.Uint64
	clients        *clients // nil: not limited
	strays         strays
	left           chan struct{} // a connection was closed while draining
	stopped        chan struct{} // closed when Stop is over

	mu       sync.Mutex
	started  bool // guarded by mu
	stopping bool // guarded by mu
}

// New opens the loops' pollers. Nothing runs before Start.
func New(o Options) (*Reactor, error) {
	if o.Loops < 1 {
		return nil, fmt.Errorf("loop: %d loops: at least 1 is needed", o.Loops)
	}
	r := &Reactor{
		log:       o.Logger,
		maxAway:   int64(o.MaxAway),
		slowCalls: o.SlowCalls,
		left:      make(chan struct{}, 1),
		stopped:   make(chan struct{}),
		alone:     runtime.GOMAXPROCS(0) == 1,
	}
	if o.MaxPerAddress > 0 {
		r.clients = &clients{open: make(map[address]int)}
	}
	r.Reload(o)
	if r.log == nil {
		r.log = slog.Default()
	}
	for i := range o.Loops {
		l := newLoop(r, i)
		var err error
		if l.poller, err = openPoller(r.log); err == nil {
			r.loops = append(r.loops, l)
			err = l.waker.open(l.poller)
		}
		if err != nil {
			r.Stop()
			return nil, fmt.Errorf("loop: %w", err)
		}
	}
	r.clock = newClock(r.loops)
	// An edge-triggered poller does not announce again what the old owner of a loop has left of its events.
	if r.maxAway > 0 && !edgeTriggered {
		for _, l := range r.loops {
			l.clock = &r.clock.now
		}
	}
	return r, nil
}

// Reload has other limits count from now on: WriteTimeout, MaxConnections, GatherMemory and DrainIdle, and MaxPerAddress if there was a limit before and is one
// still. The other options stay what they are.
func (r *Reactor) Reload(o Options) {
	r.writeTimeout.Store(int64(o.WriteTimeout))
	r.maxConnections.Store(int64(o.MaxConnections))
	r.gathering.most.Store(o.GatherMemory)
	r.drainIdle.Store(int64(o.DrainIdle))
	if r.clients != nil && o.MaxPerAddress > 0 {
		r.clients.setMax(o.MaxPerAddress)
	}
}

// Loops returns the loops.
func (r *Reactor) Loops() []*Loop { return r.loops }

// Start runs the loops, each on a goroutine.
func (r *Reactor) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started && !r.stopping {
		r.started = true
		go r.clock.run()
		for _, l := range r.loops {
			go l.run()
		}
	}
}

// Listen has the loops accept from ln. newHandler makes the handler of a connection, on the loop that it
// will belong to. The reactor closes ln when it stops accepting.
func (r *Reactor) Listen(ln *Listener, newHandler func(*Loop) Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		ln.Close()
		return
	}
	ln.newHandler = newHandler
	ln.distribute = len(ln.fds) < len(r.loops)
	for i, fd := range ln.fds {
		l := r.loops[i%len(r.loops)]
		a := &acceptor{loop: l, fd: fd, listener: ln}
		l.Post(openAcceptor, a)
	}
}

func openAcceptor(a any) { a.(*acceptor).open() }

// Connections is how many connections are open.
func (r *Reactor) Connections() int {
	n := int64(0)
	for _, l := range r.loops {
		n += l.open.Load()
	}
	return int(n)
}

// Shutdown stops accepting, has every connection finish what it is at, and waits until all are
// closed or ctx ends; then it stops the loops. The error is ctx's when connections had to be cut off.
func (r *Reactor) Shutdown(ctx context.Context) error {
	defer r.Stop()
	farewell := time.Duration(r.drainIdle.Load())
	if end, ok := ctx.Deadline(); ok {
		farewell = max(0, min(farewell, time.Until(end)/2))
	}
	r.farewell.Store(int64(farewell))
	r.draining.Store(true)
	r.mu.Lock()
	started := r.started
	r.mu.Unlock()
	if !started {
		return nil
	}
	for _, l := range r.loops {
		l.Post(func(any) { l.shutdown() }, nil)
	}
	// A loop may have become deaf after its last connection was closed: look again now and then.
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !r.drained() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.stopped:
			return nil
		case <-r.left:
		case <-again.C:
		}
	}
	return nil
}

func (r *Reactor) drained() bool {
	for _, l := range r.loops {
		if !l.deaf.Load() {
			return false
		}
	}
	return r.Connections() == 0
}

// Stop ends the loops and closes all that is open, and waits for it. What was posted and did not run yet does not run.
func (r *Reactor) Stop() {
	r.mu.Lock()
	started, stopping := r.started, r.stopping
	r.stopping = true
	r.mu.Unlock()
	if stopping {
		<-r.stopped
		return
	}
	defer close(r.stopped)
	for _, l := range r.loops {
		if started {
			l.Post(func(any) { l.stopped = true }, nil)
		} else {
			l.closeAll()
		}
	}
	if started { // until then the clock frees loops from calls that block
		for _, l := range r.loops {
			<-l.exited
		}
		r.clock.close()
	}
	// Only now does no loop hand sockets to another any more.
	for _, l := range r.loops {
		l.discard()
	}
	r.strays.closeAll()
}

// shutdown is the loop's part of Shutdown.
func (l *Loop) shutdown() {
	// Each in a task of its own: applications are called, and one that blocks takes the rest of the task with it. Who finds that connecting is refused
	// finds all told.
	l.ending = true
	l.Each(func(c *Conn) { l.Post(shutdownConn, c) })
	for _, a := range l.listeners {
		// Those whose handshake the kernel has completed already; closing would reset them.
		for n := 0; n < acceptLast && !a.listener.left.Load() && a.accept(); n++ {
		}
		a.remove()
	}
	l.deaf.Store(true)
}

// closed takes note of a connection's end.
func (l *Loop) closed() {
	l.open.Add(-1)
	if l.reactor.draining.Load() {
		select {
		case l.reactor.left <- struct{}{}:
		default:
		}
	}
}
