package python

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
)

// Most requests have environs with the same keys, in the same order: an application has a handful of kinds of clients. The keys
// are a shape, which workers are told once (KEYS); a request has the values alone then.

// maxShapes is how many shapes there may be: workers keep them for ever.
const maxShapes = 1024

// shapeUses is how often a shape is met before it gets a number: one that a client makes up for once is not worth it.
const shapeUses = 4

// shape is the keys of an environ.
type shape struct {
	number uint16
	frame  []byte // KEYS
}

// shapes are those that have a number.
type shapes struct {
	enabled atomic.Bool // the workers know of shapes
	known   atomic.Pointer[map[string]*shape]
	seed    maphash.Seed

	mu   sync.Mutex
	met  [256]candidate
	list []*shape // by number less 1
}

// candidate counts how often a shape was met that has no number.
type candidate struct {
	hash uint64
	uses int
}

// find returns the shape with that name; nil: it has no number.
func (s *shapes) find(name []byte) *shape {
	if known := s.known.Load(); known != nil {
		return (*known)[string(name)]
	}
	return nil
}

// meet counts a shape without a number, and gives it one when it is met often. environ has the keys.
func (s *shapes) meet(name []byte, environ *app.Environ, length int64) {
	hash := maphash.Bytes(s.seed, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.met[hash%uint64(len(s.met))]
	if c.hash != hash {
		*c = candidate{hash: hash}
	}
	if c.uses++; c.uses < shapeUses || len(s.list) == maxShapes || s.find(name) != nil {
		return
	}
	keys := shapeKeys(environ, length)
	dst := append(appendHeader(nil, frameKeys, 0), marshalTuple)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(keys)))
	for _, key := range keys {
		dst = append(dst, key...)
	}
	made := &shape{number: uint16(len(s.list) + 1), frame: dst}
	sealFrame(made.frame, uint32(made.number))
	s.list = append(s.list, made)
	known := make(map[string]*shape, len(s.list))
	if old := s.known.Load(); old != nil {
		for name, other := range *old {
			known[name] = other
		}
	}
	known[string(name)] = made
	s.known.Store(&known)
}

// numbered returns the shape with a number.
func (s *shapes) numbered(number uint16) *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[number-1]
}

// setShape enters the number of the shape into a REQUEST frame, shapeOf reads it.
func setShape(frame []byte, number uint16) { binary.LittleEndian.PutUint16(frame[6:], number) }

func shapeOf(frame []byte) uint16 { return binary.LittleEndian.Uint16(frame[6:]) }

// appendValues appends the values of an environ as a marshalled tuple, and to name what tells its shape from others: which of
// gatewayKeys there are, and the names of the fields. ok is false when the environ is none for a shape: fields are repeated, or
// there are too many.
func appendValues(dst, name []byte, environ *app.Environ, length int64) (values, shape []byte, ok bool) {
	start, n := len(dst), 0
	if environ.Forwarded() { // with variables of any names
		return dst, name, false
	}
	dst = append(dst, marshalSmallTuple, 0)
	var there uint32
	if m, ok := environ.Meta(); ok {
		dst, there = appendMeta(dst, environ.Method(), &m)
		if m.Encrypted {
			dst, there = appendTLS(dst, there, environ)
		}
	} else {
		for i, key := range gatewayKeys {
			if s, ok := lookup(environ, key); ok {
				there |= 1 << i
				dst = appendLatin1(dst, s)
			}
		}
		dst, there = appendTLS(dst, there, environ)
	}
	if environ.ContentLength() < 0 && length > 0 {
		there |= 1 << 31
		dst = appendNumber(dst, length)
	}
	n += bits.OnesCount32(there) + 2
	dst = appendLatin1(dst, environ.Path())
	dst = appendLatin1(dst, environ.Query())
	name = binary.LittleEndian.AppendUint32(name, there)
	var seen uint64
	fields := 0
	for field, value := range environ.Fields() {
		bit := nameBit(field)
		if seen&bit != 0 && isRepeated(environ, field, fields) {
			return dst[:start], name, false
		}
		seen |= bit
		fields++
		name = append(append(name, field...), 0) // no token has that
		if isContentLength(field) {
			continue
		}
		dst = appendLatin1(dst, value)
		n++
	}
	if n > 255 {
		return dst[:start], name, false
	}
	dst[start+1] = byte(n)
	return dst, name, true
}

// appendMeta appends the values of gatewayKeys, those that there are, and tells which.
func appendMeta(dst []byte, method string, m *app.Meta) (_ []byte, there uint32) {
	there = 1<<8 - 1 // those that always are
	dst = appendLatin1(dst, method)
	dst = appendLatin1(dst, m.ScriptName)
	dst = appendLatin1(dst, m.Target)
	dst = appendLatin1(dst, m.Target)
	dst = appendLatin1(dst, m.Protocol)
	dst = appendLatin1(dst, m.ServerName)
	dst = appendNumber(dst, int64(m.ServerPort))
	dst = appendLatin1(dst, m.RemoteAddr)
	if m.RemotePort != 0 {
		there |= 1 << 8
		dst = appendNumber(dst, int64(m.RemotePort))
	}
	if m.Scheme == "https" {
		there |= 1 << 11
		dst = appendLatin1(dst, "on")
	}
	if m.ContentLength >= 0 {
		there |= 1 << 12
		dst = appendNumber(dst, m.ContentLength)
	}
	if m.Scheme != "http" {
		there |= 1 << 13
		dst = appendLatin1(dst, m.Scheme)
	}
	return dst, there
}

// appendTLS appends the values of tlsKeys, those that there are. Their bits are behind those of gatewayKeys, and before that of the length.
func appendTLS(dst []byte, there uint32, environ *app.Environ) ([]byte, uint32) {
	for i, key := range tlsKeys {
		if s, ok := environ.Lookup(key); ok {
			there |= 1 << (16 + i)
			dst = appendLatin1(dst, s)
		}
	}
	return dst, there
}

// appendNumber appends a number as a str.
func appendNumber(dst []byte, n int64) []byte {
	at := len(dst)
	dst = strconv.AppendInt(append(dst, marshalShort, 0), n, 10)
	dst[at+1] = byte(len(dst) - at - 2)
	return dst
}

// shapeKeys are the keys of the values that appendValues appends, marshalled, in that order.
func shapeKeys(environ *app.Environ, length int64) (keys [][]byte) {
	for _, key := range gatewayKeys {
		if _, ok := lookup(environ, key); ok {
			keys = append(keys, appendKey(nil, key))
		}
	}
	for _, key := range tlsKeys {
		if _, ok := environ.Lookup(key); ok {
			keys = append(keys, appendKey(nil, key))
		}
	}
	if environ.ContentLength() < 0 && length > 0 {
		keys = append(keys, appendKey(nil, "CONTENT_LENGTH"))
	}
	keys = append(keys, appendKey(nil, "PATH_INFO"), appendKey(nil, "QUERY_STRING"))
	for field := range environ.Fields() {
		if key := appendFieldKey(nil, field); len(key) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}
