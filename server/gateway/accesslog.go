package gateway

import (
	"strings"

	"github.com/weirhttp/weir/server/accesslog"
)

// logAnswer logs the request and what was sent of its answer.
func (c *conn) logAnswer() {
	r := c.response()
	if c.parked != nil {
		c.logEntry(c.parked.entry, int(r.status), r.sent)
		return
	}
	e := c.t.entry(c.protocol.line)
	c.protocol.line = e.RequestLine
	c.logEntry(&e, int(r.status), r.sent)
}

// logEntry logs e, which is what the request was, with what was answered.
func (c *conn) logEntry(e *accesslog.Entry, status int, octets int64) {
	e.Status, e.Octets = status, octets
	c.protocol.log.Append(c.protocol.loop.Now(), e)
}

// entry is what the log says of the request: views of its variables, and a line in line.
func (t *transaction) entry(line []byte) (e accesslog.Entry) {
	e.Remote = t.remote()
	if t.method != "" {
		line = append(append(append(line[:0], t.method...), ' '), t.uri...)
		e.RequestLine = append(append(line, ' '), t.protocol...)
	}
	if !t.c.protocol.config.AccessLog.Combined() {
		return e
	}
	for i := range t.fields {
		switch name := view(t.fields[i].name); {
		case strings.EqualFold(name, "Referer"):
			e.Referer = t.fields[i].value
		case strings.EqualFold(name, "User-Agent"):
			e.UserAgent = t.fields[i].value
		}
	}
	return e
}
