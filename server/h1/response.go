package h1

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/tally"
)

// reply is the response to a request: the side of exchange.Wire that writes to the connection.
type reply struct {
	c        *conn
	sent     int64        // octets of content that were passed to the connection
	begun    tally.Moment // when the request was; zero: it is not counted
	status   int16        // 0: no head is sent
	framing  framing
	http10   bool // the client speaks HTTP/1.0
	headSent bool
	close    bool // the connection does not persist after this response
	followed bool // more than the request may be on its way from the client; set when the request is forgotten
	inChunk  bool // a file is passed on as a chunk, which has no end yet
	finished bool // the response is written
	complete bool // and whole
}

// framing is how the content of a response is delimited.
type framing uint8

const (
	byLength framing = iota // Content-Length, or there is no content
	byChunks
	byClose
)

// Head implements exchange.Wire.
func (r *reply) Head(h *exchange.Head) {
	c := r.c
	r.headSent, r.status = true, int16(h.Code)
	if c.protocol.log != nil {
		c.noteHead(h.Headers)
	}
	r.close = r.close || h.Close || c.last || h.Done && c.state == streaming && !c.t.canSkip()
	// Most responses of an application have the head of the one before, but for a date that changes once a second.
	usual := !r.close && !r.http10 && h.Length >= 0 && !h.NoContent
	fields := c.protocol.fields()
	last := &h.Rendered
	if usual && len(last.Octets) > 0 && last.Length == h.Length && last.At == c.protocol.fixedAt {
		c.Write(last.Octets)
		return
	}
	b := c.Buffer()
	start := len(b)
	b = r.appendHead(b, h, fields)
	c.SetBuffer(b)
	last.Octets = last.Octets[:0]
	if usual {
		last.Octets = append(last.Octets, b[start:]...)
		last.Length, last.At = h.Length, c.protocol.fixedAt
	}
}

// Hints implements exchange.Wire.
func (r *reply) Hints(headers []app.Header) {
	if r.http10 || r.headSent { // RFC 9110 15.2
		return
	}
	b := append(r.c.Buffer(), "HTTP/1.1 103 Early Hints\r\n"...)
	for i := range headers {
		if f := &headers[i]; !strings.EqualFold(f.Name, "Content-Length") {
			b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
		}
	}
	r.c.SetBuffer(append(b, "\r\n"...))
	r.c.Flush()
}

// appendHead renders a head, and decides on the framing.
func (r *reply) appendHead(b []byte, h *exchange.Head, fields []byte) []byte {
	b = append(append(append(b, "HTTP/1.1 "...), h.Status...), "\r\n"...)
	date := r.c.protocol.date
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
	case r.http10:
		r.framing, r.close = byClose, true
	default:
		r.framing = byChunks
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case h.Code == 426: // RFC 9110 15.5.22: it names the protocol, and there is one
		b = append(b, "Upgrade: websocket\r\nConnection: Upgrade"...)
		if r.close {
			b = append(b, ", close"...)
		}
		b = append(b, "\r\n"...)
	case r.close:
		b = append(b, "Connection: close\r\n"...)
	case r.http10:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Chunk implements exchange.Wire.
func (r *reply) Chunk(p []byte) {
	c := r.c
	r.sent += int64(len(p))
	if r.framing != byChunks {
		c.Write(p)
		return
	}
	r.beginChunk(int64(len(p)))
	c.Write(p)
	r.endChunk()
}

// Borrow implements exchange.Borrower.
func (r *reply) Borrow(p []byte) {
	r.sent += int64(len(p))
	if r.framing == byChunks {
		r.beginChunk(int64(len(p)))
	}
	r.c.Lend(p)
}

// beginChunk writes what comes before the n octets of a chunk (RFC 9112 7.1).
func (r *reply) beginChunk(n int64) {
	r.endChunk()
	r.inChunk = true
	b := strconv.AppendInt(r.c.Buffer(), n, 16)
	r.c.SetBuffer(append(b, "\r\n"...))
}

// endChunk writes what comes behind a chunk, if that was not done: nothing can be written behind what is being sent
// from a file or was borrowed.
func (r *reply) endChunk() {
	if r.inChunk {
		r.inChunk = false
		r.c.SetBuffer(append(r.c.Buffer(), "\r\n"...))
	}
}

// File implements exchange.Wire.
func (r *reply) File(file app.File, offset, n int64) {
	r.sent += n
	if r.framing == byChunks {
		r.beginChunk(n)
	}
	r.c.SendFile(file, offset, n)
}

// FileShort implements exchange.Wire.
func (r *reply) FileShort() bool { return r.c.FileShort() }

// Flush implements exchange.Wire.
func (r *reply) Flush() { r.c.Flush() }

// Room implements exchange.Wire.
func (r *reply) Room() bool { return r.c.Room() }

// Unsent implements exchange.Wire.
func (r *reply) Unsent() int { return r.c.Unsent() }

// Finish implements exchange.Wire.
func (r *reply) Finish(complete bool) {
	c := r.c
	switch {
	case !complete:
		c.DropFile()
	case r.framing == byChunks:
		r.endChunk()
		c.SetBuffer(append(c.Buffer(), "0\r\n\r\n"...))
	}
	r.finished, r.complete = true, complete
	r.record()
	if c.inside {
		return // Data goes on from here
	}
	c.settle()
	c.goOn()
}

// record tells the access log and the counts of what was answered. It is called once for each request, while its views are good.
func (r *reply) record() {
	p := r.c.protocol
	if p.log != nil {
		r.c.logAnswer()
	}
	if p.tally != nil {
		p.tally.End(r.begun, int(r.status))
	}
}

// lingerFrom is from how many octets of content on a closing connection waits for the client's end: less has
// left before the client can send anything more.
const lingerFrom = 16 << 10

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
