package httpparse

import (
	"math/rand/v2"
	"testing"
)

// TestWords compares each test with its definition by octet, in words with few
// and with many matches.
func TestWords(t *testing.T) {
	control := func(c byte) bool { return c < 0x20 || c == 0x7f }
	notTargetOctet := func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '#' }
	for _, test := range []struct {
		name  string
		find  func(uint64) uint64
		match func(byte) bool
	}{
		{"fieldControls", fieldControls, control},
		{"notTarget", notTarget, notTargetOctet},
		{"notPath", notPath, func(c byte) bool { return notTargetOctet(c) || c == '?' || c == '%' }},
		{"notNameLike", notNameLike, func(c byte) bool { return (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' }},
		{"notHostLike", notHostLike, func(c byte) bool {
			return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '.'
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			check := func(octets []byte) {
				t.Helper()
				var want uint64
				for i, c := range octets {
					if test.match(c) {
						want |= 0x80 << (8 * i)
					}
				}
				if got := test.find(word(octets, 0)); got != want {
					t.Fatalf("%q: found %016x, want %016x", octets, got, want)
				}
			}
			for c := range 256 {
				for at := range 8 {
					for _, others := range []byte("aZ-\x00\xff~\x80") {
						octets := []byte{others, others, others, others, others, others, others, others}
						octets[at] = byte(c)
						check(octets)
					}
				}
			}
			for range 20000 {
				octets := make([]byte, 8)
				for i := range octets {
					octets[i] = byte(random.Uint32())
				}
				check(octets)
			}
		})
	}
}
