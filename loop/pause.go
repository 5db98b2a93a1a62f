//go:build unix

package loop

// Pause has the loops accept nothing more until Resume, and every connection finish what it is at, as Shutdown has it; but it does not wait, and
// listeners stay open: who connects waits in their queues.
func (r *Reactor) Pause() {
	r.farewell.Store(r.drainIdle.Load())
	for _, l := range r.loops {
		l.Post(func(any) { l.pause() }, nil)
	}
}

// Resume has the loops accept again.
func (r *Reactor) Resume() {
	for _, l := range r.loops {
		l.Post(func(any) { l.resume() }, nil)
	}
}

func (l *Loop) pause() {
	for _, a := range l.listeners {
		if !a.suspended && !a.resting {
			_ = l.poller.remove(a.fd)
		}
		a.suspended = true
	}
	l.Each(func(c *Conn) { l.Post(shutdownConn, c) })
}

func (l *Loop) resume() {
	for _, a := range l.listeners {
		if !a.suspended {
			continue
		}
		a.suspended = false
		if !a.resting {
			a.begin()
		}
	}
}

// begin has the acceptor hear of connections, those that are waiting too.
func (a *acceptor) begin() {
	a.watch()
	if edgeTriggered {
		a.ready()
	}
}
