package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

var (
	errGone    = app.ErrGone
	errTimeout = errors.New("the client took too long to send its content")
	errTooLong = errors.New("the content is longer than this server accepts")
)

// readVariables takes octets of the block of variables.
func (c *conn) readVariables(p []byte) {
	t, limits := c.t, &c.protocol.config().Limits
	t.block = append(t.block, p...)
	if len(t.block) > limits.RequestLine+limits.FieldSection {
		c.refuse(431, "the variables of the request are too long")
	}
}

// readHead decides what becomes of a request whose variables are there.
func (c *conn) readHead() {
	t, config := c.t, c.protocol.config()
	c.requests++
	t.read = true
	if counts := c.protocol.tally; counts != nil {
		t.begun = counts.Begin()
	}
	if log := c.protocol.log; log != nil && log.Wants().Time {
		t.notes.Begun = accesslog.Now()
	}
	wrong := t.request.read(c.codec, t.block, &config.Limits)
	t.close = !c.codec.keeps() || c.last || config.IsLast(int(c.requests))
	switch {
	case wrong != nil:
		c.refuse(wrong.code, wrong.why)
		return
	case config.MaxContent > 0 && t.request.length > config.MaxContent:
		c.refuse(413, errTooLong.Error())
		return
	}
	t.length = t.request.length
	t.patience.Begin(c.Received())
	c.move(headComplete)
	if t.length > int64(config.ContentBuffer) {
		c.openStream()
	} else {
		c.awaitOctets()
	}
}

// readContent takes octets of content.
func (c *conn) readContent(p piece, behind int) {
	t, config := c.t, c.protocol.config()
	t.got += int64(len(p.data))
	switch {
	case config.MaxContent > 0 && t.got > config.MaxContent:
		c.contentFails(413, errTooLong)
	case c.state == streaming:
		if c.behind = t.stream.Feed(p.data); p.last {
			c.contentEnds(behind)
		} else if c.behind {
			c.awaitApplication()
			c.Hold()
		} else {
			c.awaitOctets()
		}
	case p.last && len(t.content) == 0:
		c.move(contentComplete)
		c.run(p.data, true, behind)
	default:
		t.content = append(t.content, p.data...)
		if p.last {
			c.contentEnds(behind)
		} else if len(t.content) > config.ContentBuffer {
			c.openStream()
		} else {
			c.awaitOctets()
		}
	}
}

// openStream calls the application on a goroutine, with content that is still to come.
func (c *conn) openStream() {
	t := c.t
	t.stream = exchange.NewStream(c.protocol.loop, func() { c.wantContent(t) })
	c.move(contentStreams)
	if len(t.content) > 0 {
		t.stream.Feed(t.content)
	}
	c.awaitOctets()
	c.run(nil, false, 0)
}

// wantContent is called on the loop when the application reads, and the stream has little.
func (c *conn) wantContent(t *transaction) {
	if c.t != t || c.state != streaming || !c.behind {
		return
	}
	c.behind = false
	c.awaitOctets()
	c.Release()
}

// contentEnds is the end of the content.
func (c *conn) contentEnds(behind int) {
	t := c.t
	streamed := c.state == streaming
	c.move(contentComplete)
	if !streamed {
		if t.length < 0 && len(t.content) > 0 { // FastCGI need not tell before
			t.length = int64(len(t.content))
		}
		c.run(t.content, false, behind)
		return
	}
	c.behind = false
	t.stream.End(io.EOF)
	c.awaitApplication()
	if c.parked != nil {
		c.parked.deferred.Waits() // until here the deadline was the content's
	}
}

// contentFails gives up on content that is cut off, late or too long. The client is told why, unless the application has begun to answer.
func (c *conn) contentFails(code int, err error) {
	t := c.t
	if c.state == streaming {
		t.stream.End(err)
		if c.response().status != 0 {
			c.end(loop.ReasonProtocol, true)
			return
		}
		t.exchange.Gone()
	}
	c.refuse(code, err.Error())
}

// awaitOctets sets the deadline for the next octets of content.
func (c *conn) awaitOctets() {
	config := c.protocol.config()
	pace := exchange.Pace{Timeout: config.ContentTimeout, Rate: config.ContentRate, Grace: config.ContentGrace}
	c.SetDeadline(c.t.patience.Left(&pace, c.protocol.loop.Now(), c.Received()))
}

// awaitApplication suspends the deadline: it is not the client who is waited for.
func (c *conn) awaitApplication() {
	c.t.patience.Begin(c.Received())
	c.SetDeadline(0)
}

// refuse answers a request that cannot be served, and closes. why is for the client to read, and for the log of the web server.
func (c *conn) refuse(code int, why string) {
	r := c.response()
	status := statusText(code)
	text := status[4:] + ": " + why + "\n"
	isHead := c.t != nil && c.t.method == "HEAD"
	c.SetBuffer(c.codec.appendError(c.Buffer(), "weir: "+status+": "+why))
	r.Head(&exchange.Head{
		Status:    status,
		Code:      code,
		Headers:   []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}},
		Length:    int64(len(text)),
		NoContent: isHead,
	})
	if !isHead {
		r.Chunk([]byte(text))
	}
	c.SetBuffer(c.codec.appendEnd(c.Buffer()))
	r.record()
	r.finished = true
	reason := loop.ReasonProtocol
	if code == 408 {
		reason = loop.ReasonTimeout
	}
	c.end(reason, true)
}

// statusText is the text of a status: "404 Not Found".
func statusText(code int) string {
	switch code {
	case 413:
		return "413 Content Too Large" // RFC 9110 15.5.14 has renamed it
	case 414:
		return "414 URI Too Long"
	}
	return strconv.Itoa(code) + " " + http.StatusText(code)
}
