package httpparse

import "bytes"

// element returns the element of a list (RFC 9110 section 5.6.1) that begins at
// at, without the white space around it, and where the next one begins, which
// is over len(value) behind the last. An element may be empty. Quoted strings
// are not looked into: no list that we act on has any in a valid request.
func element(value []byte, at int) (element Span, next int) {
	end := len(value)
	if comma := bytes.IndexByte(value[at:], ','); comma >= 0 {
		end = at + comma
	}
	next = end + 1
	for at < end && (value[at] == ' ' || value[at] == '\t') {
		at++
	}
	for end > at && (value[end-1] == ' ' || value[end-1] == '\t') {
		end--
	}
	return span(at, end), next
}

// token returns the tchars that s begins with.
func token(s []byte) []byte {
	for i, c := range s {
		if !tchar.has(c) {
			return s[:i]
		}
	}
	return s
}

// equalFoldAny is equalFold for a value that need not be a token.
func equalFoldAny(value []byte, lower string) bool {
	return len(value) == len(lower) && len(token(value)) == len(value) && equalFold(value, lower)
}

// first returns the offset of the first field line with this name.
func (r *Request) first(buf []byte, lower string) int { return r.occurrence(buf, lower, 1) }

// second returns the offset of the second field line with this name.
func (r *Request) second(buf []byte, lower string) int { return r.occurrence(buf, lower, 2) }

func (r *Request) occurrence(buf []byte, lower string, nth int) int {
	for _, field := range r.Fields {
		if equalFold(field.Name.Of(buf), lower) {
			if nth--; nth == 0 {
				return int(field.Name.Start)
			}
		}
	}
	return 0
}
