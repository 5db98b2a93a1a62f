package app

import (
	"bytes"
	"iter"
	"strings"
)

// Fields ranges over the header fields of the request, names and values as received, in the order received
// and repeated where they were repeated. What Set and Delete did to the keys of fields shows. Left out are the
// fields that have no key: those that only framed the message, and those with "_" in their name. The slices
// are views.
func (e *Environ) Fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := range e.source.Fields() {
			name, value := e.source.Field(i)
			if len(name) == 0 || bytes.IndexByte(name, '_') >= 0 {
				continue
			}
			if e.own != nil {
				if _, changed := e.own[environKey(name)]; changed {
					continue
				}
			}
			if !yield(name, value) {
				return
			}
		}
		for key, v := range e.own {
			s, ok := v.(string)
			if name := keyField(key); ok && name != "" && !yield([]byte(name), []byte(s)) {
				return
			}
		}
	}
}

// environKey is the key that stands for a field, those of the content included, "" when it has none.
func environKey(name []byte) string {
	switch {
	case len(name) == len("Content-Type") && equalFold("Content-Type", name):
		return "CONTENT_TYPE"
	case len(name) == len("Content-Length") && equalFold("Content-Length", name):
		return "CONTENT_LENGTH"
	}
	return fieldKey(name)
}

// keyField is the name of the field that key stands for, "" when it stands for none.
func keyField(key string) string {
	if key == "CONTENT_TYPE" || key == "CONTENT_LENGTH" {
		return strings.ReplaceAll(key, "_", "-")
	}
	name, ok := strings.CutPrefix(key, "HTTP_")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(name, "_", "-")
}
