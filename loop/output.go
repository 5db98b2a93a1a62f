//go:build unix

package loop

import "sync"

// output is what a connection was given to send and the kernel has not taken.
type output struct {
	buf   []byte // owned
	off   int    // octets of buf that were sent
	lent  []byte // behind buf: what is left of what Lend was given
	whole bool   // the kernel takes more than maxUnsent octets, for lent
	file  section
}

// section is a part of a file that follows buf.
type section struct {
	file     File
	offset   int64
	left     int64
	present  int64 // up to here it was looked whether it is in memory
	fetching bool  // it is being read into memory
}

// File is what is sent with sendfile(2), or read where there is none.
type File interface {
	ReadAt(p []byte, off int64) (n int, err error)
	Fd() uintptr
}

var outputs = sync.Pool{New: func() any { return &output{buf: make([]byte, 0, 4<<10)} }}

// maxPooledOutput keeps the rare large buffer from staying in the pool.
const maxPooledOutput = 256 << 10

func (o *output) free() {
	if cap(o.buf) <= maxPooledOutput {
		*o = output{buf: o.buf[:0]}
		outputs.Put(o)
	}
}

func (o *output) unsent() int {
	return len(o.buf) - o.off + min(len(o.lent), HighWater+1) + int(min(o.file.left, HighWater+1))
}

// buffers tells whether all that is left to send was copied: more can be written behind it.
func (o *output) buffers() bool { return len(o.lent) == 0 && o.file.left == 0 }

// Buffer returns the slice to which output is appended. The caller appends and gives the result to
// SetBuffer, before it calls anything else of the loop. The octets leave at the end of the event.
func (c *Conn) Buffer() []byte {
	if c.out != nil {
		return c.out.buf
	}
	t := c.loop.turn
	if t.batchOf != c {
		c.loop.sendBatch()
		t.batchOf = c
	}
	return t.batch
}

// SetBuffer takes back the slice that Buffer returned, grown.
func (c *Conn) SetBuffer(b []byte) {
	if c.out != nil {
		c.out.buf = b
		c.full = c.full || c.out.unsent() > HighWater
		return
	}
	t := c.loop.turn
	t.batch = b
	if len(b) >= batchSize {
		c.loop.sendBatch()
	}
}

// Write sends p behind what was written before. A large p goes to the kernel at once, together with the
// batch, and is copied only as far as the kernel does not take it.
func (c *Conn) Write(p []byte) {
	t := c.loop.turn
	if t.batchOf == c && len(t.batch)+len(p) < batchSize && len(p) < batchSize/4 {
		t.batch = append(t.batch, p...)
		return
	}
	if c.out != nil || len(p) < batchSize/4 {
		c.SetBuffer(append(c.Buffer(), p...))
		return
	}
	batch := c.Buffer()
	t.batch, t.batchOf = batch[:0], nil
	c.transmit(batch, p)
}

// Lend sends p behind what was written before, without a copy: p must stay what it is, and the next call of Lend, SendFile or Write has to wait,
// until the connection has room again (Room, Drained) or is closed.
func (c *Conn) Lend(p []byte) {
	whole := c.takesWhole(len(p))
	if c.out == nil {
		batch := c.Buffer()
		c.loop.turn.batch, c.loop.turn.batchOf = batch[:0], nil
		c.push(batch, p, true)
	} else if !c.failed && c.state == open {
		c.out.lent, c.full = p, true
	}
	if c.out != nil {
		c.out.whole = whole
	} else if whole {
		c.bound(maxUnsent)
	}
}

// takesWhole has the kernel take n octets that are being lent, as far as it has memory for them: they take memory until it has them in any case, and
// each part that it leaves costs a wait and another call. It is false when that makes no difference.
func (c *Conn) takesWhole(n int) bool {
	return n > maxUnsent && c.between == nil && c.remote.size > 0 && c.bound(n+maxUnsent)
}

// bound has the kernel take no more than n octets beyond those that are on their way.
func (c *Conn) bound(n int) bool { return boundUnsent(int(c.fd), n) == nil }

// returnLent notes that nothing is lent any more.
func (c *Conn) returnLent() {
	o := c.out
	if o.lent = nil; o.whole {
		o.whole = false
		c.bound(maxUnsent)
	}
}

// SendFile sends n octets of file from offset on, behind what was written before; the next call of
// SendFile or Write has to wait until Drained. The file must stay open until then. When it ends early, FileShort is true in
// Drained; behind Finish the connection fails then.
func (c *Conn) SendFile(file File, offset, n int64) {
	c.loop.sendBatch()
	if c.failed || c.state != open || n == 0 {
		return
	}
	if c.out == nil {
		c.out = outputs.Get().(*output)
	}
	c.out.file = section{file: file, offset: offset, left: n}
	c.full, c.short = true, false
	c.expectProgress()
	c.continueLater() // the first octets leave with the next event: Drained must not be called from in here
}

// FileShort tells in Drained whether the file has ended, or could not be read on, before all of it was sent that was to be.
func (c *Conn) FileShort() bool { return c.short }

// DropFile gives up what is left to send of a file, or of what was lent, before the connection is closed. What was written before it still leaves.
func (c *Conn) DropFile() {
	if o := c.out; o != nil && !o.buffers() {
		c.returnLent()
		o.file = section{}
		if o.unsent() == 0 && c.dropSealed() {
			c.out = nil
			o.free()
		}
		c.expectProgress()
	}
}

// continueLater has drain called although the client's room was not exhausted. A level-triggered registration announces
// that there is room; an edge-triggered one, as a paused connection's, only when there was none before.
func (c *Conn) continueLater() {
	c.setInterest()
	if edgeTriggered || c.paused() {
		c.loop.Post(continueDrain, c)
	}
}

func continueDrain(p any) {
	if c := p.(*Conn); c.out != nil && !c.failed {
		c.drain()
	}
}

// Unsent is how many octets the kernel has not taken, not counting the event's batch.
func (c *Conn) Unsent() int {
	if c.out == nil {
		return 0
	}
	return c.out.unsent()
}

// Room tells whether the client has room for more: false from when the output passes HighWater
// until Drained is called, and when sending has failed.
func (c *Conn) Room() bool { return !c.full && !c.failed }

// AwaitDrained has Drained called when the client has taken more of what waits for it, however little that is. It is false when nothing does.
func (c *Conn) AwaitDrained() bool {
	c.Flush()
	if c.out == nil || c.failed || c.state != open {
		return false
	}
	c.full = true
	return true
}

// Flush sends the batch now instead of at the end of the event.
func (c *Conn) Flush() {
	if c.loop.turn.batchOf == c {
		c.loop.sendBatch()
	}
}

// send sends head and then p, as much as the kernel takes: n octets.
func (c *Conn) send(head, p []byte) (n int, err error) {
	if c.between == nil {
		return c.sendRaw(head, p)
	}
	return c.sendSealed(head, p)
}

// sendBatch sends the batch to the connection that it belongs to.
func (l *Loop) sendBatch() {
	t := l.turn
	c, batch := t.batchOf, t.batch
	t.batch, t.batchOf = batch[:0], nil
	if c != nil && len(batch) > 0 {
		c.transmit(batch, nil)
	}
	if cap(t.batch) > 4*batchSize {
		t.batch = make([]byte, 0, batchSize+4<<10)
	}
}

// transmit sends head and p, of a connection that has nothing waiting, and keeps what the kernel does not take.
func (c *Conn) transmit(head, p []byte) { c.push(head, p, false) }

// push is transmit, for a p that is lent or has to be copied.
func (c *Conn) push(head, p []byte, lent bool) {
	if c.failed || c.state > draining {
		return
	}
	n, err := c.send(head, p)
	if err != nil {
		c.fail()
		return
	}
	if n == len(head)+len(p) {
		return
	}
	c.out = outputs.Get().(*output)
	if n < len(head) {
		c.out.buf = append(c.out.buf, head[n:]...)
		n = len(head)
	}
	if p = p[n-len(head):]; lent && len(p) > 0 {
		c.out.lent, c.full = p, true
	} else {
		c.out.buf = append(c.out.buf, p...)
		c.full = c.out.unsent() > HighWater
	}
	c.expectProgress()
	c.setInterest()
}

// drain goes on with sending when the client has taken something. Interest in writing is not
// lowered here: a streaming response is likely to have more, and ready lowers it when there was nothing to do.
func (c *Conn) drain() {
	o := c.out
	buffered, lent, filed, progress := len(o.buf)-o.off, len(o.lent), o.file.left, c.progress()
	if buffered+lent > 0 {
		n, err := c.send(o.buf[o.off:], o.lent)
		if err != nil {
			c.fail()
			return
		}
		if o.lent = o.lent[max(n-buffered, 0):]; len(o.lent) == 0 {
			c.returnLent()
		}
		o.off += min(n, buffered)
		if o.off == len(o.buf) {
			o.buf, o.off = o.buf[:0], 0
		} else if o.off > len(o.buf)/2 {
			o.buf = o.buf[:copy(o.buf, o.buf[o.off:])]
			o.off = 0
		}
	}
	if len(o.buf) == 0 && o.file.left > 0 && !c.drainFile() {
		return
	}
	if o.unsent() == 0 && c.hasSpoken() {
		c.out = nil
		o.free()
	}
	if c.out == nil || len(o.buf)-o.off < buffered || len(o.lent) < lent || o.file.left < filed || c.progress() != progress {
		c.expectProgress()
	}
	if c.state == draining {
		if c.out == nil {
			c.finish()
		}
		return
	}
	// As long as there is a file, or something lent, nothing can be written behind it.
	if c.full && c.Unsent() <= LowWater && (c.out == nil || c.out.buffers()) {
		c.full = false
		c.handler.Drained()
		if !c.full && !c.held && c.state == open {
			c.resumeReading()
		}
	}
}

// fileBudget bounds what one connection sends of a file before others have their turn.
var fileBudget int64 = 1 << 20 // lowered by tests

// drainFile sends what the client takes of the file. It is false when the connection failed.
func (c *Conn) drainFile() bool {
	s := &c.out.file
	if s.fetching {
		return true
	}
	for budget := fileBudget; s.left > 0; {
		if budget == 0 {
			c.continueLater()
			break
		}
		if c.await(s) {
			break
		}
		n, again, err := c.sendFile(s.file, s.offset, min(s.left, budget))
		if again {
			break
		}
		if err == nil && n == 0 { // there is no more of it
			s.left, c.short = 0, true
		}
		if err != nil || c.short && c.state == draining {
			c.fail()
			return false
		}
		s.offset += n
		s.left -= n
		budget -= n
	}
	return true
}

// fail marks the connection for closing at the end of the event.
func (c *Conn) fail() {
	if !c.failed {
		c.failed = true
		c.loop.doomed = append(c.loop.doomed, c)
	}
}
