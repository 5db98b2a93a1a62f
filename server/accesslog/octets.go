package accesslog

import (
	"encoding/binary"
	"unicode/utf8"
)

// What clients send stands in lines such that no reader takes a part of it for the end of a field or of the line, and no terminal for a
// command.

// appendSafe appends p, its unsafe octets as \xHH; a dash where p is empty.
func appendSafe(b, p []byte) []byte {
	if len(p) == 0 {
		return append(b, '-')
	}
	done := 0
	for i := plainPrefix(p); i < len(p); i++ {
		octet := p[i]
		if !unsafeOctet[octet] {
			continue
		}
		b = append(b, p[done:i]...)
		b = append(b, '\\', 'x', hexDigits[octet>>4], hexDigits[octet&15])
		done = i + 1
	}
	return append(b, p[done:]...)
}

// appendString appends p as a string of JSON, with its quotes. Octets that are no UTF-8 become U+FFFD, as encoding/json has them.
func appendString(b, p []byte) []byte {
	b = append(b, '"')
	done := 0
	for i := plainPrefix(p); i < len(p); {
		octet := p[i]
		if !unsafeOctet[octet] {
			i++
			continue
		}
		r, size := rune(octet), 1
		if octet >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(p[i:])
			if r >= 0xa0 && r != utf8.RuneError && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
		}
		b = append(b, p[done:i]...)
		switch r {
		case '"', '\\':
			b = append(b, '\\', octet)
		default: // all of them are below 0x10000
			b = append(b, '\\', 'u', lowerDigits[r>>12], lowerDigits[r>>8&15], lowerDigits[r>>4&15], lowerDigits[r&15])
		}
		i += size
		done = i
	}
	b = append(b, p[done:]...)
	return append(b, '"')
}

const (
	hexDigits   = "0123456789ABCDEF"
	lowerDigits = "0123456789abcdef"
)

// unsafeOctet has what must not stand in a line as it is: control characters, the quote, the escape character, and what
// is not ASCII, because terminals take some of that for control characters too.
var unsafeOctet = func() (table [256]bool) {
	for octet := range table {
		table[octet] = octet < ' ' || octet >= 0x7f || octet == '"' || octet == '\\'
	}
	return table
}()

// plainPrefix is how many octets of p are safe for sure: eight are looked at at a time, which is what nearly all values need.
func plainPrefix(p []byte) (n int) {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; n+8 <= len(p); n += 8 {
		v := binary.LittleEndian.Uint64(p[n:])
		quote, backslash, delete := v^('"'*ones), v^('\\'*ones), v^(0x7f*ones)
		// A borrow may mark an octet above the one that is meant, and never misses one.
		if (v|(v-' '*ones)|(quote-ones)|(backslash-ones)|(delete-ones))&highs != 0 {
			break
		}
	}
	return n
}
