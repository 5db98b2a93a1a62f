package static

import (
	"bytes"
	"math"
	"slices"
	"strings"
)

// maxRanges is how many ranges a request may have; with more it is answered with the whole file. Who resumes needs one, a viewer of PDF
// files some ten.
const maxRanges = 32

// span is a range of octets of a file, never an empty one.
type span struct{ offset, n int64 }

// parseRanges reads a Range field for content of that size. valid is false when the field is to be ignored: it is malformed, of another unit,
// has too many ranges, or asks for more than there is altogether. Spans that overlap or touch are one; none is left when
// nothing can be satisfied (416).
//
//	Range           = range-unit "=" range-set
//	int-range       = first-pos "-" [ last-pos ]
//	suffix-range    = "-" suffix-length
func parseRanges(field []byte, size int64) (spans []span, valid bool) {
	unit, set, ok := bytes.Cut(field, []byte("="))
	if !ok || !strings.EqualFold(string(unit), "bytes") {
		return nil, false
	}
	ranges, total := 0, int64(0)
	for part := range bytes.SplitSeq(set, []byte(",")) {
		part = bytes.Trim(part, " \t")
		if len(part) == 0 {
			continue // RFC 9110 5.6.1.2
		}
		if ranges++; ranges > maxRanges {
			return nil, false
		}
		s, ok := parseRange(part, size)
		if !ok {
			return nil, false
		}
		if s.n == 0 {
			continue
		}
		if total += s.n; total > size {
			// The whole is cheaper, for both.
			return nil, false
		}
		spans = merge(spans, s)
	}
	return spans, ranges > 0
}

// parseRange reads one range. n is 0 when there is nothing of it.
func parseRange(part []byte, size int64) (s span, valid bool) {
	first, last, ok := bytes.Cut(part, []byte("-"))
	if !ok {
		return s, false
	}
	if len(first) == 0 {
		length, ok := parsePosition(last)
		length = min(length, size)
		return span{size - length, length}, ok
	}
	from, ok := parsePosition(first)
	if !ok {
		return s, false
	}
	to := int64(math.MaxInt64)
	if len(last) > 0 {
		if to, ok = parsePosition(last); !ok || to < from {
			return s, false
		}
	}
	if from >= size {
		return s, true
	}
	return span{from, min(to, size-1) - from + 1}, true
}

// parsePosition reads 1*DIGIT. What is too large for any file is as good as the largest.
func parsePosition(digits []byte) (n int64, valid bool) {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = min(n, (math.MaxInt64-9)/10) // what is larger is beyond any file
		n = n*10 + int64(d-'0')
	}
	return n, len(digits) > 0
}

// merge adds a span, and joins it with those that it overlaps or touches. The joined one stands where the first of them stood.
func merge(spans []span, s span) []span {
	at := len(spans)
	for i := 0; i < len(spans); i++ {
		o := spans[i]
		if s.offset > o.offset+o.n || o.offset > s.offset+s.n {
			continue
		}
		end := max(s.offset+s.n, o.offset+o.n)
		s.offset = min(s.offset, o.offset)
		s.n = end - s.offset
		at = min(at, i)
		spans = slices.Delete(spans, i, i+1)
		i = -1 // the larger one may reach others
	}
	return slices.Insert(spans, at, s)
}
