package app

import "time"

// Executor runs functions on the event loop of a connection. Its methods are safe for use by any
// goroutine.
type Executor interface {
	// Post runs f on the loop, soon.
	Post(f func())
	// After runs f on the loop when d has passed, to the precision of the loop's timer wheel.
	After(d time.Duration, f func())
}

// Deferred answers a request later, from any goroutine. Its methods are safe for concurrent use.
type Deferred interface {
	// Start begins the response, by the rules of StartResponse; what that panics with is returned.
	Start(status string, headers []Header, cause ...error) error
	// Write sends a chunk, which it copies. unsent is how many octets of the response the kernel has not taken
	// yet; err is ErrGone when the client has left.
	Write(chunk []byte) (unsent int, err error)
	// Close ends the response.
	Close() error
	// Abort gives the response up: 500 when the head is not sent yet, else the connection is cut.
	Abort(cause error)
	// Done is closed when the client has left, or the response has ended.
	Done() <-chan struct{}
}
