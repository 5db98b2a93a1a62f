package h1

import (
	"bytes"
	"strings"

	"github.com/weirhttp/weir/server/accesslog"
)

// maxRefusedLine bounds what the log has of a request line that was refused, in octets.
const maxRefusedLine = 1024

// logAnswer logs the request and what was sent of its answer. It is called while the views of the request are good.
func (c *conn) logAnswer() {
	r := c.reply()
	if c.parked != nil {
		c.logEntry(c.parked.entry, int(r.status), r.sent)
		return
	}
	e := c.t.entry()
	c.logEntry(&e, int(r.status), r.sent)
}

// logRefusal logs a request that is refused with a text of size octets.
func (c *conn) logRefusal(code, size int) {
	t := c.t
	if t != nil && t.method == "HEAD" {
		size = 0
	}
	var e accesslog.Entry
	switch {
	case t == nil:
	case t.head != nil:
		e = t.entry()
	default:
		e.RequestLine = refusedLine(t.refused)
	}
	c.logEntry(&e, code, int64(size))
}

// logEntry logs e, which is what the request was, with what was answered.
func (c *conn) logEntry(e *accesslog.Entry, status int, octets int64) {
	if !e.Remote.IsValid() {
		e.Remote = c.Remote().Addr()
	}
	e.Status, e.Octets = status, octets
	c.protocol.log.Append(c.protocol.loop.Now(), e)
}

// entry is what the log says of the request: views of its head.
func (t *transaction) entry() (e accesslog.Entry) {
	var head []byte
	if t.taken { // the application may be moving t.head
		head = t.called
	} else {
		head = t.head
	}
	r := &t.request
	if t.forwarded {
		e.Remote = t.via.client.Addr()
	}
	e.RequestLine = head[r.Method.Start : int(r.Target.End)+len(" HTTP/1.1")]
	if t.c.protocol.config.AccessLog.Combined() {
		e.Referer, e.UserAgent = t.refererAndAgent(head)
	}
	return e
}

// refererAndAgent are the values of these fields, views of head.
func (t *transaction) refererAndAgent(head []byte) (referer, agent []byte) {
	for i := range t.request.Fields {
		f := &t.request.Fields[i]
		switch f.Name.Len() {
		case len("Referer"):
			if referer == nil && strings.EqualFold(view(f.Name.Of(head)), "Referer") {
				referer = f.Value.Of(head)
			}
		case len("User-Agent"):
			if agent == nil && strings.EqualFold(view(f.Name.Of(head)), "User-Agent") {
				agent = f.Value.Of(head)
			}
		}
	}
	return referer, agent
}

// refusedLine is what looks like a request line in a head that the parser refused: a view of it.
func refusedLine(in []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(in, "\r\n"), newline)
	line = bytes.TrimSuffix(line, carriageReturn)
	return line[:min(len(line), maxRefusedLine)]
}

var newline, carriageReturn = []byte("\n"), []byte("\r")
