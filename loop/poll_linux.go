package loop

import (
	"os"

	"golang.org/x/sys/unix"
)

// Connections are registered level-triggered: what one event leaves unread is announced again.
const edgeTriggered = false

// interest is what the poller watches a connection for.
type interest uint8

const (
	unregistered interest = iota // not in the poller: a connection in memory, or one that was accepted just now
	reading                      // level-triggered input
	readingAlso                  // and output
	pausedInput                  // edge-triggered output, end of file and errors
)

var interestEvents = [...]uint32{reading: forInput, readingAlso: forInput | forOutput, pausedInput: forOutput | onChange}

// confirm asks again for an end that was announced: the event may be late, of a connection that had the same descriptor
// and was closed earlier in the poller's batch.
func (c *Conn) confirm(ev readiness) readiness {
	state := [1]unix.PollFd{{Fd: c.fd, Events: unix.POLLRDHUP}} // the bits are those of epoll
	if _, err := unix.Poll(state[:], 0); err != nil {
		return ev
	}
	return readiness(state[0].Revents)
}

// register adds the connection's descriptor to its loop's poller.
func (c *Conn) register() error {
	c.interest = c.reads()
	if c.mustPause() {
		c.interest = pausedInput
		c.loop.paused[c] = struct{}{}
	}
	return c.loop.poller.add(int(c.fd), interestEvents[c.interest])
}

// reads is the interest of a connection that is read from.
func (c *Conn) reads() interest {
	if c.sends() {
		return readingAlso
	}
	return reading
}

// watchFor changes what the poller watches a connection for. What there is to tell of it is announced once more.
func (c *Conn) watchFor(i interest) {
	c.interest = i
	if err := c.loop.poller.change(int(c.fd), interestEvents[i]); err != nil {
		c.loop.log.Error("poller refused a connection", "error", err)
		c.fail()
	}
}

// deferAccept has the kernel hold a connection back until the client has sent something, a second at most: a request
// is there when its connection is accepted, and one event serves for both.
func deferAccept(fd, seconds int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds))
}

func (c *Conn) paused() bool { return c.interest == pausedInput }

// setInterest arms or disarms output. While reading is paused, it is armed always.
func (c *Conn) setInterest() {
	if i := c.reads(); i != c.interest && (c.interest == reading || c.interest == readingAlso) {
		c.watchFor(i)
	}
}

func (c *Conn) pauseReading() {
	if c.interest == reading || c.interest == readingAlso {
		c.loop.paused[c] = struct{}{}
		c.watchFor(pausedInput)
	}
}

// watchOutput has the poller announce a paused connection once more.
func (c *Conn) watchOutput() { c.watchFor(pausedInput) }

func (c *Conn) resumeReading() {
	if c.interest != pausedInput || c.EndOfFile() {
		return
	}
	delete(c.loop.paused, c)
	c.watchFor(c.reads())
}

// boundUnsent has the kernel take no more than n octets beyond what is on its way to a client. Accepted sockets inherit it. Without
// it a client that does not read is given megabytes of send buffer, which takes the loop milliseconds to fill.
func boundUnsent(fd, n int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n))
}

// waker makes a loop's poller return: an eventfd, level-triggered, so that no wake-up is lost when a loop changes hands in the
// middle of its events.
type waker struct{ efd int }

func (w *waker) open(p *poller) (err error) {
	if w.efd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	return p.add(w.efd, forInput)
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
