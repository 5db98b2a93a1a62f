//go:build unix

package loop

import (
	"net/netip"
	"time"
)

// Handler is the protocol of one connection. It embeds a Conn, so that a connection is one object (one that comes later, by Handle, a *Conn). All
// methods are called on the connection's loop, never one inside another.
type Handler interface {
	base() *Conn
	// Opened is called first, when the connection is its loop's.
	Opened()
	// Data is called with what was received and not consumed yet, and returns how much of it is
	// consumed now. in is a view, valid until Data returns; the rest is kept and comes again, with more behind it.
	Data(in []byte) (consumed int)
	// EOF is called when the client has said that it sends no more, and again after Release if it was held then. What was
	// received before may still be unread (Hold), so much of it too that EndOfFile is not true yet.
	EOF()
	// Drained is called when the output, having been above HighWater, is below LowWater; and when AwaitDrained has asked for it.
	Drained()
	// Timeout is called when the deadline has passed, once for each SetDeadline.
	Timeout()
	// Shutdown is called when the server has stopped accepting: finish what runs, and close. It may be called again. An Idler does not close while
	// it is idle.
	Shutdown()
	// Closed is the last call. It does not come after Detach.
	Closed(reason Reason)
}

// Conn is a connection: the loop's side of it. A Handler embeds one by value. The zero Conn is not usable
// until its listener's loop has taken it.
//
// Its methods are called on its loop only.
type Conn struct {
	timer
	loop      *Loop
	handler   Handler
	in        *input    // received and not consumed; nil when there is nothing
	out       *output   // accepted for sending and not taken by the kernel; nil when there is nothing
	between   *between  // what is between the handler and a socket, or in the place of one; nil: nothing
	listener  *Listener // where it was accepted
	deadline  int64     // the handler's; 0: none
	stall     int64     // when the client must have taken some output; 0: there is none to take
	octets    uint32    // received, modulo 2^32: a counter that is read for differences
	remote    address
	fd        int32
	state     state
	interest  interest
	reason    Reason // why it is being closed, from Finish on
	linger    bool   // discard input before closing
	overLimit bool   // its client has more connections than it may
	told      bool   // of the end: Shutdown was called
	held      bool   // input is not delivered
	sending   sending
	full      bool // output is above HighWater
	failed    bool // sending failed; the loop closes it at the end of the event
	short     bool // the file that was sent last has ended early
	unread    bool // edge-triggered poller: input was announced while reading was paused
}

// state is where a connection is between open and closed.
type state uint8

const (
	open      state = iota
	draining        // no more input is delivered; output is sent, then it lingers or closes
	lingering       // the write side is shut; input is discarded for a bounded time
	closed
)

// sending is whether the client sends.
type sending uint8

const (
	sends     sending = iota // more may come
	sendsLast                // it has said that it sends no more, and there may be some that was not read
	sendsNone                // all that it has sent was read
)

// address is a client's IP address and port without the pointer of netip.Addr.
type address struct {
	ip   [16]byte
	port uint16
	size uint8 // 4 or 16; 0: none, a Unix socket
}

func (c *Conn) base() *Conn { return c }

// Loop is the loop that the connection belongs to, for all its life.
func (c *Conn) Loop() *Loop { return c.loop }

// OverLimit tells whether the client has more connections than Options.MaxPerAddress: it should be told so, and the connection closed.
func (c *Conn) OverLimit() bool { return c.overLimit }

// Listener is the listener that accepted the connection.
func (c *Conn) Listener() *Listener { return c.listener }

// Remote is the client's address; the zero AddrPort on Unix sockets.
func (c *Conn) Remote() netip.AddrPort { return c.remote.addrPort() }

func (a *address) addrPort() netip.AddrPort {
	switch a.size {
	case 4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.ip[:4])), a.port)
	case 16:
		return netip.AddrPortFrom(netip.AddrFrom16(a.ip).Unmap(), a.port)
	}
	return netip.AddrPort{}
}

// Handle gives the connection another handler, which has its embedded Conn by reference: the protocol on it has changed. What the old
// one has not consumed is delivered to h when input comes, or after Hold and Release. If the old one was told of the end, h is, in a task of its own.
func (c *Conn) Handle(h Handler) {
	c.handler = h
	if c.told {
		c.loop.Post(shutdownConn, c)
	}
}

// IsOpen tells whether the connection still takes output.
func (c *Conn) IsOpen() bool { return c.state == open && !c.failed }

// EndOfFile tells whether the client has said that it sends no more, and all that it has sent was read.
func (c *Conn) EndOfFile() bool { return c.sending == sendsNone }

// Ends tells whether EOF was called: the client sends no more, but there may be some that was not read.
func (c *Conn) Ends() bool { return c.sending != sends }

// SetDeadline has Timeout called when d has passed, unless it is set anew before. d == 0: never.
//
// Moving a deadline ahead costs a store: the timer stays where it is in the wheel, and goes on when its time comes.
//
// After Finish it does nothing: the time that closing may take is the loop's own affair.
func (c *Conn) SetDeadline(d time.Duration) {
	if c.state == open {
		c.setDeadline(d)
	}
}

func (c *Conn) setDeadline(d time.Duration) {
	if d == 0 {
		c.deadline = 0
		return
	}
	c.deadline = c.loop.now + int64(d)
	c.arm(c.deadline)
}

// expectProgress gives the client until the write timeout to take some of the output. It is called when output
// begins to wait, and when some of it has left.
func (c *Conn) expectProgress() {
	d := c.loop.reactor.writeTimeout.Load()
	if c.out == nil || d == 0 {
		c.stall = 0
		return
	}
	c.stall = c.loop.now + d
	c.arm(c.stall)
}

// arm has expire called at the given time or before.
func (c *Conn) arm(at int64) {
	if c.at != 0 && at >= c.at {
		return
	}
	c.loop.wheel.remove(&c.timer)
	c.timer.at = at
	c.timer.conn = c
	if at := c.loop.wheel.add(&c.timer); at < c.loop.alarm.Load() {
		c.loop.setAlarm(at)
	}
}

// expire is called by the wheel when the timer's slot is reached.
func (c *Conn) expire() {
	now := c.loop.now
	switch {
	case c.stall != 0 && c.stall <= now:
		c.close(ReasonStalled)
		return
	case c.deadline != 0 && c.deadline <= now:
		c.deadline = 0
		if c.state == lingering {
			c.close(ReasonLingerTimeout)
			return
		}
		if c.told && c.isIdle() {
			c.loop.Post(depart, c)
		} else {
			c.handler.Timeout()
		}
	}
	if c.state == closed {
		return
	}
	for _, at := range [2]int64{c.stall, c.deadline} {
		if at != 0 {
			c.arm(at)
		}
	}
}

// Received is how many octets the client has sent, modulo 2^32.
func (c *Conn) Received() uint32 { return c.octets }

// Hold stops the delivery of input until Release: a request is being answered. Reading goes on for
// one small buffer, so that the end of the connection is noticed, and pauses then.
func (c *Conn) Hold() { c.held = true }

// Held tells whether input is held.
func (c *Conn) Held() bool { return c.held }

// Release has input delivered again, at the end of the event, starting with what was kept.
func (c *Conn) Release() {
	if c.held {
		c.held = false
		c.loop.released = append(c.loop.released, c)
	}
}

// deliverKept delivers what has come while input was held.
func (c *Conn) deliverKept() {
	if c.held || c.state != open {
		return
	}
	if c.in != nil {
		c.deliver(c.in.unread())
	}
	eof := c.EndOfFile()
	if c.layer() != nil {
		c.openKept() // tells of an end itself
	}
	if eof && c.state == open && !c.held {
		c.handler.EOF()
	}
	if c.state == open && !c.held {
		c.resumeReading()
	}
}

// mustPause tells whether nothing is to be read now: the client has sent all, enough is held, or output is awaited.
func (c *Conn) mustPause() bool {
	return c.EndOfFile() || c.state == draining || c.held && c.Kept() >= holdSize
}

// ready handles a readiness event.
func (c *Conn) ready(ev readiness) {
	if isWritable(ev) {
		if c.out != nil {
			c.drain()
		} else {
			c.setInterest()
		}
	}
	if c.failed {
		return // reading would show an end where the error was
	}
	if isReadable(ev) && c.state != closed {
		if c.full && c.state == open {
			c.pauseReading() // until the client takes what it has asked for already
		}
		if c.paused() {
			c.unread = true
		} else {
			c.read()
		}
	}
	if c.state == closed || !isHangup(ev) && !isEnd(ev) {
		return
	}
	if isReadable(ev) && !c.paused() {
		return // with input the end is left to read: what was sent before is still there
	}
	ev = c.confirm(ev)
	if isHangup(ev) {
		c.close(ReasonReset)
		return
	}
	if isEnd(ev) && c.paused() && !c.EndOfFile() && c.state == open {
		c.sending = sendsLast
		c.handler.EOF() // behind what is not read
	}
}

// read reads once and delivers. Level-triggered pollers announce again what is left.
func (c *Conn) read() {
	if c.layer() != nil && c.state == open {
		c.readSealed()
		return
	}
	for {
		buf := c.loop.turn.in
		switch {
		case c.state != open: // discarded
		case c.in != nil:
			buf = c.in.room()
		case c.held:
			c.in = newInput(holdSize)
			buf = c.in.room()
		}
		n, again, err := c.receive(buf)
		switch {
		case again:
			c.dropEmptyInput()
			return
		case err != nil:
			c.close(ReasonReset)
			return
		case n == 0:
			c.dropEmptyInput()
			c.endOfFile()
			return
		}
		c.loop.counters.Received += uint64(n)
		if c.state == open {
			viewed := c.in != nil
			c.received(buf[:n])
			if !viewed {
				Poison(buf[:n]) // what was left is copied
			}
		}
		if !edgeTriggered || n < len(buf) || c.state == closed || c.paused() {
			return
		}
	}
}

// received takes note of octets that were just read: in the turn's buffer, or behind those that c.in has.
func (c *Conn) received(p []byte) {
	c.octets += uint32(len(p))
	if c.in != nil {
		c.in.data = c.in.data[:len(c.in.data)+len(p)]
		p = c.in.unread()
	}
	c.take(p)
}

// take delivers p, all that was received and not consumed, or keeps it while input is held.
func (c *Conn) take(p []byte) {
	if c.held {
		if len(p) >= holdSize {
			c.pauseReading()
		}
		return
	}
	c.deliver(p)
}

// deliver calls Data and keeps what it leaves.
func (c *Conn) deliver(p []byte) {
	l := c.loop
	viewed := c.in // nil: p is in the turn's buffer
	l.delivered, l.viewed = p, viewed
	n := c.handler.Data(p)
	taken := l.viewed != viewed
	l.viewed = nil
	switch {
	case taken:
		if c.in != nil && c.state == open && !c.held {
			l.released = append(l.released, c)
		}
	case c.state != open:
		if viewed != nil {
			viewed.free()
			c.in = nil
		}
		return
	case c.in != viewed: // it gathers
		if viewed != nil {
			viewed.free()
		}
	case n == len(p):
		if c.in != nil {
			c.in.free()
			c.in = nil
		}
	case c.in != nil:
		c.in.off += n
	default:
		c.in = newInput(max(holdSize, len(p)-n))
		c.in.data = append(c.in.data, p[n:]...)
	}
	if c.held && c.in != nil && len(c.in.unread()) >= holdSize {
		c.pauseReading()
	}
}

// dropInput forgets what was received. What Data is running with a view of, is freed behind it.
func (c *Conn) dropInput() {
	if in := c.in; in != nil {
		c.in = nil
		if in != c.loop.viewed {
			in.free()
		}
	}
}

func (c *Conn) dropEmptyInput() {
	if c.in != nil && len(c.in.unread()) == 0 {
		c.in.free()
		c.in = nil
	}
}

// endOfFile handles the end of the client's sending. The poller would announce it again and again:
// reading pauses for good.
func (c *Conn) endOfFile() {
	if c.EndOfFile() {
		return
	}
	c.sending = sendsNone
	if c.state == lingering {
		c.close(c.reason)
		return
	}
	if c.state == open {
		c.handler.EOF()
	}
	if c.state != closed {
		c.pauseReading()
	}
}

// ReadNow reads what the client may have sent that was not announced yet. It must not be called from
// inside Data.
func (c *Conn) ReadNow() {
	if c.memory() == nil && c.state == open && !c.paused() {
		c.read()
	}
}

// Kept is how many octets have been received and not been consumed.
func (c *Conn) Kept() int {
	if c.in == nil {
		return 0
	}
	return len(c.in.unread())
}
