package h1

import (
	"errors"
	"io"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
)

var (
	errGone    = app.ErrGone
	errTimeout = errors.New("the client took too long to send its content")
	errTooLong = errors.New("the content is longer than this server accepts")
)

// skipMost is how many octets of content that the application did not read are read for it, to keep the
// connection; with more to come, or not known how many, it is closed.
const skipMost = 256 << 10

// gatherFrom is how many octets of content have to be there before memory is set aside for all of it.
const gatherFrom = 16 << 10

// begin looks at the framing of the content (RFC 9112 6.3) behind a head that was just read, and goes
// as far as the octets that are in allow.
func (c *conn) begin(in []byte) (n int, more bool) {
	t := c.t
	r := &t.request
	config := c.protocol.config()
	switch {
	case r.Form == httpparse.AuthorityForm:
		c.refuse(501, "CONNECT is for proxies")
		return len(in), false
	case r.Form == httpparse.AbsoluteForm && !strings.EqualFold(view(r.Scheme.Of(t.head)), c.scheme()):
		c.refuse(421, "this connection is not for that scheme") // RFC 9110 7.4
		return len(in), false
	case r.Expect == httpparse.ExpectOther:
		c.refuse(417, "the only expectation that can be met is 100-continue")
		return len(in), false
	case config.MaxContent > 0 && r.ContentLength > config.MaxContent:
		c.refuse(413, errTooLong.Error())
		return len(in), false
	}
	t.asked = r.Expect != httpparse.ExpectContinue
	t.patience.Begin(c.Received() - uint32(len(in)))
	switch {
	case r.Chunked:
	case r.ContentLength <= 0:
		t.length = r.ContentLength
		c.move(requestComplete)
		c.run(nil, len(in))
		return 0, c.goesOn()
	case r.ContentLength <= int64(config.ContentBuffer), (t.asked || len(in) > 0) && c.MayGather(r.ContentLength):
		t.length, t.left = r.ContentLength, r.ContentLength
	default:
		t.length, t.left = r.ContentLength, r.ContentLength
		return c.openStream(in)
	}
	if r.ContentLength > int64(len(in)) || r.Chunked {
		c.askFor(in)
	}
	c.move(contentMissing)
	return c.readContent(in)
}

// askFor sends 100 (Continue) when the client waits for it: nothing of the content is in (RFC 9110 10.1.1).
func (c *conn) askFor(in []byte) {
	t := c.t
	switch {
	case t.asked:
	case len(in) > 0:
		t.asked = true // it did not wait
	case !c.reply().headSent: // an interim response cannot follow the head of the final one
		t.asked = true
		c.SetBuffer(append(c.Buffer(), "HTTP/1.1 100 Continue\r\n\r\n"...))
	}
}

// readContent reads content that the application gets whole.
func (c *conn) readContent(in []byte) (n int, more bool) {
	t := c.t
	if !t.request.Chunked {
		if int64(len(in)) < t.left {
			if !t.gathers && t.left > int64(c.protocol.config().ContentBuffer) && len(in) >= gatherFrom {
				return c.gather(in)
			}
			return c.awaitContent(0)
		}
		n = int(t.left)
		t.left = 0
		c.move(requestComplete)
		if t.gathers || n > loop.ReadSize { // it is in a buffer of the connection's, which is too large to copy when the answer takes time
			t.owns = true
			t.gathered = c.Take(in, n)
			c.run(in[:n:n], len(in)-n)
			c.goesOn()
			return len(in), false // what is behind it comes again
		}
		c.run(in[:n:n], len(in)-n)
		return n, c.goesOn()
	}
	for n < len(in) {
		data, m, done, err := t.chunked.Decode(in[n:], &c.protocol.config().Limits)
		if err != nil {
			c.refuseParse(err)
			return len(in), false
		}
		n += m
		t.collected = append(t.collected, data...)
		if most := c.protocol.config().MaxContent; most > 0 && int64(len(t.collected)) > most {
			c.refuse(413, errTooLong.Error())
			return len(in), false
		}
		if done {
			t.length = int64(len(t.collected))
			c.move(requestComplete)
			c.run(t.collected, len(in)-n)
			return n, c.goesOn()
		}
		if len(t.collected) > c.protocol.config().ContentBuffer {
			m, more := c.openStream(in[n:])
			return n + m, more
		}
	}
	return c.awaitContent(n)
}

// gather has content that is longer than ContentBuffer received into one buffer, if there is memory for that.
func (c *conn) gather(in []byte) (n int, more bool) {
	t := c.t
	if !c.Gather(in, int(t.left)) {
		return c.openStream(in)
	}
	t.gathers = true
	return c.awaitContent(len(in))
}

// awaitContent is the end of a step that needs more content.
func (c *conn) awaitContent(n int) (int, bool) {
	if !c.t.kept {
		c.t.kept = true
		c.t.keepHead()
	}
	c.awaitOctets()
	return n, false
}

// openStream calls the application on a goroutine, with content that is still to come.
func (c *conn) openStream(in []byte) (n int, more bool) {
	t := c.t
	t.stream = exchange.NewStream(c.protocol.loop, func() { c.wantContent(t) })
	c.move(contentStreams)
	if len(t.collected) > 0 {
		t.stream.Feed(t.collected)
		t.received = int64(len(t.collected))
	}
	c.run(nil, 0)
	if t.finished { // no goroutine was to be had
		c.settle()
		return 0, c.state == unread
	}
	return c.readStream(in)
}

// wantContent is called on the loop when the application reads, and the stream has little.
func (c *conn) wantContent(t *transaction) {
	if c.t != t || c.state != streaming || t.finished {
		return
	}
	c.askFor(nil)
	c.awaitOctets()
	c.Release()
}

// readStream feeds content to the application, or skips it when the answer is written.
func (c *conn) readStream(in []byte) (n int, more bool) {
	t := c.t
	if c.state == streaming && len(in) > 0 {
		t.asked = true // it is coming unasked
	}
	full := false
	for n < len(in) && !full {
		data, m, done, err := t.decode(in[n:], &c.protocol.config().Limits)
		n += m
		t.received += int64(len(data))
		if err == nil && c.protocol.config().MaxContent > 0 && t.received > c.protocol.config().MaxContent {
			err = errTooLong
		}
		if err != nil {
			code := 413
			if e, ok := err.(*httpparse.Error); ok {
				code, err = e.Status(), errors.New(e.Kind.String())
			}
			c.contentFails(code, err)
			return len(in), false
		}
		if len(data) > 0 && c.state == streaming {
			full = t.stream.Feed(data)
		}
		if done {
			return n, c.contentEnds()
		}
		if c.state == unread && t.received > t.skipTo {
			c.end(loop.ReasonProtocol, true)
			return len(in), false
		}
	}
	if full || !t.asked && c.state == streaming { // what is waited for is the application
		c.awaitApplication()
	} else {
		c.awaitOctets()
	}
	if full {
		c.Hold()
	}
	return n, false
}

// decode takes content off the front of in.
func (t *transaction) decode(in []byte, limits *httpparse.Limits) (data []byte, n int, done bool, err error) {
	if t.request.Chunked {
		return t.chunked.Decode(in, limits)
	}
	n = int(min(t.left, int64(len(in))))
	t.left -= int64(n)
	return in[:n], n, t.left == 0, nil
}

// contentEnds is the end of streaming or unread content. It tells whether there may be another request to read.
func (c *conn) contentEnds() (more bool) {
	c.move(contentComplete)
	if c.state == idle {
		c.awaitRequest()
		c.rest()
		return true
	}
	c.t.stream.End(io.EOF)
	c.awaitApplication()
	c.Hold()
	if c.parked != nil {
		c.parked.deferred.Waits() // until here the deadline was the content's
	}
	return false
}

// contentFails gives up on content that is cut off, late, too long or malformed, while the application reads
// it. The client is told why, unless the application has begun to answer.
func (c *conn) contentFails(code int, err error) {
	t := c.t
	if c.state == unread {
		c.end(loop.ReasonProtocol, true)
		return
	}
	t.stream.End(err)
	r := c.reply()
	if !r.headSent {
		t.exchange.Gone()
		c.refuse(code, err.Error())
		return
	}
	r.close = true
	c.move(contentComplete)
	c.awaitApplication()
	c.Hold()
}

// canSkip tells whether the rest of the content is few enough octets to read them away.
func (t *transaction) canSkip() bool {
	if !t.asked { // the client was not told to send it, and may not
		return false
	}
	t.skipTo = t.received + skipMost
	return t.request.Chunked || t.left <= skipMost
}
