package hub

import (
	"iter"
	"net/url"
	"strings"
)

// query is the query of a request as it was received. url.ParseQuery would make a map of it, which is half of what a poll
// allocates.
type query string

// parameters are the names and values, decoded. What cannot be decoded ends them with ok false, as a semicolon does, which
// url.ParseQuery refuses too.
func (q query) parameters(yield func(name, value string) bool) (ok bool) {
	for rest := string(q); rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || strings.Contains(part, ";") {
			return false
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return false
		}
		if !yield(name, value) {
			break
		}
	}
	return true
}

// valid tells whether all of it can be decoded.
func (q query) valid() bool { return q.parameters(func(_, _ string) bool { return true }) }

// values are those of the parameters of that name. q is valid.
func (q query) values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		q.parameters(func(n, value string) bool { return n != name || yield(value) })
	}
}

// value is that of the first parameter of that name. q is valid.
func (q query) value(name string) (value string, ok bool) {
	for value := range q.values(name) {
		return value, true
	}
	return "", false
}
