package h1

import (
	"bytes"
	"strings"

	"github.com/weirhttp/weir/server/accesslog"
)

// maxRefusedLine bounds what the log has of a request line that was refused, in octets.
const maxRefusedLine = 1024

// logAnswer logs the request and what was sent of its answer. It is called while the views of the request are good.
func (t *transaction) logAnswer() { t.c.logEntry(t, t.status, t.sent) }

// logRefusal logs a request that is refused with a text of size octets.
func (c *conn) logRefusal(code, size int) {
	if c.t != nil && c.t.method == "HEAD" {
		size = 0
	}
	c.logEntry(c.t, code, int64(size))
}

// logEntry logs what is known of the request of t, which may be nil.
func (c *conn) logEntry(t *transaction, status int, octets int64) {
	p := c.protocol
	e := accesslog.Entry{Remote: c.Remote().Addr(), Status: status, Octets: octets}
	switch {
	case t == nil:
	case t.head != nil:
		e.RequestLine = t.requestLine()
		if p.config.AccessLog.Combined() {
			e.Referer, e.UserAgent = t.refererAndAgent()
		}
	default:
		e.RequestLine = refusedLine(t.refused)
	}
	p.log.Append(p.loop.Now(), &e)
}

// requestLine is the request line as it was received, without its line end. It is a view of the head.
func (t *transaction) requestLine() []byte {
	r := &t.request
	return t.head[r.Method.Start : int(r.Target.End)+len(" HTTP/1.1")]
}

// refererAndAgent are the values of these fields, views of the head.
func (t *transaction) refererAndAgent() (referer, agent []byte) {
	for i := range t.request.Fields {
		f := &t.request.Fields[i]
		switch f.Name.Len() {
		case len("Referer"):
			if referer == nil && strings.EqualFold(view(f.Name.Of(t.head)), "Referer") {
				referer = f.Value.Of(t.head)
			}
		case len("User-Agent"):
			if agent == nil && strings.EqualFold(view(f.Name.Of(t.head)), "User-Agent") {
				agent = f.Value.Of(t.head)
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
