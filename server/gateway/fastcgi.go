package gateway

import "encoding/binary"

// fastCGI is FastCGI, version 1, in the role of a responder, for one request at a time. All that is sent either way is in records: a
// head of eight octets,
//
//	version, type, request id (16 bits), size of the content (16 bits), size of the padding, reserved
//
// content and padding.
type fastCGI struct {
	id     uint16 // of the request that is served; 0: none
	keep   bool   // the connection is kept behind it
	stream byte   // which of its streams is due: typeParams, typeStdin, 0
	known  int64  // CONTENT_LENGTH; -1: it was not said
	read   int64  // octets of content

	// The record that is being read.
	of      kind // its content: variables, content or skipped
	left    int  // octets of content still to come
	padding int
	answer  [40]byte // storage of short replies
}

// Types of records.
const (
	typeBegin      = 1
	typeAbort      = 2
	typeEnd        = 3
	typeParams     = 4
	typeStdin      = 5
	typeStdout     = 6
	typeStderr     = 7
	typeGetValues  = 9
	typeValues     = 10
	typeUnknown    = 11
	recordHead     = 8
	flagKeep       = 1
	roleResponder  = 1
	maxManagement  = 4 << 10 // octets that are asked for with GET_VALUES
	maxRecord      = 0xfff8  // octets of a record that is sent: a multiple of 8, as the specification recommends
	statusComplete = 0
	cantMultiplex  = 1
	unknownRole    = 3
)

func (c *fastCGI) decode(in []byte) (n int, p piece, err error) {
	switch {
	case len(in) == 0:
		return 0, piece{}, nil
	case c.left > 0:
		n = min(c.left, len(in))
		c.left -= n
		if c.of == content {
			if c.read += int64(n); c.known >= 0 && c.read > c.known {
				return 0, piece{}, malformed("there is more content than CONTENT_LENGTH says")
			}
		}
		return n, piece{kind: c.of, data: in[:n:n]}, nil
	case c.padding > 0:
		n = min(c.padding, len(in))
		c.padding -= n
		return n, piece{kind: skipped}, nil
	case in[0] != 1:
		return 0, piece{}, malformed("the version of a record is %d", in[0])
	case len(in) < recordHead:
		return 0, piece{}, nil
	}
	return c.decodeHead(in)
}

// decodeHead reads the head of a record, and a short record whole.
func (c *fastCGI) decodeHead(in []byte) (n int, p piece, err error) {
	id, size := binary.BigEndian.Uint16(in[2:]), int(binary.BigEndian.Uint16(in[4:]))
	kind := in[1]
	mine := id != 0 && id == c.id
	switch {
	case kind == typeBegin && size != 8:
		return 0, piece{}, malformed("the size of a BEGIN_REQUEST is %d", size)
	case kind == typeBegin && (id == 0 || mine):
		return 0, piece{}, malformed("a BEGIN_REQUEST has the id %d, which is in use", id)
	case kind == typeGetValues && id == 0 && size > maxManagement:
		return 0, piece{}, malformed("a GET_VALUES has %d octets", size)
	case kind == typeBegin, kind == typeGetValues && id == 0:
		if len(in) < recordHead+size {
			return 0, piece{}, nil
		}
		c.padding = int(in[6])
		body := in[recordHead : recordHead+size]
		if kind == typeBegin {
			p = c.beginRequest(id, body)
		} else if p.data = c.values(body); p.data != nil {
			p.kind = reply
		} else {
			return 0, p, malformed("the names in a GET_VALUES are cut off")
		}
		return recordHead + size, p, nil
	}
	c.left, c.padding, c.of = size, int(in[6]), skipped
	p.kind = skipped
	switch {
	case kind == typeAbort && mine:
		p.kind = aborted
	case id == 0:
		p = piece{kind: reply, data: append(appendRecordHead(c.answer[:0], typeUnknown, 0, 8), kind, 0, 0, 0, 0, 0, 0, 0)}
	case !mine || kind != typeParams && kind != typeStdin: // DATA is for filters
	case kind != c.stream:
		return 0, piece{}, malformed("a record of type %d is not due", kind)
	case kind == typeParams && size > 0:
		c.of = variables
	case kind == typeParams:
		c.stream = typeStdin
		p.kind = variablesEnd
	case size > 0:
		c.of = content
	case c.known >= 0 && c.read < c.known:
		return 0, piece{}, malformed("there is less content than CONTENT_LENGTH says")
	default:
		c.stream = 0
		p.kind = contentEnd
	}
	return recordHead, p, nil
}

// beginRequest reads BEGIN_REQUEST.
func (c *fastCGI) beginRequest(id uint16, body []byte) piece {
	keep := body[2]&flagKeep != 0
	switch {
	case c.id != 0:
		return piece{kind: reply, data: appendEndRequest(c.answer[:0], id, cantMultiplex)}
	case binary.BigEndian.Uint16(body) != roleResponder:
		return piece{kind: reply, data: appendEndRequest(c.answer[:0], id, unknownRole), last: !keep}
	}
	c.id, c.keep, c.stream, c.known, c.read = id, keep, typeParams, -1, 0
	return piece{kind: begun}
}

// values answers GET_VALUES: one connection for each request that runs, and no number of them that matters. nil: the names are malformed.
func (c *fastCGI) values(names []byte) []byte {
	b := make([]byte, recordHead, 128)
	var told [3]bool
	for len(names) > 0 {
		name, _, rest, ok := c.pair(names)
		if !ok {
			return nil
		}
		names = rest
		for i, v := range [3]string{"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"} {
			if string(name) == v && !told[i] {
				told[i] = true
				value := [3]string{"65536", "65536", "0"}[i]
				b = append(append(append(b, byte(len(v)), byte(len(value))), v...), value...)
			}
		}
	}
	appendRecordHead(b[:0], typeValues, 0, len(b)-recordHead)
	return b
}

// pair takes a name and a value off block. Their sizes have one octet, or four with the highest bit set.
func (c *fastCGI) pair(block []byte) (name, value, rest []byte, ok bool) {
	n, rest, ok := pairSize(block)
	if !ok {
		return nil, nil, nil, false
	}
	v, rest, ok := pairSize(rest)
	if !ok || len(rest) < n || len(rest)-n < v {
		return nil, nil, nil, false
	}
	return rest[:n:n], rest[n : n+v : n+v], rest[n+v:], true
}

func pairSize(b []byte) (size int, rest []byte, ok bool) {
	switch {
	case len(b) > 0 && b[0]&0x80 == 0:
		return int(b[0]), b[1:], true
	case len(b) >= 4:
		return int(binary.BigEndian.Uint32(b) &^ (1 << 31)), b[4:], true
	}
	return 0, nil, false
}

func (c *fastCGI) begin(length int64) bool {
	c.known = length
	return true
}

func (c *fastCGI) appendStatus(b []byte, status string) []byte { return appendCGIStatus(b, status) }

func (c *fastCGI) appendRecord(b []byte, n int64) ([]byte, int64) {
	n = min(n, maxRecord)
	return appendRecordHead(b, typeStdout, c.id, int(n)), n
}

// appendEnd ends the stream, and the request.
func (c *fastCGI) appendEnd(b []byte) []byte {
	b = appendEndRequest(appendRecordHead(b, typeStdout, c.id, 0), c.id, statusComplete)
	c.id, c.stream = 0, 0
	return b
}

func (c *fastCGI) appendError(b []byte, message string) []byte {
	b = append(appendRecordHead(b, typeStderr, c.id, len(message)), message...)
	return appendRecordHead(b, typeStderr, c.id, 0)
}

func (c *fastCGI) keeps() bool    { return c.keep }
func (c *fastCGI) delimits() bool { return true }

func appendRecordHead(b []byte, kind byte, id uint16, size int) []byte {
	return append(b, 1, kind, byte(id>>8), byte(id), byte(size>>8), byte(size), 0, 0)
}

// appendEndRequest ends a request: with an exit status of 0, and why.
func appendEndRequest(b []byte, id uint16, why byte) []byte {
	return append(appendRecordHead(b, typeEnd, id, 8), 0, 0, 0, 0, why, 0, 0, 0)
}
