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
	t.headSent = true
	t.close = t.close || h.Close || c.last
	b := append(c.Buffer(), "HTTP/1.1 "...)
	b = append(b, h.Status...)
	b = append(b, "\r\n"...)
	fixed := c.protocol.fields()
	switch {
	case h.HasDate && h.HasServer:
	case h.HasDate:
		b = append(b, fixed[:len(fixed)-len(c.protocol.date)]...)
	case h.HasServer:
		b = append(b, c.protocol.date...)
	default:
		b = append(b, fixed...)
	}
	mayHaveLength := h.Code != 204 // RFC 9110 8.6
	for i := range h.Headers {
		f := &h.Headers[i]
		if h.HasLength && !mayHaveLength && strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		b = append(b, f.Name...)
		b = append(b, ": "...)
		b = append(b, f.Value...)
		b = append(b, "\r\n"...)
	}
	switch {
	case h.HasLength || !mayHaveLength:
	case h.Length >= 0:
		b = append(b, "Content-Length: "...)
		b = appendInt(b, h.Length)
		b = append(b, "\r\n"...)
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
	c.SetBuffer(append(b, "\r\n"...))
}

// Chunk implements exchange.Wire.
func (t *transaction) Chunk(p []byte) {
	c := t.c
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
func (t *transaction) File(file app.File, offset, n int64) { t.c.SendFile(file, offset, n) }

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
	if c.inside {
		return // Data goes on from here
	}
	c.settle()
	if c.state == idle || c.state == unread {
		c.release()
	}
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// statusLine is the text of a status: "404 Not Found".
func statusLine(code int) string { return strconv.Itoa(code) + " " + http.StatusText(code) }

// serverWide answers OPTIONS *, which asks about the server and not about the application (RFC 9110 9.3.7).
func serverWide(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Allow", Value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"}})
	return app.Empty()
}
