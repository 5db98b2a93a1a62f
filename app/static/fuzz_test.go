package static

import (
	"testing"
	"time"
)

// FuzzConditions: whatever the fields of a request say, what is sent is inside of the file, of the length that was announced, and the same fields
// get the same answer.
func FuzzConditions(f *testing.F) {
	for _, seed := range [][3]string{
		{"bytes=0-1,5-", `"a"`, "gzip;q=0.5, br"}, {"bytes=-5", `W/"a", "b"`, "*"}, {"bytes=9223372036854775807-", "*", "identity;q=0"},
		{"bytes=0-18446744073709551616", "Sun, 06 Nov 1994 08:49:37 GMT", ""}, {"bytes=,", "Sunday, 06-Nov-94 08:49:37 GMT", "br;q=1.000"},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), []byte(seed[2]), uint32(10), byte(0))
		f.Add([]byte(seed[0]), []byte(seed[1]), []byte(seed[2]), uint32(0), byte(0xff))
	}
	now := time.Now()
	f.Fuzz(func(t *testing.T, ranges, condition, accept []byte, size uint32, which byte) {
		asked := conditions{ranges: ranges, acceptEncoding: accept}
		for i, field := range []*[]byte{&asked.ifMatch, &asked.ifNoneMatch, &asked.ifModifiedSince, &asked.ifUnmodifiedSince, &asked.ifRange} {
			if which>>i&1 == 1 {
				*field = condition
			}
		}
		modified := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
		p := representation{size: int64(size), contentType: "text/plain", validators: validators{etag: `"a"`, modified: modified, lastModified: formatDate(modified)}}
		a, again := p.answer("GET", &asked, now), p.answer("GET", &asked, now)
		if a.status != again.status || len(a.parts) != len(again.parts) {
			t.Fatalf("%v and then %v", a, again)
		}
		length := int64(len(a.tail))
		for _, part := range a.parts {
			if part.offset < 0 || part.n <= 0 || part.n > p.size || part.offset > p.size-part.n {
				t.Fatalf("%v of %d octets", part.span, size)
			}
			length += int64(len(part.before)) + part.n
		}
		if length != a.length {
			t.Fatalf("%d octets, announced are %d", length, a.length)
		}
		r := &resource{variants: []*variant{{coding: ""}, {coding: "br"}, {coding: "gzip"}}}
		if v := r.negotiate(accept); v == nil {
			t.Fatal("no variant")
		}
	})
}
