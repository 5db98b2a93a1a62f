//go:build unix

package loop

import (
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// acceptBudget bounds how many connections are accepted before other events have their turn.
const acceptBudget = 32

// acceptPause is how long accepting rests when the process or the system is out of descriptors or memory.
const acceptPause = 100 * time.Millisecond

// acceptor is a listener's socket on one loop.
type acceptor struct {
	loop     *Loop
	fd       int
	listener *Listener
	troubled bool // accepting failed, and that was logged
}

// open registers the socket with the loop.
func (a *acceptor) open() {
	l := a.loop
	if l.reactor.draining.Load() {
		a.listener.close(a.fd)
		return
	}
	l.listeners[a.fd] = a
	a.watch()
}

func (a *acceptor) watch() {
	if err := a.loop.poller.AddRead(&netpoll.PollAttachment{FD: a.fd}, false); err != nil {
		a.loop.log.Error("cannot watch listener", "address", a.listener.String(), "error", err)
	}
}

// remove stops accepting and closes the socket.
func (a *acceptor) remove() {
	delete(a.loop.listeners, a.fd)
	_ = a.loop.poller.Delete(a.fd)
	a.listener.close(a.fd)
}

// accept takes connections that are waiting.
func (a *acceptor) accept() {
	for range acceptBudget {
		fd, remote, err := acceptSocket(a.fd)
		switch err {
		case nil:
			a.troubled = false
			a.hand(fd, remote)
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO:
			// the client was quicker
		default:
			a.rest(err)
			return
		}
	}
}

// rest pauses accepting: out of descriptors or memory, the listener stays readable and the loop would spin.
func (a *acceptor) rest(err error) {
	if !a.troubled {
		a.troubled = true
		a.loop.log.Error("accept failed, trying again until it works", "address", a.listener.String(), "error", err)
	}
	if err := a.loop.poller.Delete(a.fd); err != nil {
		a.loop.log.Error("cannot pause listener", "address", a.listener.String(), "error", err)
	}
	a.loop.After(acceptPause, func() {
		if a.loop.listeners[a.fd] == a {
			a.watch()
		}
	})
}

// hand gives a new socket to its loop.
func (a *acceptor) hand(fd int, remote address) {
	r := a.loop.reactor
	if !a.listener.distribute {
		a.loop.adopt(fd, remote, a.listener)
		return
	}
	l := r.loops[int(r.next.Add(1))%len(r.loops)]
	if l == a.loop {
		l.adopt(fd, remote, a.listener)
		return
	}
	l.Post(func(any) { l.adopt(fd, remote, a.listener) }, nil)
}

// adopt makes a connection of an accepted socket.
func (l *Loop) adopt(fd int, remote address, ln *Listener) {
	h := ln.newHandler(l)
	c := h.base()
	c.loop, c.handler, c.listener = l, h, ln
	c.fd, c.remote = int32(fd), remote
	if err := c.register(); err != nil {
		l.log.Error("cannot watch connection", "error", err)
		closeSocket(fd)
		return
	}
	l.open.Add(1)
	l.conns.set(fd, c)
	h.Opened()
	if l.deaf.Load() && c.state == open {
		h.Shutdown()
	}
}
