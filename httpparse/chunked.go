package httpparse

import "math"

// Chunked decodes a body in the chunked transfer coding:
//
//	chunked-body   = *chunk last-chunk trailer-section CRLF ; RFC 9112 7.1
//	chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//	chunk-size     = 1*HEXDIG
//	last-chunk     = 1*("0") [ chunk-ext ] CRLF
//
// It is a state machine over octets and holds none of the body, so a Chunked
// may be copied between calls. The zero value is ready for use.
type Chunked struct {
	left       uint64 // octets of chunk-data that are still to come; the size while it is read
	offset     int64  // octets consumed in earlier calls
	section    int64  // octets of the trailer section
	line       int64  // octets of its line
	fields     int64  // its lines
	extensions uint16 // octets of chunk-ext in the whole body
	digits     uint8  // octets of chunk-size
	state      chunkState
	name       trailerName
}

// chunkState says what the next octet is, or what the last one was part of.
type chunkState uint8

const (
	chunkSize      chunkState = iota
	chunkData                 // left > 0
	chunkDataCR               // the CR behind the data
	chunkDataLF               // and its LF
	chunkSizeBWS              // white space behind the size, before ";"
	chunkExtBegin             // behind ";"
	chunkExtName              // in the name
	chunkExtEquals            // white space behind the name, before "=" or ";"
	chunkExtValue             // behind "="
	chunkExtToken             // in a value that is a token
	chunkExtQuoted            // in a value that is a quoted-string
	chunkExtPair              // behind its "\"
	chunkExtQuote             // behind its closing quote
	chunkExtEnd               // white space behind a value, before ";"
	chunkSizeLF               // behind the CR of the size line
	trailerLine               // at the start of a line
	trailerInName             // in the name of a field
	trailerValue              // behind its colon
	trailerLF                 // behind the CR of its line
	trailerLastLF             // behind the CR of the empty line
	chunkedDone
)

const (
	// maxSizeDigits bounds leading zeros, which the grammar does not.
	maxSizeDigits = 16

	// maxExtensions bounds the octets of all chunk extensions of one body,
	// which no recipient uses and a sender can make larger than the data (RFC
	// 9112 section 7.1.1 asks for such a limit). Its unit is octets.
	maxExtensions = 4 << 10
)

// Reset makes c ready for the next body.
func (c *Chunked) Reset() { *c = Chunked{} }

// Decode consumes octets from the start of buf. Data is a view into buf of at
// most one run of chunk data, which may be empty and lives as long as buf's
// contents stay. n is the number of octets consumed; the caller passes buf[n:]
// next, or what has come in after it. Done is true when the last chunk and the
// trailer section were consumed: octets from n on belong to the next request.
//
// n is 0 without done or an error only when buf is empty. Of limits, which must
// not be nil, FieldSection, FieldLine and Fields bound the trailer section, whose
// fields are checked and discarded.
//
// An error is an *[Error], with an offset into the coded body. After one, c
// must be Reset.
func (c *Chunked) Decode(buf []byte, limits *Limits) (data []byte, n int, done bool, err error) {
	for n < len(buf) && c.state != chunkedDone {
		if c.state == chunkData {
			run := buf[n:]
			if uint64(len(run)) >= c.left {
				run = run[:c.left]
				c.state = chunkDataCR
			}
			run = run[:len(run):len(run)]
			c.left -= uint64(len(run))
			n += len(run)
			c.offset += int64(n)
			return run, n, false, nil
		}
		var kind Kind
		switch {
		case c.state >= trailerLine:
			kind = c.trailer(buf[n], limits)
		case c.state >= chunkSizeBWS:
			kind = c.extension(buf[n])
		default:
			kind = c.framing(buf[n])
		}
		if kind != 0 {
			offset := int(c.offset) + n
			if kind == ForbiddenTrailer {
				offset -= c.name.length()
			}
			return nil, 0, false, refuse(kind, offset)
		}
		n++
	}
	c.offset += int64(n)
	return nil, n, c.state == chunkedDone, nil
}

// framing takes an octet of chunk-size, or of the line end behind chunk-data.
func (c *Chunked) framing(octet byte) Kind {
	switch c.state {
	case chunkSize:
		if digit := hexValue[octet]; digit < 16 {
			if c.digits == maxSizeDigits || c.left > math.MaxInt64>>4 {
				return BadChunkSize
			}
			c.digits++
			c.left = c.left<<4 | uint64(digit)
			return 0
		}
		if c.digits == 0 {
			return atLineEnd(octet, BadChunkSize)
		}
		return c.afterSize(octet)
	case chunkDataCR:
		if octet != '\r' {
			return atLineEnd(octet, BadChunkData)
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if octet != '\n' {
			return BareCR
		}
		c.state = chunkSize
		c.digits = 0
	}
	return 0
}

// afterSize takes the octet that ends chunk-size.
func (c *Chunked) afterSize(octet byte) Kind {
	switch octet {
	case '\r':
		c.state = chunkSizeLF
		return 0
	case ';', ' ', '\t':
		c.state = chunkSizeBWS
		return c.extension(octet)
	}
	return atLineEnd(octet, BadChunkSize)
}

// atLineEnd returns kind for an octet that should not stand where it does, or
// BareLF, which says better what is wrong.
func atLineEnd(octet byte, kind Kind) Kind {
	if octet == '\n' {
		return BareLF
	}
	return kind
}

// hexValue is the value of a HEXDIG, and 0xff for other octets.
var hexValue = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range 10 {
		t['0'+i] = uint8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = uint8(10+i), uint8(10+i)
	}
	return t
}()
