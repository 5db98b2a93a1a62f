package grip

import (
	"strings"

	"github.com/weirhttp/weir/app"
)

// parameter is one of a field's value, "name=value" or "name".
type parameter struct{ name, value string }

// isGrip tells whether a field is of GRIP.
func isGrip(name string) bool {
	return len(name) > 5 && strings.EqualFold(name[:5], "grip-")
}

// values are those of the fields of a name.
func values(headers []app.Header, name string) (found []string) {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			found = append(found, strings.Trim(h.Value, " \t"))
		}
	}
	return found
}

// first is the value of the first field of a name.
func first(headers []app.Header, name string) (value string, ok bool) {
	found := values(headers, name)
	if len(found) == 0 {
		return "", false
	}
	return found[0], true
}

// elements are the members of a list that may be spread over several fields.
func elements(fields []string) (found []string) {
	for _, f := range fields {
		for _, element := range split(f, ',') {
			if element != "" {
				found = append(found, element)
			}
		}
	}
	return found
}

// parameters reads an element: what it begins with, whole, and its parameters.
func parameters(element string) (head string, rest []parameter) {
	parts := split(element, ';')
	for _, p := range parts[1:] {
		if p != "" {
			rest = append(rest, pair(p))
		}
	}
	return parts[0], rest
}

// pair reads "name=value", where the value may be quoted.
func pair(text string) parameter {
	name, value, _ := strings.Cut(text, "=")
	value = strings.Trim(value, " \t")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	return parameter{strings.Trim(name, " \t"), value}
}

// parameterOf is the value of the first parameter of a name.
func parameterOf(list []parameter, name string) (value string, ok bool) {
	for _, p := range list {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// split splits at separators that are neither in a quoted string (RFC 9110 5.6.4) nor in a link's "<>".
func split(text string, separator byte) (parts []string) {
	begin, quoted, link := 0, false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"' && !link:
			quoted = !quoted
		case c == '<' && !quoted:
			link = true
		case c == '>' && !quoted:
			link = false
		case c == separator && !quoted && !link:
			parts = append(parts, strings.Trim(text[begin:i], " \t"))
			begin = i + 1
		}
	}
	return append(parts, strings.Trim(text[begin:], " \t"))
}

// unquote removes the backslashes of a quoted string.
func unquote(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b = append(b, text[i])
	}
	return string(b)
}
