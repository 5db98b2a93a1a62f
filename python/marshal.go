package python

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Python's marshal format, as far as the protocol needs it: types are an octet, numbers little-endian. The decoder of Python takes
// what is written here whatever its version.

const (
	marshalNone          = 'N'
	marshalTrue          = 'T'
	marshalFalse         = 'F'
	marshalInt           = 'i' // 32 bits
	marshalLong          = 'l' // digits of 15 bits
	marshalFloat         = 'g'
	marshalBytes         = 's'
	marshalText          = 'u' // UTF-8
	marshalInterned      = 't' // the same
	marshalASCII         = 'a'
	marshalShort         = 'z' // ASCII, at most 255 octets
	marshalShortInterned = 'Z'
	marshalTuple         = '('
	marshalSmallTuple    = ')'
	marshalList          = '['
	marshalDict          = '{'
	marshalEnd           = '0' // of a dict
)

// appendLatin1 appends octets as the str that PEP 3333 makes of them: one character each.
func appendLatin1[T string | []byte](dst []byte, octets T) []byte {
	high := 0
	if !isASCII([]byte(octets)) {
		for i := range len(octets) {
			high += int(octets[i] >> 7)
		}
	}
	switch {
	case high > 0:
		dst = append(dst, marshalText)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(octets)+high))
		for i := range len(octets) {
			if c := octets[i]; c < 0x80 {
				dst = append(dst, c)
			} else {
				dst = append(dst, 0xc0|c>>6, 0x80|c&0x3f)
			}
		}
		return dst
	case len(octets) <= 255:
		dst = append(dst, marshalShort, byte(len(octets)))
	default:
		dst = append(dst, marshalASCII)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(octets)))
	}
	return append(dst, octets...)
}

// isASCII looks at eight octets at a time.
func isASCII(octets []byte) bool {
	var seen uint64
	for ; len(octets) >= 8; octets = octets[8:] {
		seen |= binary.LittleEndian.Uint64(octets)
	}
	for _, c := range octets {
		seen |= uint64(c)
	}
	return seen&0x8080808080808080 == 0
}

// appendMarshal appends a value: nil, bool, int, float64, string (which is UTF-8), []byte, []string, []any (a
// list), tuple, or a map by string, whose keys are sorted.
func appendMarshal(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, marshalNone)
	case bool:
		if v {
			return append(dst, marshalTrue)
		}
		return append(dst, marshalFalse)
	case int:
		return appendInt(dst, int64(v))
	case float64:
		return binary.LittleEndian.AppendUint64(append(dst, marshalFloat), math.Float64bits(v))
	case string:
		dst = binary.LittleEndian.AppendUint32(append(dst, marshalText), uint32(len(v)))
		return append(dst, v...)
	case []byte:
		dst = binary.LittleEndian.AppendUint32(append(dst, marshalBytes), uint32(len(v)))
		return append(dst, v...)
	case []string:
		dst = binary.LittleEndian.AppendUint32(append(dst, marshalList), uint32(len(v)))
		for _, s := range v {
			dst = appendMarshal(dst, s)
		}
		return dst
	case []any:
		dst = binary.LittleEndian.AppendUint32(append(dst, marshalList), uint32(len(v)))
		return appendAll(dst, v)
	case tuple:
		dst = binary.LittleEndian.AppendUint32(append(dst, marshalTuple), uint32(len(v)))
		return appendAll(dst, v)
	case map[string]string:
		return appendDict(dst, v)
	case map[string]any:
		return appendDict(dst, v)
	}
	panic(fmt.Sprintf("python: marshal has no %T", value))
}

// tuple is a Python tuple.
type tuple []any

func appendAll(dst []byte, values []any) []byte {
	for _, v := range values {
		dst = appendMarshal(dst, v)
	}
	return dst
}

func appendDict[T any](dst []byte, dict map[string]T) []byte {
	keys := make([]string, 0, len(dict))
	for key := range dict {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	dst = append(dst, marshalDict)
	for _, key := range keys {
		dst = appendMarshal(dst, key)
		dst = appendMarshal(dst, dict[key])
	}
	return append(dst, marshalEnd)
}

func appendInt(dst []byte, n int64) []byte {
	if n == int64(int32(n)) {
		return binary.LittleEndian.AppendUint32(append(dst, marshalInt), uint32(n))
	}
	magnitude := uint64(n)
	if n < 0 {
		magnitude = -magnitude
	}
	var digits []uint16
	for ; magnitude > 0; magnitude >>= 15 {
		digits = append(digits, uint16(magnitude&0x7fff))
	}
	count := int32(len(digits))
	if n < 0 {
		count = -count
	}
	dst = binary.LittleEndian.AppendUint32(append(dst, marshalLong), uint32(count))
	for _, d := range digits {
		dst = binary.LittleEndian.AppendUint16(dst, d)
	}
	return dst
}
