package gateway

import "bytes"

// scgi is SCGI, version 1: the variables are a netstring of names and values, each with a NUL behind it, and the content follows.
type scgi struct {
	plain
	phase scgiPhase
	block int // octets of the netstring still to come
}

type scgiPhase uint8

const (
	scgiSize scgiPhase = iota
	scgiBlock
	scgiComma
	scgiContent
)

// longestSize is how many digits the size of the netstring may have: more than any limit allows.
const longestSize = 9

func (c *scgi) decode(in []byte) (int, piece, error) {
	switch {
	case c.phase == scgiContent:
		return c.decodeContent(in)
	case len(in) == 0 && (c.phase != scgiBlock || c.block > 0):
		return 0, piece{}, nil
	}
	switch c.phase {
	case scgiSize:
		return c.decodeSize(in)
	case scgiBlock:
		if c.block == 0 {
			c.phase = scgiComma
			return 0, piece{kind: skipped}, nil
		}
		n := min(c.block, len(in))
		c.block -= n
		return n, piece{kind: variables, data: in[:n]}, nil
	}
	if in[0] != ',' {
		return 0, piece{}, malformed("there is no comma behind the netstring")
	}
	c.phase = scgiContent
	return 1, piece{kind: variablesEnd}, nil
}

// decodeSize reads the size of the netstring and the colon.
func (c *scgi) decodeSize(in []byte) (int, piece, error) {
	size := 0
	for i, octet := range in {
		switch {
		case octet == ':' && size > 0:
			c.phase, c.block = scgiBlock, size
			return i + 1, piece{kind: begun}, nil
		case octet < '0' || octet > '9' || i == longestSize || octet == '0' && size == 0:
			return 0, piece{}, malformed("the size of the netstring is wrong")
		}
		size = size*10 + int(octet-'0')
	}
	return 0, piece{}, nil
}

func (c *scgi) pair(block []byte) (name, value, rest []byte, ok bool) {
	name, rest, ok = bytes.Cut(block, zero)
	if ok {
		value, rest, ok = bytes.Cut(rest, zero)
	}
	return name, value, rest, ok
}

var zero = []byte{0}

// begin implements codec: a request must have a CONTENT_LENGTH, also where it has no content.
func (c *scgi) begin(length int64) bool {
	c.plain.begin(length)
	return length >= 0
}

func (c *scgi) appendStatus(b []byte, status string) []byte { return appendCGIStatus(b, status) }

// appendCGIStatus begins a CGI response (RFC 3875 6.3.3).
func appendCGIStatus(b []byte, status string) []byte {
	return append(append(append(b, "Status: "...), status...), "\r\n"...)
}
