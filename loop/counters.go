//go:build unix

package loop

import "sync/atomic"

// Counters is what a loop has counted. They are plain memory of the loop, so that counting costs an addition.
type Counters struct {
	// Received and Sent are octets of the connections' sockets, encrypted ones where there is a layer.
	Received, Sent uint64
	// Accepted is how many connections the loop was given, Closed how many have ended, by reason.
	Accepted uint64
	Closed   [Reasons]uint64
	// Closing is how many connections are open that take no more input: output is drained, or the client's end awaited.
	Closing int
}

// Counters returns what the loop has counted.
func (l *Loop) Counters() Counters { return l.counters }

// Open is how many connections the loop has, those on their way to it too. Any goroutine may call it.
func (l *Loop) Open() int { return int(l.open.Load()) }

// DetachedCounters is what was counted of connections that have left their loops.
type DetachedCounters struct {
	Received, Sent uint64 // octets
	Open           int
	Closed         uint64
}

// Detached returns what was counted of connections that have left their loops.
func (r *Reactor) Detached() DetachedCounters {
	s := &r.strays
	s.mu.Lock()
	n := len(s.open)
	s.mu.Unlock()
	return DetachedCounters{s.received.Load(), s.sent.Load(), n, s.closed.Load()}
}

// strayCounters are any goroutine's.
type strayCounters struct{ received, sent, closed atomic.Uint64 }

// Write implements net.Conn.
func (d *Detached) Write(p []byte) (int, error) {
	n, err := d.Conn.Write(p)
	d.loop.reactor.strays.sent.Add(uint64(n))
	return n, err
}
