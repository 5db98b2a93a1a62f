package forwarded

import (
	"bytes"
	"iter"
)

// elements ranges over the elements of the list that the fields of that kind make, from the last to the first, without empty
// ones. The octets right of an element have no influence from it: what a client sends in front cannot change how a proxy's
// own addition is read.
func (p *Policy) elements(head Head, k kind) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := head.Fields() - 1; i >= 0; i-- {
			name, value := head.Field(i)
			if kindOf(name) != k || !p.writes(name) {
				continue
			}
			for len(value) > 0 {
				var element []byte
				value, element = lastElement(value, k == standard)
				if element = bytes.Trim(element, " \t"); len(element) > 0 && !yield(element) {
					return
				}
			}
		}
	}
}

// lastElement splits the last element off a list. With quotes a comma between them is none.
func lastElement(list []byte, quotes bool) (rest, element []byte) {
	for i := len(list) - 1; i >= 0; i-- {
		switch c := list[i]; {
		case c == ',':
			return list[:i], list[i+1:]
		case c == '"' && quotes:
			if i = openingQuote(list[:i]); i < 0 {
				return nil, list // all of it is wrong
			}
		}
	}
	return nil, list
}

// openingQuote is the index of the last quote in s that no backslash escapes, -1 when there is none.
func openingQuote(s []byte) int {
	for {
		i := bytes.LastIndexByte(s, '"')
		escapes := 0
		for i-escapes > 0 && s[i-escapes-1] == '\\' {
			escapes++
		}
		if i < 0 || escapes%2 == 0 {
			return i
		}
		s = s[:i]
	}
}
