//go:build unix

package loop

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// acceptBudget bounds how many connections are accepted before other events have their turn.
const acceptBudget = 32

// acceptPause is how long accepting rests when the process or the system is out of descriptors or memory.
const acceptPause = 100 * time.Millisecond

// acceptLast bounds how often the budget is spent when accepting ends: more than a backlog holds.
const acceptLast = 128

// errTooMany is why accepting rests at Options.MaxConnections.
var errTooMany = errors.New("as many connections are open as may be")

// acceptor is a listener's socket on one loop.
type acceptor struct {
	loop     *Loop
	fd       int
	listener *Listener
	troubled bool // accepting failed, and that was logged; until all that waited are accepted
	resting  bool
	// suspended: Reactor.Pause
	suspended bool
}

// open registers the socket with the loop.
func (a *acceptor) open() {
	l := a.loop
	if l.ending { // who has connected before shutdown is served
		a.listener.close(a.fd)
		return
	}
	l.listeners[a.fd] = a
	a.watch()
}

// discard closes the socket of an acceptor that its loop has not opened.
func (a *acceptor) discard() { a.listener.close(a.fd) }

func (a *acceptor) watch() {
	if err := a.loop.poller.add(a.fd, forConnections); err != nil {
		a.loop.log.Error("cannot watch listener", "address", a.listener.String(), "error", err)
	}
}

// remove stops accepting and closes the socket.
func (a *acceptor) remove() {
	delete(a.loop.listeners, a.fd)
	_ = a.loop.poller.remove(a.fd)
	a.listener.close(a.fd)
}

// ready handles a readiness event. An edge-triggered poller does not announce again what the budget left.
func (a *acceptor) ready() {
	if a.loop.listeners[a.fd] == a && !a.suspended && a.accept() && edgeTriggered {
		a.loop.Post(func(any) { a.ready() }, nil)
	}
}

// accept takes connections that are waiting. It tells whether there may be more.
func (a *acceptor) accept() (more bool) {
	for range acceptBudget {
		if most := int(a.loop.reactor.maxConnections.Load()); most > 0 && a.loop.reactor.Connections() >= most {
			a.rest(errTooMany)
			return false
		}
		fd, remote, err := acceptSocket(a.fd)
		switch err {
		case nil:
			a.hand(fd, remote)
		case unix.EAGAIN:
			a.troubled = false
			return false
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO:
			// the client was quicker
		default:
			a.rest(err)
			return false
		}
	}
	return true
}

// rest pauses accepting: out of descriptors or memory, the listener stays readable and the loop would spin.
func (a *acceptor) rest(err error) {
	if !a.troubled {
		a.troubled = true
		a.loop.log.Error("accept failed, trying again until it works", "address", a.listener.String(), "error", err)
	}
	if a.resting {
		return
	}
	a.resting = true
	if err := a.loop.poller.remove(a.fd); err != nil {
		a.loop.log.Error("cannot pause listener", "address", a.listener.String(), "error", err)
	}
	a.loop.After(acceptPause, func() {
		a.resting = false
		if a.loop.listeners[a.fd] == a && !a.suspended {
			a.begin()
		}
	})
}

// hand gives a new socket to its loop. It is counted from here on, so that Shutdown waits for it.
func (a *acceptor) hand(fd int, remote address) {
	l := a.loop
	if r := l.reactor; a.listener.distribute {
		l = r.loops[r.next.Add(1)%uint32(len(r.loops))]
	}
	l.open.Add(1)
	if l == a.loop {
		l.adopt(fd, remote, a.listener)
		return
	}
	p := arrivals.Get().(*arrival)
	*p = arrival{l, fd, remote, a.listener}
	l.Post(arrive, p)
}

// arrival is a socket on its way from the loop that accepted it to the one that it will belong to.
type arrival struct {
	loop     *Loop
	fd       int
	remote   address
	listener *Listener
}

var arrivals = sync.Pool{New: func() any { return new(arrival) }}

func arrive(p any) {
	a := *p.(*arrival)
	arrivals.Put(p)
	a.loop.adopt(a.fd, a.remote, a.listener)
}

// discard closes a socket whose loop has ended.
func (a *arrival) discard() {
	closeSocket(a.fd)
	a.loop.open.Add(-1)
}

// adopt makes a connection of an accepted socket. What the client has sent already is read before the poller is told: many
// connections carry one request, and are closed again without the poller ever having known them.
func (l *Loop) adopt(fd int, remote address, ln *Listener) {
	l.counters.Accepted++
	h := ln.newHandler(l)
	c := h.base()
	c.loop, c.handler, c.listener = l, h, ln
	c.fd, c.remote, c.interest = int32(fd), remote, unregistered
	l.conns.set(fd, c)
	if r := l.reactor; r.clients != nil {
		c.overLimit = !r.clients.enter(remote)
	}
	h.Opened()
	if c.state != closed {
		c.read()
		l.settle()
	}
	if c = l.conns.get(fd); c != nil && c.interest == unregistered { // another one, after Become
		c.watch()
	}
}

// watch tells the poller of a new connection.
func (c *Conn) watch() {
	if err := c.register(); err != nil {
		c.loop.log.Error("cannot watch connection", "error", err)
		c.close(ReasonReset)
		return
	}
	if c.loop.ending && c.state == open {
		c.loop.Post(shutdownConn, c)
	}
}
