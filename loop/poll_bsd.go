//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package loop

import (
	"golang.org/x/sys/unix"
)

// Connections are registered edge-triggered for both directions, once: a level-triggered kqueue registration cannot be
// paused through gnet's poller. Input that is announced while reading is paused is remembered (Conn.unread).
const edgeTriggered = true

// interest is whether input is wanted; the poller is not told.
type interest uint8

const (
	unregistered interest = iota // not in the poller: a connection in memory, or one that was accepted just now
	reading
	pausedInput
)

func (c *Conn) confirm(ev readiness) readiness { return ev }

// register adds the connection's descriptor to its loop's poller.
func (c *Conn) register() error {
	c.interest = reading
	if c.mustPause() {
		c.interest = pausedInput
	}
	return c.loop.poller.add(int(c.fd), forInput|forOutput|onChange)
}

// boundUnsent does nothing: the option is not inherited by accepted sockets on all of these systems.
func boundUnsent(int, int) error { return nil }

// deferAccept does nothing: accept filters are modules that a system may not have loaded.
func deferAccept(int, int) error { return nil }

func (c *Conn) paused() bool { return c.interest == pausedInput }

func (c *Conn) setInterest() {}

// watchOutput does nothing: loops are not taken over here.
func (c *Conn) watchOutput() {}

func (c *Conn) pauseReading() {
	if c.interest == reading {
		c.interest = pausedInput
	}
}

// resumeReading reads what came in meanwhile in a task of its own, because it may be called in the
// middle of a Handler's method.
func (c *Conn) resumeReading() {
	if c.interest != pausedInput || c.EndOfFile() {
		return
	}
	c.interest = reading
	if c.unread {
		c.unread = false
		c.loop.Post(func(any) {
			if c.state != closed && !c.paused() {
				c.read()
			}
		}, nil)
	}
}

// waker makes a loop's poller return: a pipe, level-triggered.
type waker struct{ r, w int }

func (w *waker) open(p *poller) error {
	w.r, w.w = -1, -1
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return err
	}
	w.r, w.w = fds[0], fds[1]
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return err
		}
	}
	return p.add(w.r, forInput)
}

func (w *waker) fd() int { return w.r }

func (w *waker) wake() { _, _ = unix.Write(w.w, []byte{1}) }

// reset tells whether it was woken.
func (w *waker) reset() (woken bool) {
	var buf [64]byte
	for {
		n, err := unix.Read(w.r, buf[:])
		woken = woken || n > 0
		if n < len(buf) || err != nil {
			return woken
		}
	}
}

func (w *waker) close() {
	_ = unix.Close(w.r)
	_ = unix.Close(w.w)
}
