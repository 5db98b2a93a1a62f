package gateway

import (
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/tally"
)

// response is the response to a request: the side of exchange.Wire that writes to the connection.
type response struct {
	c        *conn
	sent     int64 // octets of content that were passed to the connection
	file     rest
	begun    tally.Moment // when the request was; zero: it is not counted
	status   int16        // 0: no head is sent
	sized    bool         // the head has told how much content follows, or that there is none
	close    bool         // the connection does not persist after this response
	finished bool         // the response is written
	complete bool         // and whole
	short    bool         // the file that was sent last has ended early
}

// rest is what is left to send of a file. It leaves a record at a time, each when the one before has left.
type rest struct {
	file   app.File // nil: nothing is sent of one
	offset int64
	left   int64
}

// Hints implements exchange.Wire: none of the protocols has interim responses.
func (r *response) Hints([]app.Header) {}

// Head implements exchange.Wire. Date and Server are the web server's, and so is how its own connection goes on.
func (r *response) Head(h *exchange.Head) {
	c := r.c
	r.status = int16(h.Code)
	if c.protocol.log != nil {
		c.noteHead(h.Headers)
	}
	r.close = r.close || h.Close
	b := c.codec.appendStatus(c.protocol.head[:0], h.Status)
	mayHaveLength := h.Code != 204 && h.Code != 205 // RFC 9110 8.6
	for i := range h.Headers {
		f := &h.Headers[i]
		if h.HasLength && !mayHaveLength && strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	r.sized = h.NoContent || h.Length >= 0
	if mayHaveLength && !h.HasLength && h.Length >= 0 {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), h.Length, 10), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	r.write(b)
	c.protocol.head = b
}

// write sends a part of the response, in records.
func (r *response) write(p []byte) {
	c := r.c
	for len(p) > 0 {
		b, n := c.codec.appendRecord(c.Buffer(), int64(len(p)))
		c.SetBuffer(b)
		c.Write(p[:n])
		p = p[n:]
	}
}

// Chunk implements exchange.Wire.
func (r *response) Chunk(p []byte) {
	r.sent += int64(len(p))
	r.write(p)
}

// File implements exchange.Wire.
func (r *response) File(file app.File, offset, n int64) {
	r.short = false
	r.file = rest{file, offset, n}
	r.goOnWithFile()
}

// goOnWithFile sends the next record of the file.
func (r *response) goOnWithFile() {
	c, f := r.c, &r.file
	b, n := c.codec.appendRecord(c.Buffer(), f.left)
	c.SetBuffer(b)
	c.SendFile(f.file, f.offset, n)
	r.sent += n
	f.offset += n
	f.left -= n
}

// fileDrained is called when what was sent of the file has left. It tells whether more of it is on its way.
func (r *response) fileDrained() (more bool) {
	if r.file.file == nil {
		return false
	}
	r.short = r.c.FileShort()
	if r.file.left > 0 && !r.short {
		r.goOnWithFile()
		return true
	}
	r.file = rest{}
	return false
}

// FileShort implements exchange.Wire.
func (r *response) FileShort() bool { return r.short }

// Flush implements exchange.Wire.
func (r *response) Flush() { r.c.Flush() }

// Room implements exchange.Wire.
func (r *response) Room() bool { return r.c.Room() }

// Unsent implements exchange.Wire.
func (r *response) Unsent() int { return r.c.Unsent() + int(min(r.file.left, exchange.HighWater+1)) }

// Finish implements exchange.Wire.
func (r *response) Finish(complete bool) {
	c := r.c
	if complete {
		c.SetBuffer(c.codec.appendEnd(c.Buffer()))
	} else {
		c.DropFile()
	}
	r.finished, r.complete = true, complete
	r.record()
	if !c.inside { // else advance goes on from here
		c.settle()
	}
}

// record tells the access log and the counts of what was answered. It is called once for each request, while its views are good.
func (r *response) record() {
	p := r.c.protocol
	if p.log != nil {
		r.c.logAnswer()
	}
	if p.tally != nil {
		p.tally.End(r.begun, int(r.status))
	}
}
