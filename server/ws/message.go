package ws

import (
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/loop"
)

// partial is a message that has not come whole. There is none while a connection is idle.
type partial struct {
	data       []byte // unmasked
	checked    int    // octets of data that are known to be UTF-8
	left       int64  // octets that are missing of the frame
	offset     int    // of the frame's payload: where its mask is
	frames     int
	mask       [4]byte
	kind       websocket.Kind
	compressed bool
	fin        bool // the frame is the last one
}

// firstRoom is the most that is reserved because of what a frame's header promises, in octets.
const firstRoom = 64 << 10

// Data implements loop.Handler: it goes through the frames that are in.
func (c *conn) Data(in []byte) (n int) {
	if c.stage == ended {
		return len(in)
	}
	c.inside = true
	for more := true; more && n < len(in); {
		var m int
		m, more = c.advance(in[n:])
		n += m
		if c.stage == ended {
			n = len(in)
		}
	}
	c.inside = false
	return n
}

// advance does one step with the octets that are in. It returns how many it consumed, and whether to go on.
func (c *conn) advance(in []byte) (n int, more bool) {
	switch p := c.partial; {
	case c.discard > 0:
		n = int(min(int64(len(in)), c.discard))
		c.discard -= int64(n)
		return n, true
	case p != nil && p.left > 0:
		return c.collect(in)
	}
	h, n := parseHeader(in)
	if n == 0 {
		return 0, false
	}
	fragmented := c.partial != nil || c.stage == closing && h.OpCode == ws.OpContinuation
	if err := checkHeader(in, h, fragmented, c.accepted.Deflate); err != nil {
		c.fail(websocket.CodeProtocol, err.Error())
		return n, false
	}
	if h.OpCode.IsControl() {
		end := n + int(h.Length)
		if len(in) < end {
			return 0, false
		}
		ws.Cipher(in[n:end], h.Mask, 0)
		c.control(h.OpCode, in[n:end])
		return end, true
	}
	return c.frame(h, in, n)
}

// frame takes a frame of a message, whose header is n octets.
func (c *conn) frame(h ws.Header, in []byte, n int) (int, bool) {
	if c.stage == closing { // the application has closed: all that is waited for is the client's close
		c.discard = h.Length
		return n, true
	}
	u, p := c.accepted.Upgrader, c.partial
	size, frames := h.Length, 1
	if p != nil {
		size, frames = size+int64(len(p.data)), p.frames+1
	}
	switch {
	case h.Length > int64(u.MaxFrame):
		c.fail(websocket.CodeTooBig, "the frame is too big")
		return n, false
	case size > int64(u.MaxMessage):
		c.fail(websocket.CodeTooBig, "the message is too big")
		return n, false
	case frames > u.MaxFragments:
		c.fail(websocket.CodePolicy, "the message has too many frames")
		return n, false
	}
	if end := int64(n) + h.Length; p == nil && h.Fin && int64(len(in)) >= end { // as most come
		payload := in[n:end]
		ws.Cipher(payload, h.Mask, 0)
		c.behind = len(in) - int(end)
		return int(end), c.message(websocket.Kind(h.OpCode), payload, h.Rsv1(), true)
	}
	if p == nil {
		p = &partial{kind: websocket.Kind(h.OpCode), compressed: h.Rsv1()}
		c.partial = p
		c.SetDeadline(max(u.MessageTimeout, 0))
	}
	p.frames, p.fin, p.left, p.mask, p.offset = frames, h.Fin, h.Length, h.Mask, 0
	p.data = slices.Grow(p.data, int(min(h.Length, firstRoom)))
	m, more := c.collect(in[n:])
	return n + m, more
}

// collect takes octets of a frame's payload.
func (c *conn) collect(in []byte) (n int, more bool) {
	p := c.partial
	n = int(min(int64(len(in)), p.left))
	start := len(p.data)
	p.data = append(p.data, in[:n]...)
	ws.Cipher(p.data[start:], p.mask, p.offset)
	p.left -= int64(n)
	p.offset += n
	whole := p.left == 0 && p.fin
	if p.kind == websocket.Text && !p.compressed {
		var ok bool
		if p.checked, ok = checkText(p.data, p.checked, whole); !ok {
			c.fail(websocket.CodeInvalid, notText)
			return n, false
		}
	}
	if !whole {
		return n, p.left == 0
	}
	c.partial = nil
	c.behind = len(in) - n
	c.rest()
	return n, c.message(p.kind, p.data, p.compressed, false)
}

const notText = "the text is not UTF-8"

// checkText goes on with checking that data is UTF-8, from the octet checked on. Behind the new value of checked is what may become a character
// with what is to come; whole tells that nothing is.
func checkText(data []byte, checked int, whole bool) (now int, ok bool) {
	end := len(data)
	if !whole {
		for i := end - 1; i >= checked && i > end-utf8.UTFMax; i-- {
			if utf8.RuneStart(data[i]) {
				if !utf8.FullRune(data[i:]) {
					end = i
				}
				break
			}
		}
	}
	return end, utf8.Valid(data[checked:end])
}

// message gives a message to the application. view tells that data is of the loop's buffer, and was not checked. It tells whether
// the next one may follow.
func (c *conn) message(kind websocket.Kind, data []byte, compressed, view bool) (more bool) {
	if compressed {
		inflated, err := websocket.Inflate(data, c.accepted.Upgrader.MaxMessage)
		switch {
		case errors.Is(err, websocket.ErrTooBig):
			c.fail(websocket.CodeTooBig, "the message is too big")
			return false
		case err != nil:
			c.fail(websocket.CodeInvalid, "the compressed message is malformed")
			return false
		}
		data = inflated
	}
	if kind == websocket.Text && (view || compressed) && !utf8.Valid(data) {
		c.fail(websocket.CodeInvalid, notText)
		return false
	}
	c.call(event{what: onMessage, kind: kind, data: data}, view && !compressed)
	return c.stage != ended && !c.calls.Away()
}

// control takes a control frame.
func (c *conn) control(code ws.OpCode, payload []byte) {
	switch code {
	case ws.OpPing:
		c.pong(payload)
	case ws.OpPong:
		if c.pinged && c.partial == nil {
			c.rest()
		}
	case ws.OpClose:
		c.closed(payload)
	}
}

// closed takes the client's close (RFC 6455 5.5.1), and answers it if it is not the answer itself.
func (c *conn) closed(payload []byte) {
	code, reason := websocket.CodeNone, ""
	switch {
	case len(payload) == 1:
		c.fail(websocket.CodeProtocol, "the close has half a code")
		return
	case len(payload) > 1:
		status, text := ws.ParseCloseFrameData(payload)
		switch {
		case !sendable(websocket.Code(status)):
			c.fail(websocket.CodeProtocol, "the close has a code that is never sent")
			return
		case !utf8.ValidString(text):
			c.fail(websocket.CodeInvalid, notText)
			return
		}
		code, reason = websocket.Code(status), text
	}
	if c.stage == open {
		c.code, c.reason = code, reason
		c.end(ws.OpClose, payload[:min(len(payload), 2)], loop.ReasonDone)
		return
	}
	c.end(0, nil, loop.ReasonDone)
}
