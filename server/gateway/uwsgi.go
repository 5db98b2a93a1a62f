package gateway

import "encoding/binary"

// uwsgi is uWSGI's own protocol. A packet begins with a head of four octets,
//
//	modifier1, size of what follows (16 bits, the low octet first), modifier2
//
// and is a block of pairs, in which each name and each value has its size in front, of 16 bits again.
type uwsgi struct {
	plain
	begun    bool
	modifier byte
	block    int // octets of the block still to come
}

// What modifier1 may say of a request. The others are for other languages, or have the server load and run what the packet names.
const (
	modifierWSGI     = 0
	modifierMountsAt = 30  // SCRIPT_NAME is to be taken off the front of PATH_INFO
	modifierPing     = 100 // the answer is a head without a block, with modifier2 set
)

func (c *uwsgi) decode(in []byte) (int, piece, error) {
	if c.begun {
		return c.decodeBlock(in)
	}
	if len(in) == 0 {
		return 0, piece{}, nil
	}
	switch c.modifier = in[0]; c.modifier {
	case modifierWSGI, modifierMountsAt, modifierPing:
	default:
		return 0, piece{}, malformed("modifier1 is %d, which is none of WSGI's", c.modifier)
	}
	if len(in) < 4 {
		return 0, piece{}, nil
	}
	c.begun = true
	c.block = int(binary.LittleEndian.Uint16(in[1:]))
	if c.modifier == modifierPing {
		return 4, piece{kind: reply, data: []byte{modifierPing, 0, 0, 1}, last: true}, nil
	}
	if c.block == 0 {
		return 0, piece{}, malformed("the packet has no variables")
	}
	return 4, piece{kind: begun}, nil
}

// decodeBlock is decode behind the head of the packet.
func (c *uwsgi) decodeBlock(in []byte) (int, piece, error) {
	switch {
	case c.block < 0:
		return c.decodeContent(in)
	case c.block == 0:
		c.block = -1
		return 0, piece{kind: variablesEnd}, nil
	case len(in) == 0:
		return 0, piece{}, nil
	}
	n := min(c.block, len(in))
	c.block -= n
	return n, piece{kind: variables, data: in[:n]}, nil
}

func (c *uwsgi) pair(block []byte) (name, value, rest []byte, ok bool) {
	name, rest, ok = sized16(block)
	if ok {
		value, rest, ok = sized16(rest)
	}
	return name, value, rest, ok
}

// sized16 takes a string with its size in front off b.
func sized16(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// mountsAt tells whether PATH_INFO has SCRIPT_NAME in front.
func (c *uwsgi) mountsAt() bool { return c.modifier == modifierMountsAt }

// appendStatus begins what is an HTTP response without transfer coding.
func (c *uwsgi) appendStatus(b []byte, status string) []byte {
	return append(append(append(b, "HTTP/1.1 "...), status...), "\r\n"...)
}
