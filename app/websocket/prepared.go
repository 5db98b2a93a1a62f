package websocket

import (
	"encoding/binary"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Prepared is a message for many connections: its frame is built once, and shared by all. It does not change.
type Prepared struct {
	plain   []byte
	kind    Kind
	payload []byte // in plain

	once    sync.Once
	deflate []byte // compressed, for the connections that take it
}

// Prepare returns a message, of which data is a copy. err is ErrMessage.
func Prepare(kind Kind, data []byte) (*Prepared, error) {
	if !valid(kind, data) {
		return nil, ErrMessage
	}
	b := appendHeader(nil, ws.OpCode(kind), len(data), false)
	n := len(b)
	b = append(b, data...)
	return &Prepared{plain: b, kind: kind, payload: b[n:]}, nil
}

// Frame is the message as it goes over the wire; the caller must not change it. compress asks for the compressed one. It is for servers.
func (p *Prepared) Frame(compress bool) []byte {
	if !compress {
		return p.plain
	}
	p.once.Do(func() { p.deflate = Frame(p.kind, p.payload, true) })
	return p.deflate
}

func valid(kind Kind, data []byte) bool {
	return kind == Binary || kind == Text && utf8.Valid(data)
}

// Check tells whether a message can be sent: err is ErrMessage. It is for servers.
func Check(kind Kind, data []byte) error {
	if !valid(kind, data) {
		return ErrMessage
	}
	return nil
}

// Frame returns a frame with a copy of data. It is for servers.
func Frame(kind Kind, data []byte, compress bool) []byte {
	if !compress {
		return append(appendHeader(make([]byte, 0, maxHeader+len(data)), ws.OpCode(kind), len(data), false), data...)
	}
	// The header's length depends on what comes behind it.
	b := deflate(make([]byte, maxHeader, maxHeader+len(data)/2+64), data)
	var header [maxHeader]byte
	h := appendHeader(header[:0], ws.OpCode(kind), len(b)-maxHeader, true)
	copy(b[maxHeader-len(h):], h)
	return b[maxHeader-len(h):]
}

// Control returns a control frame. It is for servers.
func Control(code ws.OpCode, data []byte) []byte {
	return append(appendHeader(make([]byte, 0, 2+len(data)), code, len(data), false), data...)
}

// maxHeader is the length of the longest header of a frame without a mask, in octets.
const maxHeader = 10

// appendHeader appends the header of a frame that is a whole message (RFC 6455 5.2).
func appendHeader(b []byte, code ws.OpCode, n int, compressed bool) []byte {
	first := 0x80 | byte(code)
	if compressed {
		first |= 0x40
	}
	switch {
	case n < 126:
		return append(b, first, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(n))
}

// Len is the length of the message, in octets.
func (p *Prepared) Len() int { return len(p.payload) }
