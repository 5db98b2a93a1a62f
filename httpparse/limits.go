package httpparse

import "math"

// Limits bounds what one request head, or one trailer section, may hold. All
// octet counts include line terminators. A limit is found while the line that
// breaks it is still incomplete, so a caller never needs to buffer more than
// RequestLine + FieldSection octets, and the empty lines before them.
type Limits struct {
	RequestLine  int // octets of the request line, and of the empty lines before it
	FieldSection int // octets after the request line, up to the end of the head
	FieldLine    int // octets of one field line
	Fields       int // number of field lines
}

// DefaultLimits returns limits that the requests of browsers stay far below:
// 8 KiB, 64 KiB, 16 KiB and 100 fields. RFC 9112 section 3 recommends at least
// 8000 octets for the request line.
func DefaultLimits() Limits {
	return Limits{
		RequestLine:  8 << 10,
		FieldSection: 64 << 10,
		FieldLine:    16 << 10,
		Fields:       100,
	}
}

// limitAt returns start+limit, held below what a Span can express.
func limitAt(start, limit int) int {
	const top = min(math.MaxUint32, math.MaxInt)
	if uint64(limit) > uint64(top-start) {
		if limit < 0 {
			return start
		}
		return top
	}
	return start + limit
}
