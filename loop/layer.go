//go:build unix

package loop

// Layer stands between the socket of a connection and its handler: encryption. It turns what is received into what the handler
// is given, and what the handler writes into what is sent. Its methods are called on the connection's loop, and do not wait.
type Layer interface {
	// Open appends to dst what in holds for the handler, and tells how many octets of in it has used up: the rest is incomplete, and
	// comes again with more behind it. dst has room for as many octets as in has; in is a view. ended tells that the client has
	// said that it sends no more. err ends the connection.
	Open(dst, in []byte) (out []byte, used int, ended bool, err error)
	// Seal appends p to dst as it is to be sent, behind what the layer itself has to say. p may be empty.
	Seal(dst, p []byte) ([]byte, error)
	// End appends what tells the client that no more is sent.
	End(dst []byte) []byte
}

// between is what is between a connection's handler and its socket, or stands in for the socket.
type between struct {
	memory *Memory  // nil: there is a socket
	layer  *layered // nil: there is none
}

func (c *Conn) memory() *Memory {
	if c.between == nil {
		return nil
	}
	return c.between.memory
}

func (c *Conn) layer() *layered {
	if c.between == nil {
		return nil
	}
	return c.between.layer
}

// sealSize is how much is sealed at once, in octets: what the kernel does not take of it is kept sealed.
const sealSize = 64 << 10

// layered is what a connection with a layer keeps. While it is idle there are no buffers.
//
// What was sealed has to be sent as it is. The handler's octets count as sent when all of the piece has left that they were
// sealed in; until then they are at the head of Conn.out, so that flow control is that of a connection without layer. What waits here makes
// Conn.out not nil, if only for an output that has nothing.
type layered struct {
	layer Layer
	in    *input // received, and not complete enough to be opened
	out   *input // sealed, and not taken by the kernel
	plain int    // octets of the handler's that are in out
	taken uint32 // octets of out that the kernel has taken, modulo 2^32
	ended bool   // Layer.End was sealed
}

// scratch is a turn's buffer for sealed octets, in either direction; nothing in it outlives the event.
func (t *turn) scratch() []byte {
	if t.sealed == nil {
		t.sealed = make([]byte, ReadSize+ReadSize/4)
	}
	return t.sealed
}

// Layer is what stands between the socket and the handler; nil when there is nothing. Any goroutine may call it.
func (c *Conn) Layer() Layer {
	if y := c.layer(); y != nil {
		return y.layer
	}
	return nil
}

// Become gives the connection to another handler, in the place of the one that c is a part of, and puts layer in front of it, if it is
// not nil. unread is what was received and is for h, or its layer, to read first: inside Data all that it does not consume. It is copied, and
// what was held comes behind it. Opened of h is called. c is closed from here on without its Closed having been called, and Data, in which Become may be called, returns
// whatever it likes. It is false when c is closed, or about to be.
func (c *Conn) Become(h Handler, layer Layer, unread []byte) bool {
	c.Flush()
	if c.state != open || c.failed {
		return false
	}
	l := c.loop
	l.wheel.remove(&c.timer)
	n := h.base()
	n.loop, n.handler, n.listener, n.between = l, h, c.listener, c.between
	n.fd, n.remote, n.interest, n.octets = c.fd, c.remote, c.interest, c.octets
	n.overLimit, n.sending, n.unread = c.overLimit, c.sending, c.unread
	n.out, n.full = c.out, c.full
	in := c.takeKept(unread)
	if layer == nil {
		n.in = in
	} else {
		y := &layered{layer: layer, in: in}
		n.between = &between{c.memory(), y}
		if o := n.out; o != nil { // sealed already
			y.out = newInput(len(o.buf) - o.off)
			y.out.add(o.buf[o.off:])
			o.buf, o.off, n.full = o.buf[:0], 0, false
		}
	}
	c.state, c.out, c.deadline, c.stall = closed, nil, 0, 0
	if m := n.memory(); m != nil {
		m.c = n
	} else {
		l.conns.set(int(n.fd), n)
	}
	if _, paused := l.paused[c]; paused {
		delete(l.paused, c)
		l.paused[n] = struct{}{}
	}
	n.expectProgress()
	h.Opened()
	if n.state != open {
		return true
	}
	l.released = append(l.released, n)
	if l.ending || c.told {
		l.Post(shutdownConn, n)
	}
	return true
}

// takeKept takes what was received from c: unread, and behind it what was held.
func (c *Conn) takeKept(unread []byte) *input {
	var kept []byte
	if c.in != nil && c.held {
		kept = c.in.unread()
	}
	var in *input
	if n := len(unread) + len(kept); n > 0 {
		in = newInput(n)
		in.add(unread)
		in.add(kept)
	}
	c.in = nil // not freed: Data may be running with a view of it
	return in
}

// add puts p behind the data.
func (in *input) add(p []byte) {
	for len(p) > 0 {
		n := copy(in.room(), p)
		in.data = in.data[:len(in.data)+n]
		p = p[n:]
	}
}

// readSealed is read with a layer: all that is there to be opened is opened before any of it is delivered, so
// that nothing waits where no event of the poller tells of it.
func (c *Conn) readSealed() {
	y := c.layer()
	for {
		buf := c.loop.turn.scratch()[:ReadSize]
		if y.in != nil {
			buf = y.in.room()
		}
		n, again, err := c.receive(buf)
		switch {
		case again:
			return
		case err != nil, n == 0 && y.in != nil && !c.held: // in the middle of a record
			c.close(ReasonReset)
			return
		case n == 0:
			c.endOfFile()
			return
		}
		c.loop.counters.Received += uint64(n)
		p := buf[:n]
		if y.in != nil {
			y.in.data = y.in.data[:len(y.in.data)+n]
			p = y.in.unread()
		}
		c.open(p)
		if len(p) > ReadSize { // into a buffer that has kept much during the handshake; no event tells of what is left
			c.openKept()
		}
		if !edgeTriggered || n < len(buf) || c.state == closed || c.paused() {
			return
		}
	}
}

// open opens and delivers p, which is all that y.in has, or came without anything before it.
func (c *Conn) open(p []byte) {
	y, t := c.layer(), c.loop.turn
	if len(p) > len(t.in) {
		p = p[:len(t.in)] // what was kept while a handshake was finished; records are smaller
	}
	plain, used, ended, err := y.layer.Open(t.in[:0], p)
	switch {
	case y.in == nil && used < len(p):
		y.in = newInput(max(holdSize, len(p)-used))
		y.in.add(p[used:])
	case y.in != nil:
		if y.in.off += used; len(y.in.unread()) == 0 {
			y.in.free()
			y.in = nil
		}
	}
	c.speak()
	if ended && err == nil && !c.EndOfFile() {
		c.sending = sendsNone
		c.pauseReading()
	}
	if len(plain) > 0 && c.state == open && !c.failed {
		viewed := c.in == nil && !c.held
		if c.in == nil && c.held {
			c.in = newInput(max(holdSize, len(plain)))
		}
		c.octets += uint32(len(plain))
		if c.in != nil {
			c.in.add(plain)
			c.take(c.in.unread())
		} else {
			c.take(plain)
		}
		if viewed {
			Poison(plain)
		}
	}
	switch {
	case c.state == closed:
	case err != nil:
		c.close(ReasonProtocol)
	case ended && c.state == open:
		c.handler.EOF()
	}
}

// speak sends what the layer itself has to say.
func (c *Conn) speak() {
	y := c.layer()
	said, err := y.layer.Seal(c.loop.turn.scratch()[:0], nil)
	if err != nil || len(said) == 0 || c.failed {
		return
	}
	if y.out == nil {
		n, err := c.sendRaw(said, nil)
		if err != nil || n == len(said) {
			return // the poller tells of an error
		}
		said = said[n:]
	}
	c.keepSealed(said)
	if c.out == nil {
		c.out = outputs.Get().(*output)
		c.expectProgress()
		c.setInterest()
	}
}

func (c *Conn) keepSealed(p []byte) {
	y := c.layer()
	if len(p) == 0 {
		return
	}
	if y.out == nil {
		y.out = newInput(len(p))
	}
	y.out.add(p)
}

// openKept opens what was kept in front of the layer.
func (c *Conn) openKept() {
	for y := c.layer(); y.in != nil && c.state == open && !c.held; {
		before := len(y.in.unread())
		c.open(y.in.unread())
		if y.in == nil || len(y.in.unread()) == before {
			return
		}
	}
}

// sendSealed is send with a layer.
func (c *Conn) sendSealed(head, p []byte) (n int, err error) {
	y := c.layer()
	if y == nil {
		return c.sendRaw(head, p)
	}
	if y.out != nil {
		if n = y.plain; n > len(head)+len(p) {
			n = len(head) + len(p) // the file has become shorter
		}
		if sent, err := c.flushSealed(); err != nil || !sent {
			return 0, err
		}
	}
	skip := min(n, len(head))
	head, p = head[skip:], p[n-skip:]
	for len(head)+len(p) > 0 {
		sealed := c.loop.turn.scratch()[:0]
		piece := 0
		for _, part := range [2]*[]byte{&head, &p} {
			m := min(len(*part), sealSize-piece)
			if m == 0 {
				continue
			}
			if sealed, err = y.layer.Seal(sealed, (*part)[:m]); err != nil {
				return n, err
			}
			*part = (*part)[m:]
			piece += m
		}
		k, err := c.sendRaw(sealed, nil)
		if err != nil {
			return n, err
		}
		y.taken += uint32(k)
		if k < len(sealed) {
			c.keepSealed(sealed[k:])
			y.plain = piece
			return n, nil
		}
		n += piece
	}
	return n, nil
}

// flushSealed sends what is left sealed, and tells whether all of it has left.
func (c *Conn) flushSealed() (sent bool, err error) {
	y := c.layer()
	if y.out == nil {
		return true, nil
	}
	n, err := c.sendRaw(y.out.unread(), nil)
	if err != nil {
		return false, err
	}
	y.out.off += n
	y.taken += uint32(n)
	if len(y.out.unread()) > 0 {
		return false, nil
	}
	y.out.free()
	y.out, y.plain = nil, 0
	return true, nil
}

// progress is a counter that changes when the kernel has taken something sealed.
func (c *Conn) progress() uint32 {
	if c.layer() == nil {
		return 0
	}
	return c.layer().taken
}

// hasSpoken sends what is left sealed when that is all that is left, and tells whether it has left.
func (c *Conn) hasSpoken() bool {
	if c.layer() == nil || c.layer().out == nil {
		return true
	}
	sent, err := c.flushSealed()
	if err != nil {
		c.fail()
	}
	return sent
}

// dropSealed is hasSpoken when the octets are gone that were sealed.
func (c *Conn) dropSealed() bool {
	if c.layer() != nil {
		c.layer().plain = 0
	}
	return c.hasSpoken()
}

// sayEnd tells the client that no more is sent, and whether that has left. When it has not, c.out waits for it.
func (c *Conn) sayEnd() bool {
	y := c.layer()
	if y == nil {
		return true
	}
	if !y.ended {
		y.ended = true
		c.keepSealed(y.layer.End(c.loop.turn.scratch()[:0]))
	}
	if c.hasSpoken() || c.failed {
		return !c.failed
	}
	c.out = outputs.Get().(*output)
	c.deadline = 0
	c.expectProgress()
	c.pauseReading()
	c.setInterest()
	return false
}

// drop frees the buffers.
func (y *layered) drop() {
	y.in, y.out = nil, nil // not freed: one may be in use right now
}
