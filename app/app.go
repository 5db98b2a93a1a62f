// Package app is the contract between weir and an application: PEP 3333 in Go.
//
// An Application is called with an Environ and a StartResponse, and returns a Body. It is called on the
// event loop of its connection; when it blocks, the loop goes on without it. Blocking spares the loop the time
// until it notices.
//
// Strings that the contract hands out (Environ.Get, ...) are the caller's to keep. Slices are views of
// the connection's input buffer: they are valid until the call into the application returns, or for as
// long as the request lives after Environ.Detach.
package app

import (
	"io"
)

// Application answers one request. It calls start once before the first octet of the body is asked
// for, and returns the body. A nil Body is an empty one. It must be safe for concurrent use: every
// loop calls it.
type Application func(environ *Environ, start StartResponse) Body

// StartResponse begins the response: status is "200 OK", code and reason phrase; headers are kept in
// order. Nothing is sent at the call; the head leaves with the first non-empty chunk, the first write, or
// at the end of the body. headers is copied: the caller may reuse the slice.
//
// A second call is an error, unless it names the cause, not nil, for which an earlier response is withdrawn
// (exc_info in the PEP): before the head was sent the new response replaces the old one, after it the
// response is aborted. Errors are reported as a panic with a *StartResponseError, as the PEP raises;
// the server answers 500, or aborts the connection when the head is out.
type StartResponse func(status string, headers []Header, cause ...error) Write

// Write sends a chunk before those of the Body, for code that cannot return one. The chunk is copied; an
// empty one sends the head alone. unsent is how many octets of the response the kernel has not taken yet, so
// that a producer on a loop can slow down; on a goroutine Write waits for room by itself. err is ErrGone when the
// client has left.
type Write func(chunk []byte) (unsent int, err error)

// Header is one field of a response.
type Header struct{ Name, Value string }

// Body is what an application returns: chunks, one at a time.
//
// Next returns the next chunk; io.EOF, alone or together with the last chunk, ends the body, any
// other error aborts the response. A chunk stays the application's and has to stay unchanged until the
// next call of Next or Close. Each chunk is handed to the client before the next is asked for, and the next is
// asked for only when the client has room. An empty chunk sends nothing.
//
// Close is called exactly once, whatever became of the response. Next and Close are never called
// at the same time.
type Body interface {
	Next() (chunk []byte, err error)
	Close() error
}

// Sized is a Body that knows its length before it is read: the server sets Content-Length from it.
type Sized interface {
	Body
	// Size is the number of octets that Next returns in all.
	Size() int64
}

// Filer is a Body that is a section of an open file; a server may send it with sendfile(2) instead
// of calling Next. The descriptor stays the Body's and is open until Close.
type Filer interface {
	Sized
	// File returns the file and where in it the body starts.
	File() (file File, offset int64)
}

// File is what sendfile needs of an *os.File.
type File interface {
	io.ReaderAt
	Fd() uintptr
}
