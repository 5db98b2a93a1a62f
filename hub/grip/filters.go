package grip

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// features is what applications are told in Grip-Feature.
const features = "status, link:next, link:gone, filter:skip-self, filter:skip-users, filter:require-sub, filter:build-id, filter:var-subst"

// errFilter is why there is no content for a subscription.
var errFilter = errors.New("grip: what a filter is to replace is malformed, or not known")

// contentFilters are those of a channel that change the content of messages.
func (c *channel) contentFilters() []string {
	found := []string{}
	for _, name := range c.filters {
		if name == "var-subst" || name == "build-id" {
			found = append(found, name)
		}
	}
	return found
}

// filter passes a message through the filters of a channel. ok is false when it is not for this subscription.
func (in *instruct) filter(c *channel, meta map[string]string, content []byte) (filtered []byte, ok bool) {
	for _, name := range c.filters {
		switch name {
		case "skip-self":
			user := in.meta["user"]
			ok = user == "" || meta["sender"] != user
		case "skip-users":
			user := in.meta["user"]
			ok = user == "" || !slices.ContainsFunc(strings.Split(meta["skip_users"], ","), func(s string) bool { return strings.TrimSpace(s) == user })
		case "require-sub":
			other := meta["require_sub"]
			ok = other == "" || slices.ContainsFunc(in.channels, func(c channel) bool { return c.name == other })
		case "var-subst":
			var err error
			content, err = replace(content, stringsOf(in.meta))
			ok = err == nil
		case "build-id":
			var err error
			content, err = in.buildID(content, true)
			ok = err == nil
		default:
			ok = true
		}
		if !ok {
			return nil, false
		}
	}
	return content, true
}

// content is that of the application's own response, for a stream: filtered as messages are, but that it has no id of its own.
func (in *instruct) content() ([]byte, error) {
	if len(in.response.Content) > 0 && slices.ContainsFunc(in.channels, func(c channel) bool { return slices.Contains(c.filters, "build-id") }) {
		return in.buildID(in.response.Content, false)
	}
	return in.response.Content, nil
}

// buildID replaces "%I" by the id of where the client is in its channels, as id_format has it, and "%(text)I" by text. own tells whether the content
// has such an id.
func (in *instruct) buildID(content []byte, own bool) ([]byte, error) {
	format, ok := in.meta["id_format"]
	if !ok {
		return nil, errFilter
	}
	at := make(map[string]string)
	for _, c := range in.channels {
		at[c.name] = c.prev
	}
	var id []byte
	if own = own && len(at) > 0; own {
		var err error
		if id, err = replace([]byte(format), stringsOf(at)); err != nil {
			return nil, err
		}
	}
	encoding, encoded := in.meta["id_encoding"]
	if encoded && encoding != "hex" {
		return nil, errFilter
	}
	return replace(content, func(kind byte, name []byte) ([]byte, bool) {
		if name == nil {
			name = id
		}
		if kind != 'I' || name == nil {
			return nil, false
		}
		if encoded {
			name = []byte(hex.EncodeToString(name))
		}
		return name, true
	})
}

// stringsOf replaces "%(name)s" by a variable.
func stringsOf(variables map[string]string) func(kind byte, name []byte) ([]byte, bool) {
	return func(kind byte, name []byte) ([]byte, bool) {
		value, ok := variables[string(name)]
		return []byte(value), ok && kind == 's' && name != nil
	}
}

// replace replaces directives, "%k" and "%(name)k", where k is a letter: by says by what; without "(" the name is nil. "%%" stands for "%", and a
// backslash in a name for what follows it.
func replace(content []byte, by func(kind byte, name []byte) ([]byte, bool)) ([]byte, error) {
	b := make([]byte, 0, len(content))
	for i := 0; i < len(content); i++ {
		if content[i] != '%' {
			b = append(b, content[i])
			continue
		}
		if i++; i < len(content) && content[i] == '%' {
			b = append(b, '%')
			continue
		}
		var name []byte
		if i < len(content) && content[i] == '(' {
			name = []byte{}
			for i++; i < len(content) && content[i] != ')'; i++ {
				if content[i] == '\\' {
					i++
				}
				if i < len(content) {
					name = append(name, content[i])
				}
			}
			i++
		}
		if i >= len(content) {
			return nil, errFilter
		}
		value, ok := by(content[i], name)
		if !ok {
			return nil, errFilter
		}
		b = append(b, value...)
	}
	return b, nil
}
