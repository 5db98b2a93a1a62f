package h1

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/accesslog"
)

// maxRefusedLine bounds what the log has of a request line that was refused, in octets.
const maxRefusedLine = 1024

// time is the time for a request whose head was just read: where others came before it in this event, when the last of them ended.
func (p *Protocol) time() int64 {
	if p.at == 0 {
		p.at = accesslog.Now()
	}
	return p.at
}

// noteHead takes down what the log wants of the headers of the response that is due.
func (c *conn) noteHead(headers []app.Header) {
	wants := c.protocol.log.Wants()
	if c.parked != nil {
		wants.NoteHead(&c.parked.entry.Notes, headers)
	} else {
		wants.NoteHead(&c.t.notes, headers)
	}
}

// noteEnviron takes down what the log wants of the environ, before the application has it.
func (c *conn) noteEnviron() {
	if log := c.protocol.log; log != nil && len(log.Wants().Environ) > 0 {
		log.Wants().NoteEnviron(&c.t.notes, &c.t.exchange.Environ)
	}
}

// logAnswer logs the request and what was sent of its answer. It is called while the views of the request are good.
func (c *conn) logAnswer() {
	r := c.reply()
	if !c.protocol.log.Picks(int(r.status)) {
		return
	}
	if c.parked != nil {
		c.logEntry(c.parked.entry, int(r.status), r.sent)
		return
	}
	e := &c.protocol.entry
	c.t.describe(e)
	c.logEntry(e, int(r.status), r.sent)
}

// logRefusal logs a request that is refused with a text of size octets.
func (c *conn) logRefusal(code, size int) {
	if !c.protocol.log.Picks(code) {
		return
	}
	t := c.t
	if t != nil && t.method == "HEAD" {
		size = 0
	}
	e := &accesslog.Entry{}
	switch {
	case t == nil:
	case t.head != nil:
		t.describe(e)
	default:
		e.RequestLine = refusedLine(t.refused)
	}
	c.logEntry(e, code, int64(size))
}

// logEntry logs e, which is what the request was, with what was answered.
func (c *conn) logEntry(e *accesslog.Entry, status int, octets int64) {
	if !e.Remote.IsValid() {
		e.Remote = c.Remote().Addr()
	}
	e.Status, e.Octets = status, octets
	c.protocol.at = c.protocol.log.Append(c.protocol.loop.Now(), e)
}

// describe makes e what the log says of the request: views of its head.
func (t *transaction) describe(e *accesslog.Entry) {
	var head []byte
	if t.taken { // the application may be moving t.head
		head = t.called
	} else {
		head = t.head
	}
	r := &t.request
	if t.forwarded {
		e.Remote = t.via.client.Addr()
	} else {
		e.Remote = netip.Addr{}
	}
	e.RequestLine = head[r.Method.Start : int(r.Target.End)+len(" HTTP/1.1")]
	e.Notes = t.notes
	e.In = e.In[:0]
	for _, name := range t.c.protocol.log.Wants().In {
		e.In = append(e.In, t.value(head, name))
	}
}

// value is that of the first field of this name, a view of head; nil when there is none.
func (t *transaction) value(head []byte, name string) []byte {
	for i := range t.request.Fields {
		f := &t.request.Fields[i]
		if f.Name.Len() == len(name) && strings.EqualFold(view(f.Name.Of(head)), name) {
			return f.Value.Of(head)
		}
	}
	return nil
}

// refusedLine is what looks like a request line in a head that the parser refused: a view of it.
func refusedLine(in []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(in, "\r\n"), newline)
	line = bytes.TrimSuffix(line, carriageReturn)
	return line[:min(len(line), maxRefusedLine)]
}

var newline, carriageReturn = []byte("\n"), []byte("\r")
