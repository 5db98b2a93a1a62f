package h1

import (
	"bytes"
	"io"

	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/tally"
)

// conn is a connection that speaks HTTP/1.1. While it is idle, this struct is all that it costs.
type conn struct {
	loop.Conn
	protocol *Protocol
	t        *transaction // nil while idle, and while the answer is deferred
	parked   *parked      // answers in the place of t; nil: the answer is not deferred
	requests uint32       // read so far
	blank    uint32       // octets of empty lines since the last request: while idle nobody else counts them
	state    state
	inside   bool // Data is running
	last     bool // no request is read after this one
}

// Opened implements loop.Handler.
func (c *conn) Opened() {
	if c.OverLimit() {
		c.refuse(503, "too many connections from this address")
		return
	}
	c.SetDeadline(c.protocol.config().IdleTimeout)
}

// Data implements loop.Handler: it goes through the requests that are in.
func (c *conn) Data(in []byte) (n int) {
	c.inside = true
	if t := c.protocol.tally; t != nil {
		t.Arrive()
	}
	c.protocol.at = 0
	for more := true; more; {
		var m int
		m, more = c.advance(in[n:])
		n += m
	}
	c.inside = false
	if c.state == idle {
		c.rest()
	}
	return n
}

// goOn reads on when a response is written that was not in the middle of Data.
func (c *conn) goOn() {
	if c.state == idle || c.state == unread {
		c.Release()
	}
}

// reply is the response that is due; nil while there is no request.
func (c *conn) reply() *reply {
	switch {
	case c.parked != nil:
		return &c.parked.reply
	case c.t != nil:
		return &c.t.reply
	}
	return nil
}

// advance does one step with the octets that are in. It returns how many it consumed, and whether there may be more to do.
func (c *conn) advance(in []byte) (n int, more bool) {
	switch c.state {
	case idle, inHead:
		if len(in) == 0 {
			return 0, false
		}
		if !c.Room() { // for the answer: the client is to take earlier ones first
			c.Hold()
			return 0, false
		}
		return c.readHead(in)
	case inContent:
		return c.readContent(in)
	case streaming, unread:
		return c.readStream(in)
	case answering:
		return 0, false
	}
	return len(in), false // closing: nothing is read any more
}

// readHead parses a head and decides what becomes of its request.
func (c *conn) readHead(in []byte) (n int, more bool) {
	t := c.t
	if t == nil {
		t = c.protocol.take(c)
		c.t = t
	}
	if c.state == idle && t.used {
		t.reset()
	}
	t.used = true
	config := c.protocol.config()
	if c.state == idle && c.blank == 0 && t.repeat.begins(in, &config.Limits) {
		n = len(t.repeat.head)
	} else {
		var complete bool
		if n, complete = c.parseHead(in, config); !complete {
			return n, false
		}
	}
	c.blank = 0
	t.head = in[:n]
	c.requests++
	if counts := c.protocol.tally; counts != nil {
		t.begun = counts.Begin()
	}
	if log := c.protocol.log; log != nil && log.Wants().Time {
		t.notes.Begun = c.protocol.time()
	}
	t.http10 = t.request.Minor == 0
	t.close = !t.request.KeepAlive || c.last || config.IsLast(int(c.requests))
	if t.request.ForwardedFields {
		t.readVia()
	}
	m, more := c.begin(in[n:])
	return n + m, more
}

// parseHead parses a head that is not the one before. Where it is not complete, the connection is left as that has it: n octets are done with.
func (c *conn) parseHead(in []byte, config *Config) (n int, complete bool) {
	t := c.t
	if c.state == idle {
		t.repeat.forget()
		t.request.Reset()
		t.method = ""
		t.request.BehindEmptyLines(int(c.blank))
		t.limits = &config.Limits
	}
	if config.HTTP2 != nil && c.isPreface(in) {
		return 0, false
	}
	n, err := t.request.Parse(in, t.limits)
	if err == httpparse.NeedMore {
		if c.state == idle && len(bytes.TrimLeft(in[n:], "\r\n")) > 0 { // not empty lines only
			c.move(headStarted)
			c.SetDeadline(config.HeadTimeout)
		}
		c.blank += uint32(n)
		return n, false
	}
	t.method = method(t.request.Method.Of(in)) // empty when it was not read
	if err != nil {
		t.refused = in
		c.refuseParse(err)
		return len(in), false
	}
	t.repeat.note(in[:n], t.limits)
	return n, true
}

// rest gives back what an idle connection does not need.
func (c *conn) rest() {
	if c.t != nil {
		c.protocol.give(c.t)
		c.t = nil
	}
}

// run calls the application: the request is complete, or content will stream to it. content is what was read whole; so many octets
// are in behind it.
func (c *conn) run(content []byte, behind int) {
	t := c.t
	t.called = t.head
	c.protocol.behind = behind
	config := c.protocol.config()
	application := config.Application
	if t.isServerWide() {
		application = exchange.ServerWide
	}
	if t.stream != nil {
		t.exchange.Begin(t, t, t.stream)
		c.noteEnviron()
		t.exchange.RunBlocking(application)
		return
	}
	t.memory.Reset(content)
	t.exchange.Begin(t, t, &t.memory)
	c.noteEnviron()
	t.exchange.Run(application)
	if t.finished {
		return
	}
	c.SetDeadline(0)
	c.Hold()
	switch {
	case c.parked != nil:
		c.wait()
	case !t.gathered.IsZero() && !t.exchange.Environ.Detached(): // head and content are the transaction's
		t.late = true
	default: // the response goes on after this event: what it was called with must not move
		t.exchange.Environ.Detach()
		t.called = t.head
	}
}

// settle is called when a response is written, and decides how the connection goes on.
func (c *conn) settle() {
	t, r := c.t, c.reply()
	early := c.state == streaming
	switch {
	case !r.complete: // earlier answers still leave, where the framing shows it
		c.end(loop.ReasonAborted, early)
	case r.close || early && !t.canSkip():
		followed := r.followed || r.sent > lingerFrom || t != nil && t.mayBeFollowed()
		c.end(loop.ReasonDone, early || followed)
	case early:
		c.move(answeredEarly)
		t.stream.End(errGone)
		c.unpark()
		c.awaitOctets()
	default:
		c.move(answered)
		c.awaitRequest()
		c.unpark()
		if t != nil && (!c.inside || t.exchange.Environ.Detached()) {
			c.rest()
		}
	}
}

// unpark forgets a deferred answer that has ended.
func (c *conn) unpark() {
	if p := c.parked; p != nil {
		c.parked = nil
		p.deferred.Gone()
	}
}

// goesOn is called inside Data after the application was. It tells whether there may be another request to read.
func (c *conn) goesOn() (more bool) {
	if t := c.t; t != nil && t.finished {
		c.settle()
	}
	return c.state == idle || c.state == unread
}

// end closes the connection after what was written. An answer that is not complete must not look so where the end of the connection is its own.
func (c *conn) end(reason loop.Reason, linger bool) {
	c.move(connectionClosed)
	r := c.reply()
	if r != nil && !r.finished {
		c.DropFile() // what it was lent goes away with the request
	}
	if r != nil && !r.complete && r.framing == byClose {
		c.drop()
		c.Abort(reason)
		return
	}
	c.Finish(reason, linger)
	c.drop()
}

// drop ends the transaction of a connection that is closing.
func (c *conn) drop() {
	r := c.reply()
	if r == nil {
		return
	}
	if !r.finished && (c.parked != nil || c.t.taken || c.t.head != nil) {
		r.record()
	}
	t, deferred := c.t, c.parked != nil
	c.t = nil
	c.unpark()
	switch {
	case t == nil:
		return
	case t.stream != nil:
		t.stream.End(errGone)
	}
	switch {
	case deferred:
	case t.finished:
		c.protocol.give(t)
	default:
		t.exchange.Gone()
		t.leave() // a body that is in use is closed on a goroutine
	}
}

// EOF implements loop.Handler: the client sends no more, but may still read. An answer that it waits for is
// sent, and closes.
func (c *conn) EOF() {
	if c.parked != nil && !c.protocol.config().KeepHalfClosed && !c.parked.deferred.Ended() {
		c.end(loop.ReasonEOF, false)
		return
	}
	if c.Held() || !c.EndOfFile() {
		return // what it sent before comes first
	}
	switch c.state {
	case idle, unread:
		if c.Kept() == 0 { // else it was held until now, and comes with the end behind it
			c.end(loop.ReasonEOF, false)
		}
	case inHead, inContent:
		c.refuse(400, "the connection ended in the middle of the request")
	case streaming:
		c.contentFails(400, io.ErrUnexpectedEOF)
	}
}

// Drained implements loop.Handler: there is room for more of the answer.
func (c *conn) Drained() {
	switch {
	case c.parked != nil:
		c.parked.deferred.Resume()
	case c.t == nil || c.state == inHead:
		if c.state == idle {
			c.awaitRequest()
		}
		c.Release()
	case !c.t.finished:
		t := c.t
		if t.exchange.Resume(); c.t != t {
			t.release() // there is no call of the application any more
		}
	}
}

// Timeout implements loop.Handler.
func (c *conn) Timeout() {
	switch c.state {
	case idle:
		if c.Room() { // else the client's time begins when there is
			c.end(loop.ReasonIdle, false)
		}
	case inHead, inContent:
		c.refuse(408, "the request took too long")
	case streaming:
		c.contentFails(408, errTimeout)
	case unread:
		c.end(loop.ReasonTimeout, true)
	case answering:
		if c.parked != nil {
			c.parked.deferred.Expire()
		}
	}
}

// Shutdown implements loop.Handler. The response to the next request, or to this one, says that it is the last; one whose head has said that the
// connection goes on, has it go on for one more.
func (c *conn) Shutdown() {
	c.last = true
	if r := c.reply(); r != nil {
		r.close = r.close || !r.headSent
	}
}

// Idle implements loop.Idler. Without room a request may wait, read or not: nobody looks.
func (c *conn) Idle() bool { return c.state == idle && c.Room() }

// awaitRequest gives the client its time for another request.
func (c *conn) awaitRequest() {
	if c.last {
		c.Farewell()
		return
	}
	c.SetDeadline(c.protocol.config().IdleTimeout)
}

// Closed implements loop.Handler.
func (c *conn) Closed(loop.Reason) {
	if c.state != closing {
		c.move(connectionClosed)
	}
	c.drop()
}

// refuseParse answers what the parser refuses.
func (c *conn) refuseParse(err error) {
	e := err.(*httpparse.Error)
	if t := c.protocol.tally; t != nil {
		t.Refuse(int(e.Kind))
	}
	c.refuse(e.Status(), e.Kind.String())
}

// refuse answers a request that cannot be served, and closes. why is for the client to read.
func (c *conn) refuse(code int, why string) {
	b := c.Buffer()
	status := statusLine(code)
	b = append(append(append(b, "HTTP/1.1 "...), status...), "\r\n"...)
	b = append(b, c.protocol.fields()...)
	b = append(b, "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "...)
	isHead := c.t != nil && c.t.method == "HEAD"
	text := status[4:] + ": " + why + "\n"
	b = appendInt(b, int64(len(text)))
	b = append(b, "\r\n\r\n"...)
	if !isHead {
		b = append(b, text...)
	}
	c.SetBuffer(b)
	if c.protocol.log != nil {
		c.logRefusal(code, len(text))
	}
	if t := c.protocol.tally; t != nil {
		var begun tally.Moment
		if r := c.reply(); r != nil {
			begun = r.begun
		}
		t.End(begun, code)
	}
	reason := loop.ReasonProtocol
	if code == 408 {
		reason = loop.ReasonTimeout
	}
	if c.t != nil {
		c.t.finished = true // no exchange was begun, or it was told
	}
	if c.parked != nil {
		c.parked.finished = true
	}
	c.end(reason, true)
}
