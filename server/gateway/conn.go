package gateway

import (
	"io"
	"time"

	"github.com/weirhttp/weir/loop"
)

// conn is a connection of a web server.
//
// Input is read on while a request is answered: it may say that the answer is no longer wanted.
type conn struct {
	loop.Conn
	protocol *Protocol
	codec    codec
	t        *transaction // nil while idle, and while the answer is deferred
	parked   *parked      // answers in the place of t; nil: the answer is not deferred
	own      []byte       // answers of the codec's that wait until a file has left
	requests uint32       // read so far
	state    state
	inside   bool // Data is running
	behind   bool // the application is behind with reading content: more of it waits
	last     bool // no request is read after this one
	heard    bool // something was understood
}

// Opened implements loop.Handler.
func (c *conn) Opened() {
	if c.OverLimit() {
		c.end(loop.ReasonProtocol, true)
		return
	}
	c.SetDeadline(c.protocol.config().IdleTimeout)
}

// Data implements loop.Handler: it goes through the pieces that are in.
func (c *conn) Data(in []byte) (n int) {
	c.inside = true
	if t := c.protocol.tally; t != nil {
		t.Arrive()
	}
	for c.state != closing && !c.Held() {
		m, p, err := c.codec.decode(in[n:])
		if err != nil {
			c.malformed(in[n:], err)
			break
		}
		if n += m; p.kind == needMore {
			break
		}
		c.advance(p, len(in)-n)
	}
	c.inside = false
	if c.state == closing {
		return len(in)
	}
	return n
}

// advance does what a piece asks for. So many octets are in behind it.
func (c *conn) advance(p piece, behind int) {
	c.heard = true
	switch p.kind {
	case begun:
		c.move(headStarted)
		c.t = c.protocol.take(c)
		c.SetDeadline(c.protocol.config().HeadTimeout)
	case variables:
		c.readVariables(p.data)
	case variablesEnd:
		c.readHead()
	case content:
		c.readContent(p, behind)
	case contentEnd:
		c.contentEnds(behind)
	case aborted:
		c.abort()
	case reply:
		c.say(p)
	}
}

// say sends an answer of the codec's own. More of them have to wait while there is no room.
func (c *conn) say(p piece) {
	if r := c.response(); r != nil && r.file.file != nil {
		c.own = append(c.own, p.data...)
	} else {
		c.SetBuffer(append(c.Buffer(), p.data...))
	}
	switch {
	case p.last:
		c.end(loop.ReasonDone, true)
	case !c.Room():
		c.Hold()
	}
}

// response is the response that is due; nil while there is no request.
func (c *conn) response() *response {
	switch {
	case c.parked != nil:
		return &c.parked.response
	case c.t != nil:
		return &c.t.response
	}
	return nil
}

// run calls the application: the request is complete, or content will stream to it. viewed tells that content, which was read whole, is
// a view of the input.
func (c *conn) run(content []byte, viewed bool, behind int) {
	t := c.t
	c.protocol.behind = behind
	x := &t.exchange
	t.began = true
	if t.stream != nil {
		x.Begin(t, t, t.stream)
	} else {
		t.memory.Reset(content)
		t.viewed = viewed
		x.Begin(t, t, &t.memory)
	}
	x.Environ.SetVariables(string(t.script), string(t.path), t)
	if log := c.protocol.log; log != nil && len(log.Wants().Environ) > 0 {
		log.Wants().NoteEnviron(&t.notes, &x.Environ)
	}
	if t.stream != nil {
		x.RunBlocking(c.protocol.config().Application)
	} else {
		x.Run(c.protocol.config().Application)
	}
	switch {
	case t.finished:
		c.settle()
	case t.stream != nil:
	case c.parked != nil:
		c.SetDeadline(0)
		c.wait()
	default: // the response goes on after this event: what it was called with must not move
		c.SetDeadline(0)
		x.Environ.Detach()
	}
}

// settle is called when a response is written, and decides how the connection goes on.
func (c *conn) settle() {
	r := c.response()
	early := c.state == streaming
	switch {
	case !r.complete:
		c.end(loop.ReasonAborted, early)
	case r.close || early:
		c.end(loop.ReasonDone, early)
	default:
		c.rest()
	}
}

// rest has the connection wait for another request.
func (c *conn) rest() {
	c.move(answered)
	c.drop()
	c.behind = false
	c.SetDeadline(c.protocol.config().IdleTimeout)
	c.Release()
}

// abort is the web server's wish: the client has left, but the connection stays.
func (c *conn) abort() {
	r := c.response()
	if r.file.file != nil || r.short { // in the middle of a record
		c.move(connectionClosed)
		c.drop()
		c.Abort(loop.ReasonAborted)
		return
	}
	keep := c.codec.keeps() && !r.close && !c.last
	c.SetBuffer(c.codec.appendEnd(c.Buffer()))
	if keep {
		c.rest()
	} else {
		c.end(loop.ReasonDone, false)
	}
}

// end closes the connection after what was written. That a response is not complete shows where its length was told, or the protocol has an end of its
// own; else the end of the connection must not be taken for it.
func (c *conn) end(reason loop.Reason, linger bool) {
	c.move(connectionClosed)
	r := c.response()
	if r != nil && !r.finished {
		c.DropFile() // it goes away with the request
	}
	if r != nil && r.status != 0 && !r.complete && !r.sized && !c.codec.delimits() {
		c.drop()
		c.Abort(reason)
		return
	}
	c.Finish(reason, linger)
	c.drop()
}

// drop ends the request, and whoever answers it.
func (c *conn) drop() {
	r := c.response()
	if r == nil {
		return
	}
	t, p := c.t, c.parked
	if !r.finished && (p != nil || t.read) {
		r.record()
	}
	c.t, c.parked = nil, nil
	if t != nil && t.stream != nil {
		t.stream.End(errGone)
	}
	switch {
	case p != nil:
		p.deferred.Gone()
	case t.finished || !t.began:
		c.protocol.give(t)
	default:
		t.exchange.Gone()
	}
}

// EOF implements loop.Handler: the web server sends no more, but may still read, if it is none that says so by closing.
func (c *conn) EOF() {
	if c.parked != nil && !c.protocol.config().KeepHalfClosed && !c.parked.deferred.Ended() {
		c.end(loop.ReasonEOF, false)
		return
	}
	if c.Held() || !c.EndOfFile() {
		return // what it sent before comes first
	}
	switch c.state {
	case idle, inHead, inContent:
		c.end(loop.ReasonEOF, false)
	case streaming:
		c.contentFails(400, io.ErrUnexpectedEOF)
	}
}

// Drained implements loop.Handler: there is room for more of the answer.
func (c *conn) Drained() {
	if len(c.own) > 0 {
		c.SetBuffer(append(c.Buffer(), c.own...))
		c.own = c.own[:0]
	}
	if !c.behind {
		c.Release()
	}
	switch {
	case c.response() == nil || c.response().fileDrained():
	case c.parked != nil:
		c.parked.deferred.Resume()
	case c.t.began && !c.t.finished:
		c.t.exchange.Resume()
	}
}

// Timeout implements loop.Handler.
func (c *conn) Timeout() {
	switch c.state {
	case idle:
		c.end(loop.ReasonIdle, false)
	case inHead, inContent:
		c.refuse(408, "the request took too long")
	case streaming:
		c.contentFails(408, errTimeout)
	case answering:
		if c.parked != nil {
			c.parked.deferred.Expire()
		}
	}
}

// Shutdown implements loop.Handler. The web server sees that a connection has ended when it is closed, and no sooner.
func (c *conn) Shutdown() {
	c.last = true
	if r := c.response(); r != nil {
		r.close = true
	}
}

// Idle implements loop.Idler.
func (c *conn) Idle() bool { return c.state == idle }

// Closed implements loop.Handler.
func (c *conn) Closed(loop.Reason) {
	c.move(connectionClosed)
	c.drop()
}

// malformed closes a connection that cannot be understood any more. The operator is to know: what comes is a web server's, and
// not what a client has made up.
func (c *conn) malformed(in []byte, err error) {
	p := c.protocol
	if second := p.loop.Now() / int64(time.Second); second != p.warned {
		p.warned = second
		p.config().Exchange.Log.Warn("malformed request, connection closed", "protocol", p.format.String(), "from", c.Remote().String(), "error", err)
	}
	if first := in[:min(len(in), 1)]; !c.heard && string(first) >= "A" && string(first) <= "Z" { // a method of HTTP, maybe
		b := append(c.Buffer(), "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nthis address speaks "...)
		c.SetBuffer(append(append(b, p.format.String()...), ", not HTTP\n"...))
	}
	c.end(loop.ReasonProtocol, true)
}
