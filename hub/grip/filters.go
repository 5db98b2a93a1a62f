package grip

import (
	"errors"
	"slices"
	"strings"
)

// features is what applications are told in Grip-Feature.
const features = "status, link:next, link:gone, filter:skip-self, filter:skip-users, filter:require-sub, filter:var-subst"

// errFilter is why a message has no content for a subscription.
var errFilter = errors.New("grip: var-subst: malformed, or a variable that is not known")

// contentFilters are those of a channel that change content.
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
			content, err = substitute(content, in.meta)
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

// substitute puts variables in the place of "%(name)s". "%%" stands for "%", and a backslash in a name for what follows it.
func substitute(content []byte, variables map[string]string) ([]byte, error) {
	b := make([]byte, 0, len(content))
	for i := 0; i < len(content); i++ {
		if content[i] != '%' {
			b = append(b, content[i])
			continue
		}
		if i++; i == len(content) {
			return nil, errFilter
		}
		if content[i] == '%' {
			b = append(b, '%')
			continue
		}
		if content[i] != '(' {
			return nil, errFilter
		}
		var name []byte
		for i++; i < len(content) && content[i] != ')'; i++ {
			if content[i] == '\\' {
				i++
			}
			if i < len(content) {
				name = append(name, content[i])
			}
		}
		value, ok := variables[string(name)]
		if i++; !ok || i >= len(content) || content[i] != 's' {
			return nil, errFilter
		}
		b = append(b, value...)
	}
	return b, nil
}
