package h1

import (
	"bytes"

	"github.com/weirhttp/weir/httpparse"
)

// repeat is the head of the request before. A client that asks again and again, as one that polls does, sends the same octets each time, and
// what they mean is known then: parsing is a function of the octets and the limits alone.
type repeat struct {
	head   []byte // a copy; empty: the next head is to be parsed
	length int    // of the head before, in octets
	limits *httpparse.Limits
}

// maxRepeat bounds the heads that are remembered, in octets.
const maxRepeat = 1 << 10

// begins tells whether in begins with that head, under the same limits.
func (r *repeat) begins(in []byte, limits *httpparse.Limits) bool {
	return len(r.head) > 0 && limits == r.limits && bytes.HasPrefix(in, r.head)
}

// forget is called before another head is parsed.
func (r *repeat) forget() { r.head = r.head[:0] }

// note is called with a head that was parsed under limits. It is copied when it is as long as the one before: else it is hardly the same.
func (r *repeat) note(head []byte, limits *httpparse.Limits) {
	if len(head) == r.length && len(head) <= maxRepeat {
		r.head, r.limits = append(r.head, head...), limits
	}
	r.length = len(head)
}
