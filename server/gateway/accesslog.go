package gateway

import (
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/accesslog"
)

// noteHead takes down what the log wants of the headers of the response that is due.
func (c *conn) noteHead(headers []app.Header) {
	wants := c.protocol.log.Wants()
	if c.parked != nil {
		wants.NoteHead(&c.parked.entry.Notes, headers)
	} else {
		wants.NoteHead(&c.t.notes, headers)
	}
}

// logAnswer logs the request and what was sent of its answer.
func (c *conn) logAnswer() {
	r, p := c.response(), c.protocol
	switch {
	case !p.log.Picks(int(r.status)):
	case c.parked != nil:
		c.logEntry(c.parked.entry, int(r.status), r.sent)
	default:
		e := c.t.entry(p.line, p.values)
		p.line, p.values = e.RequestLine, e.In
		c.logEntry(&e, int(r.status), r.sent)
	}
}

// logEntry logs e, which is what the request was, with what was answered.
func (c *conn) logEntry(e *accesslog.Entry, status int, octets int64) {
	e.Status, e.Octets = status, octets
	c.protocol.log.Append(c.protocol.loop.Now(), e)
}

// entry is what the log says of the request: views of its variables, a line in line, and in values those that the log wants.
func (t *transaction) entry(line []byte, values [][]byte) (e accesslog.Entry) {
	e.Remote = t.remote()
	if t.method != "" {
		line = append(append(append(line[:0], t.method...), ' '), t.uri...)
		e.RequestLine = append(append(line, ' '), t.protocol...)
	}
	e.Notes = t.notes
	e.In = values[:0]
	for _, name := range t.c.protocol.log.Wants().In {
		e.In = append(e.In, t.value(name))
	}
	return e
}

// value is that of the first field of this name; nil when there is none.
func (t *transaction) value(name string) []byte {
	for i := range t.fields {
		if strings.EqualFold(view(t.fields[i].name), name) {
			return t.fields[i].value
		}
	}
	return nil
}
