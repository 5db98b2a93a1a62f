package accesslog

import (
	"strings"

	"github.com/weirhttp/weir/app"
)

// Notes are what must be taken down while a request runs, because it is gone when the line is written. They belong to the request.
type Notes struct {
	Begun        int64    // when the head was read, as Now tells; 0: not known, or not wanted
	Out, Environ []string // what Wants asks for, in its order; shorter slices end with what is not known. "": not there
}

// Reset forgets the notes.
func (n *Notes) Reset() { n.Begun, n.Out, n.Environ = 0, n.Out[:0], n.Environ[:0] }

// NoteHead takes down what is wanted of the headers of a response. Any goroutine may call it.
func (w *Wants) NoteHead(n *Notes, headers []app.Header) {
	n.Out = n.Out[:0]
	for _, name := range w.Out {
		value := ""
		for i := range headers {
			if h := &headers[i]; len(h.Name) == len(name) && strings.EqualFold(h.Name, name) {
				value = h.Value
				break
			}
		}
		n.Out = append(n.Out, value)
	}
}

// NoteEnviron takes down what is wanted of an environ, which nobody else may be using. Keys are found in upper case too. Any goroutine may
// call it.
func (w *Wants) NoteEnviron(n *Notes, environ *app.Environ) {
	n.Environ = n.Environ[:0]
	for _, key := range w.Environ {
		value, ok := environ.Lookup(key)
		if !ok {
			value = environ.Get(strings.ToUpper(key))
		}
		n.Environ = append(n.Environ, value)
	}
}
