package loop

import (
	"os"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// Connections are registered level-triggered: what one event leaves unread is announced again.
const edgeTriggered = false

// interest is what the poller watches a connection for.
type interest uint8

const (
	reading      interest = iota // level-triggered input
	readingAlso                  // and output
	pausedInput                  // edge-triggered output, end of file and errors: gnet's poller has no registration for nothing
	unregistered                 // not in the poller: a connection in memory, or one that was accepted just now
)

// isEnd tells of the end of the client's sending. Edge-triggered registrations announce it.
func isEnd(ev netpoll.IOEvent) bool { return ev&unix.EPOLLRDHUP != 0 }

func isHangup(ev netpoll.IOEvent) bool { return ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 }

// confirm asks again for an end that was announced: the event may be late, of a connection that had the same descriptor
// and was closed earlier in the poller's batch.
func (c *Conn) confirm(ev netpoll.IOEvent) netpoll.IOEvent {
	state := [1]unix.PollFd{{Fd: c.fd, Events: unix.POLLRDHUP}} // the bits are those of epoll
	if _, err := unix.Poll(state[:], 0); err != nil {
		return ev
	}
	return netpoll.IOEvent(state[0].Revents)
}

// register adds the connection's descriptor to its loop's poller.
func (c *Conn) register() error {
	pa := netpoll.PollAttachment{FD: int(c.fd)}
	switch {
	case c.mustPause():
		c.interest = pausedInput
		c.loop.paused[c] = struct{}{}
		return c.loop.poller.AddWrite(&pa, true)
	case c.out != nil:
		c.interest = readingAlso
		return c.loop.poller.AddReadWrite(&pa, false)
	}
	c.interest = reading
	return c.loop.poller.AddRead(&pa, false)
}

// deferAccept has the kernel hold a connection back until the client has sent something, a second at most: a request
// is there when its connection is accepted, and one event serves for both.
func deferAccept(fd, seconds int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds))
}

func (c *Conn) paused() bool { return c.interest == pausedInput }

// setInterest arms or disarms output. While reading is paused, it is armed always.
func (c *Conn) setInterest() {
	pa := netpoll.PollAttachment{FD: int(c.fd)}
	switch {
	case c.out != nil && c.interest == reading:
		c.interest = readingAlso
		c.check(c.loop.poller.ModReadWrite(&pa, false))
	case c.out == nil && c.interest == readingAlso:
		c.interest = reading
		c.check(c.loop.poller.ModRead(&pa, false))
	}
}

func (c *Conn) pauseReading() {
	if c.interest == pausedInput || c.interest == unregistered {
		return
	}
	c.interest = pausedInput
	c.loop.paused[c] = struct{}{}
	c.watchOutput()
}

// watchOutput registers a paused connection anew: what there is to tell of it is announced once more.
func (c *Conn) watchOutput() {
	c.check(c.loop.poller.Delete(int(c.fd)))
	c.check(c.loop.poller.AddWrite(&netpoll.PollAttachment{FD: int(c.fd)}, true))
}

func (c *Conn) resumeReading() {
	if c.interest != pausedInput || c.eof {
		return
	}
	delete(c.loop.paused, c)
	pa := netpoll.PollAttachment{FD: int(c.fd)}
	if c.out != nil {
		c.interest = readingAlso
		c.check(c.loop.poller.ModReadWrite(&pa, false))
	} else {
		c.interest = reading
		c.check(c.loop.poller.ModRead(&pa, false))
	}
}

// boundUnsent has the kernel take no more than n octets beyond what is on its way to a client. Accepted sockets inherit it. Without
// it a client that does not read is given megabytes of send buffer, which takes the loop milliseconds to fill.
func boundUnsent(fd, n int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n))
}

// check fails the connection when the poller refuses (out of memory, or of its limit of watches).
func (c *Conn) check(err error) {
	if err != nil {
		c.loop.log.Error("poller refused a connection", "error", err)
		c.fail()
	}
}

// waker makes a loop's poller return: an eventfd of our own, level-triggered. gnet's own wake-up is
// not used, it can be lost when a loop changes hands in the middle of a batch.
type waker struct{ efd int }

func (w *waker) open(p *netpoll.Poller) (err error) {
	if w.efd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	return p.AddRead(&netpoll.PollAttachment{FD: w.efd}, false)
}

func (w *waker) fd() int { return w.efd }

func (w *waker) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(w.efd, one[:])
}

// reset tells whether it was woken.
func (w *waker) reset() bool {
	var count [8]byte
	n, _ := unix.Read(w.efd, count[:])
	return n > 0
}

func (w *waker) close() { _ = unix.Close(w.efd) }
