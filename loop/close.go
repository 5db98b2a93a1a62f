//go:build unix

package loop

import (
	"time"

	"github.com/panjf2000/gnet/v2/pkg/socket"
)

// Reason is why a connection was closed: one for each, shared by logs and counters.
type Reason uint8

// Reasons.
const (
	ReasonDone          Reason = iota // the protocol was finished with it
	ReasonEOF                         // the client closed an idle connection
	ReasonReset                       // reset by the client, or sending failed
	ReasonIdle                        // keep-alive timeout
	ReasonTimeout                     // the client took too long over a request
	ReasonStalled                     // the client took no output for too long
	ReasonProtocol                    // the client broke the protocol
	ReasonAborted                     // the application failed after its head was sent
	ReasonLingerTimeout               // closed while what the client still sent was being discarded
	ReasonShutdown                    // the server stopped
	ReasonPreface                     // what a proxy says of its client was missing, wrong or not to be believed
	Reasons                           // how many there are
)

var reasonNames = [Reasons]string{
	"done", "eof", "reset", "idle", "timeout", "stalled", "protocol", "aborted", "linger timeout", "shutdown", "preface",
}

func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// lingerTimeout bounds how long input is discarded after the write side was shut.
const lingerTimeout = 5 * time.Second

// Finish sends what was written and closes. No more input is delivered. linger tells that the client may still be
// sending: the write side is shut and input is read and discarded for a bounded time, because a
// close with unread input sends a reset, which may destroy the answer on its way (RFC 9112 9.6).
func (c *Conn) Finish(reason Reason, linger bool) {
	if c.state != open {
		return
	}
	c.state = draining
	c.loop.counters.Closing++
	c.reason, c.linger = reason, linger
	c.dropInput()
	c.Flush()
	if c.out != nil {
		c.deadline = 0 // from here on it is the client's progress that counts
		c.pauseReading()
		return
	}
	c.finish()
}

// finish ends a draining connection whose output has left.
func (c *Conn) finish() {
	if c.failed {
		return // closed at the end of the event
	}
	if !c.sayEnd() {
		return
	}
	if !c.linger || c.EndOfFile() {
		c.close(c.reason)
		return
	}
	c.state = lingering
	c.shutdownWrite()
	c.setDeadline(lingerTimeout)
	c.resumeReading()
}

// Abort closes at once with a reset: what was not sent is lost, and the client sees that the response is cut off even where
// its end is that of the connection.
func (c *Conn) Abort(reason Reason) {
	if c.state == closed {
		return
	}
	c.Flush()
	if c.memory() == nil {
		_ = socket.SetLinger(int(c.fd), 0)
	}
	c.close(reason)
}

// close closes now, and tells the handler. It is called from the loop's own code only, or by a handler that
// expects Closed inside its call.
func (c *Conn) close(reason Reason) {
	if c.state == closed {
		return
	}
	if c.state != open && reason == ReasonReset {
		reason = c.reason
	}
	l := c.loop
	l.counters.Closed[reason]++
	if c.state != open {
		l.counters.Closing--
	}
	c.forget()
	if c.memory() == nil {
		if c.out != nil { // what is lost with it must not look complete where the end of the connection is that of a response
			_ = socket.SetLinger(int(c.fd), 0)
		}
		if k := l.reactor.clients; k != nil && !c.overLimit {
			k.leave(c.remote)
		}
		l.conns.set(int(c.fd), nil)
		closeSocket(int(c.fd))
	} else {
		c.memory().closed = true
	}
	c.dropInput()
	if c.out != nil {
		c.out.free()
		c.out = nil
	}
	if c.layer() != nil {
		c.layer().drop()
	}
	c.handler.Closed(reason)
	l.closed()
}

// forget has the loop's lists and timers know the connection no more.
func (c *Conn) forget() {
	c.state = closed
	c.deadline, c.stall = 0, 0
	l := c.loop
	if l.turn.batchOf == c {
		l.turn.batch, l.turn.batchOf = l.turn.batch[:0], nil
	}
	l.wheel.remove(&c.timer)
	delete(l.paused, c)
}
