package app

import "iter"

// Variables are the meta-variables (RFC 3875 4.1) with which a web server in front has passed a request on, but for those that a Source
// has methods for. Slices are views, as those of the Source are.
type Variables interface {
	Variables() int
	Variable(i int) (name, value []byte)
}

// SetVariables makes e the environ of a request that a web server has split already: script and path are SCRIPT_NAME and PATH_INFO. It
// is for servers, and comes behind Reset.
func (e *Environ) SetVariables(script, path string, v Variables) {
	e.Set("SCRIPT_NAME", script)
	e.Set("PATH_INFO", path)
	e.variables = v
}

// Variables ranges over the meta-variables with which a web server in front has passed the request on, and which are keys for nothing but
// that; none where clients come to the server themselves. Of equal names the last one counts. The slices are views.
func (e *Environ) Variables() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if e.variables == nil {
			return
		}
		for i := range e.variables.Variables() {
			name, value := e.variables.Variable(i)
			if _, changed := e.own[string(name)]; !changed && !yield(name, value) {
				return
			}
		}
	}
}

// Forwarded tells whether the request came from a web server in front, with variables.
func (e *Environ) Forwarded() bool { return e.variables != nil }

// variable is the last variable of that name.
func (e *Environ) variable(key string) (value string, ok bool) {
	if e.variables == nil {
		return "", false
	}
	for i := e.variables.Variables() - 1; i >= 0; i-- {
		if name, value := e.variables.Variable(i); string(name) == key {
			return string(value), true
		}
	}
	return "", false
}
