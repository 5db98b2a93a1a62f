package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

var (
	errMarshalShort = errors.New("python: marshal data ends too early")
	errNotLatin1    = errors.New("python: text has characters beyond latin-1")
)

// unmarshaler reads what marshal.dumps(value, 2) has written. That has no references.
type unmarshaler struct{ rest []byte }

// unmarshal reads one value. Strings are UTF-8, lists and tuples []any, dicts map[string]any, numbers int64 or
// float64. Nothing of it refers to data.
func unmarshal(data []byte) (any, error) {
	u := unmarshaler{data}
	v, err := u.value()
	if err == nil && len(u.rest) > 0 {
		err = errors.New("python: marshal data goes on behind the value")
	}
	return v, err
}

// take returns the next n octets, nil when there are not so many.
func (u *unmarshaler) take(n int) []byte {
	if n < 0 || n > len(u.rest) {
		return nil
	}
	p := u.rest[:n:n]
	u.rest = u.rest[n:]
	return p
}

// kind reads the type of a value, without the flag that it may be referred to.
func (u *unmarshaler) kind() (byte, error) {
	p := u.take(1)
	if p == nil {
		return 0, errMarshalShort
	}
	return p[0] &^ 0x80, nil
}

func (u *unmarshaler) uint32() (int, error) {
	p := u.take(4)
	if p == nil {
		return 0, errMarshalShort
	}
	return int(int32(binary.LittleEndian.Uint32(p))), nil
}

// octets reads a length and as many octets. They are a view.
func (u *unmarshaler) octets() ([]byte, error) {
	n, err := u.uint32()
	if err != nil {
		return nil, err
	}
	p := u.take(n)
	if p == nil {
		return nil, errMarshalShort
	}
	return p, nil
}

// text reads a str. It is a view of UTF-8.
func (u *unmarshaler) text() ([]byte, error) {
	kind, err := u.kind()
	if err != nil {
		return nil, err
	}
	return u.textOf(kind)
}

func (u *unmarshaler) textOf(kind byte) ([]byte, error) {
	switch kind {
	case marshalText, marshalInterned, marshalASCII, 'A':
		return u.octets()
	case marshalShort, marshalShortInterned:
		n := u.take(1)
		if n == nil {
			return nil, errMarshalShort
		}
		if p := u.take(int(n[0])); p != nil {
			return p, nil
		}
		return nil, errMarshalShort
	}
	return nil, fmt.Errorf("python: marshal type %q in the place of a str", kind)
}

// count reads the length of a list or a tuple.
func (u *unmarshaler) count() (int, error) {
	kind, err := u.kind()
	if err != nil {
		return 0, err
	}
	return u.countOf(kind)
}

func (u *unmarshaler) countOf(kind byte) (n int, err error) {
	switch kind {
	case marshalList, marshalTuple:
		n, err = u.uint32()
	case marshalSmallTuple:
		p := u.take(1)
		if p == nil {
			return 0, errMarshalShort
		}
		n = int(p[0])
	default:
		return 0, fmt.Errorf("python: marshal type %q in the place of a list or a tuple", kind)
	}
	if err == nil && (n < 0 || n > len(u.rest)) {
		err = errMarshalShort
	}
	return n, err
}

func (u *unmarshaler) value() (any, error) {
	kind, err := u.kind()
	if err != nil {
		return nil, err
	}
	switch kind {
	case marshalNone:
		return nil, nil
	case marshalTrue:
		return true, nil
	case marshalFalse:
		return false, nil
	case marshalInt:
		n, err := u.uint32()
		return int64(n), err
	case marshalLong:
		return u.long()
	case marshalFloat:
		p := u.take(8)
		if p == nil {
			return nil, errMarshalShort
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(p)), nil
	case marshalBytes:
		p, err := u.octets()
		return append([]byte{}, p...), err
	case marshalDict:
		return u.dict()
	case marshalList, marshalTuple, marshalSmallTuple:
		n, err := u.countOf(kind)
		if err != nil {
			return nil, err
		}
		values := make([]any, n)
		for i := range values {
			if values[i], err = u.value(); err != nil {
				return nil, err
			}
		}
		return values, nil
	}
	p, err := u.textOf(kind)
	return string(p), err
}

func (u *unmarshaler) long() (any, error) {
	count, err := u.uint32()
	if err != nil {
		return nil, err
	}
	negative := count < 0
	if negative {
		count = -count
	}
	var n uint64
	for i := range count {
		p := u.take(2)
		if p == nil {
			return nil, errMarshalShort
		}
		d := uint64(binary.LittleEndian.Uint16(p))
		if i > 4 || i == 4 && d > 7 {
			return nil, errors.New("python: marshal has a number of more than 63 bits")
		}
		n |= d << (15 * i)
	}
	if negative {
		return -int64(n), nil
	}
	return int64(n), nil
}

func (u *unmarshaler) dict() (any, error) {
	dict := make(map[string]any)
	for {
		if len(u.rest) > 0 && u.rest[0] == marshalEnd {
			u.rest = u.rest[1:]
			return dict, nil
		}
		key, err := u.text()
		if err != nil {
			return nil, err
		}
		value, err := u.value()
		if err != nil {
			return nil, err
		}
		dict[string(key)] = value
	}
}

// latin1 reads a str and returns the octets that its characters stand for.
func (u *unmarshaler) latin1() (string, error) {
	p, err := u.text()
	if err != nil {
		return "", err
	}
	for i, c := range p {
		if c >= utf8.RuneSelf {
			return encodeLatin1(p, i)
		}
	}
	return string(p), nil
}

// encodeLatin1 encodes UTF-8 whose first ascii octets are ASCII.
func encodeLatin1(p []byte, ascii int) (string, error) {
	octets := append(make([]byte, 0, len(p)), p[:ascii]...)
	for p = p[ascii:]; len(p) > 0; {
		c, n := utf8.DecodeRune(p)
		if c > 0xff || c == utf8.RuneError && n < 2 {
			return "", errNotLatin1
		}
		octets = append(octets, byte(c))
		p = p[n:]
	}
	return string(octets), nil
}
