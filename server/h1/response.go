package h1

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/exchange"
)

// The methods of this file are exchange.Wire: they write a response to the connection.

// Head implements exchange.Wire.
func (t *transaction) Head(h *exchange.Head) {
	c := t.c
	t.headSent, t.status = true, h.Code
	t.close = t.close || h.Close || c.last || h.Done && c.state == streaming && !t.canSkip()
	// Most responses of an application have the head of the one before, but for a date that changes once a second.
	usual := !t.close && t.request.Minor == 1 && h.Length >= 0 && !h.NoContent
	fields := c.protocol.fields()
	if usual && h.Repeated && t.rendered.length == h.Length && t.rendered.at == c.protocol.fixedAt {
		c.Write(t.rendered.head)
		return
	}
	b := c.Buffer()
	start := len(b)
	b = t.appendHead(b, h, fields)
	c.SetBuffer(b)
	t.rendered.at = -1
	if usual {
		t.rendered.head = append(t.rendered.head[:0], b[start:]...)
		t.rendered.length, t.rendered.at = h.Length, c.protocol.fixedAt
	}
}

// rendered is the last head that a transaction has sent.
type rendered struct {
	head   []byte
	length int64 // Head.Length
	at     int64 // the second of its date; -1: not to be used again
}

// appendHead renders a head, and decides on the framing.
func (t *transaction) appendHead(b []byte, h *exchange.Head, fields []byte) []byte {
	b = append(append(append(b, "HTTP/1.1 "...), h.Status...), "\r\n"...)
	date := t.c.protocol.date
	switch {
	case h.HasDate && h.HasServer:
	case h.HasDate:
		b = append(b, fields[:len(fields)-len(date)]...)
	case h.HasServer:
		b = append(b, date...)
	default:
		b = append(b, fields...)
	}
	mayHaveLength := h.Code != 204 && h.Code != 205 // RFC 9110 8.6
	for i := range h.Headers {
		f := &h.Headers[i]
		if h.HasLength && !mayHaveLength && strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	switch {
	case h.Code == 205: // RFC 9110 15.3.6
		b = append(b, "Content-Length: 0\r\n"...)
	case h.HasLength || !mayHaveLength:
	case h.Length >= 0:
		b = append(b, "Content-Length: "...)
		b = append(appendInt(b, h.Length), "\r\n"...)
	case h.NoContent:
	case t.request.Minor == 0:
		t.framing, t.close = byClose, true
	default:
		t.framing = byChunks
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case t.close:
		b = append(b, "Connection: close\r\n"...)
	case t.request.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Chunk implements exchange.Wire.
func (t *transaction) Chunk(p []byte) {
	c := t.c
	t.sent += int64(len(p))
	if t.framing != byChunks {
		c.Write(p)
		return
	}
	b := strconv.AppendInt(c.Buffer(), int64(len(p)), 16)
	c.SetBuffer(append(b, "\r\n"...))
	c.Write(p)
	c.SetBuffer(append(c.Buffer(), "\r\n"...))
}

// File implements exchange.Wire. Its length is known, so that it is never chunked.
func (t *transaction) File(file app.File, offset, n int64) {
	t.sent += n
	t.c.SendFile(file, offset, n)
}

// Flush implements exchange.Wire.
func (t *transaction) Flush() { t.c.Flush() }

// Room implements exchange.Wire.
func (t *transaction) Room() bool { return t.c.Room() }

// Unsent implements exchange.Wire.
func (t *transaction) Unsent() int { return t.c.Unsent() }

// Finish implements exchange.Wire.
func (t *transaction) Finish(complete bool) {
	c := t.c
	if complete && t.framing == byChunks {
		c.SetBuffer(append(c.Buffer(), "0\r\n\r\n"...))
	}
	t.finished, t.complete = true, complete
	if c.protocol.log != nil {
		t.logAnswer()
	}
	if c.inside {
		return // Data goes on from here
	}
	c.settle()
	if c.state == idle || c.state == unread {
		c.release()
	}
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// statusLine is the text of a status: "404 Not Found". Two reasons have been renamed since net/http's (RFC 9110 15.5.14,
// 15.5.15).
func statusLine(code int) string {
	switch code {
	case 413:
		return "413 Content Too Large"
	case 414:
		return "414 URI Too Long"
	}
	return strconv.Itoa(code) + " " + http.StatusText(code)
}

// serverWide answers OPTIONS *, which asks about the server and not about the application (RFC 9110 9.3.7).
func serverWide(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Allow", Value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}})
	return app.Empty()
}
