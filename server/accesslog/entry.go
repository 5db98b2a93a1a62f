package accesslog

import (
	"bytes"
	"net/netip"
	"slices"
	"time"
)

// Entry is what there is to say about a request. Its slices are views that Append does not keep, and hold what
// the client has sent, as it is.
type Entry struct {
	Remote      netip.Addr // the zero Addr on Unix sockets
	RequestLine []byte     // empty: not known
	Status      int        // 0: there was no answer
	Octets      int64      // of content
	In          [][]byte   // what Wants asks for, in its order; a shorter slice ends with what is not known. Empty: not there
	Notes
}

// Wants is what a format needs of requests beside what every Entry has. It is read only.
type Wants struct {
	In      []string // names of request fields
	Out     []string // names of response fields that the application has sent
	Environ []string // keys of the environ, as the server makes it
	Time    bool     // Notes.Begun
}

// Clone returns a copy of e that has no views.
func (e *Entry) Clone() *Entry {
	c := *e
	c.RequestLine = bytes.Clone(e.RequestLine)
	c.In = make([][]byte, len(e.In))
	for i, value := range e.In {
		c.In[i] = bytes.Clone(value)
	}
	c.Out, c.Environ = slices.Clone(e.Out), slices.Clone(e.Environ)
	return &c
}

// header is the value of the i-th wanted request field.
func (e *Entry) header(i int) []byte {
	if i < len(e.In) {
		return e.In[i]
	}
	return nil
}

var epoch = time.Now().Add(-time.Second) // so that no time is 0

// Now is the time of Entry.Begun, in nanoseconds.
func Now() int64 { return int64(time.Since(epoch)) }
