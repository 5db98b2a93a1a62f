package httpparse

import "encoding/binary"

// Eight octets at a time, as one little-endian word, so that the octet that
// comes first is the lowest. A test of this file sets the high bit of each octet
// that matches, and clears all others. The tests add less than 0x80 to octets
// below 0x80, which carries into the high bit of the octet and no further.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// word returns s[i:i+8]. Going through an array saves the checks that a slice
// would cost.
func word(s []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(s[i : i+8])[:])
}

// from sets the high bit of octets of low that are at least n. Low has no high
// bits; other bits of the result mean nothing.
func from(low uint64, n byte) uint64 { return low + ones*uint64(0x80-n) }

// other sets the high bit of octets of low that are not n.
func other(low uint64, n byte) uint64 { return (low ^ ones*uint64(n)) + ones*0x7f }

// fieldControls finds what a field value must not hold, CTL, and HTAB, which it
// may hold.
func fieldControls(w uint64) uint64 {
	low := w &^ highs
	return (^from(low, ' ') | from(low, 0x7f)) &^ w & highs
}

// notTarget finds what a target must not hold: all outside 0x21 to 0x7e, and "#".
func notTarget(w uint64) uint64 {
	low := w &^ highs
	return (w | ^(from(low, '!') & other(low, '#')) | from(low, 0x7f)) & highs
}

// notPath finds what notTarget finds, and the octets with a meaning in a path.
func notPath(w uint64) uint64 {
	low := w &^ highs
	return (w | ^(from(low, '!') & other(low, '#') & other(low, '?') & other(low, '%')) | from(low, 0x7f)) & highs
}

// notNameLike finds all but the tchars that field names are usually made of:
// letters and "-".
func notNameLike(w uint64) uint64 {
	low := w &^ highs
	letter := low | ones*0x20
	return (w | other(low, '-')&^(from(letter, 'a')&^from(letter, 'z'+1))) & highs
}

// notHostLike finds all but the octets that hosts are usually made of: letters,
// digits, "-" and ".".
func notHostLike(w uint64) uint64 {
	low := w &^ highs
	letter := low | ones*0x20
	hyphenToNine := from(low, '-') &^ from(low, '9'+1) & other(low, '/')
	return (w | ^(hyphenToNine | from(letter, 'a')&^from(letter, 'z'+1))) & highs
}

// isHost is equalFold(s[:4], "host"), for the one field that every request has.
func isHost(s []byte) bool {
	const host = 0x74736f68
	return binary.LittleEndian.Uint32(s)|0x20202020 == host
}

// equalFold reports whether name is lower, in any case of letters. name must
// consist of tchar and lower of lower-case letters, digits and "-": among
// tchars, setting bit 0x20 then joins nothing but the two cases of a letter.
func equalFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}
