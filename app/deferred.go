package app

import (
	"os"
	"time"
)

// Executor runs functions on the event loop of a connection. Its methods are safe for use by any
// goroutine. The executors of requests on the same loop are equal (==).
type Executor interface {
	// Post runs f on the loop, soon.
	Post(f func())
	// After runs f on the loop when d has passed, to the precision of the loop's timer wheel.
	After(d time.Duration, f func())
}

// Poller is an Executor whose loop waits for other descriptors too, those of a backend for example. The executors of weir's own server
// are Pollers, those of net/http are not.
type Poller interface {
	Executor
	// AddReader has readable called on the loop whenever fd can be read or has failed, level-triggered. readable must not block: the loop
	// is not taken over from it. It finds nothing to read now and then. ended is called on the loop when that ends before RemoveReader;
	// nothing more is read then. AddReader waits for the loop: it is for other goroutines. ErrGone: the loop has ended.
	AddReader(fd int, readable, ended func()) error
	// RemoveReader ends AddReader, before fd is closed. It is called on the loop.
	RemoveReader(fd int)
	// Answer is d.Answer, called on the loop: a request that waits on it is answered at once. r and what it refers to are the
	// caller's again when it returns.
	Answer(d Deferred, r *Response) error
}

// Response is an answer that is there whole. It does not change any more once it was handed over, and may answer any
// number of requests.
type Response struct {
	Status  string // as for StartResponse
	Headers []Header
	Content []byte
}

// HasContent tells whether answers of this status have content at all.
func (r *Response) HasContent() bool {
	code, _ := CheckStatus(r.Status)
	return HasContent(code)
}

// Deferred answers a request later, from any goroutine. Environ.Defer makes one; while it waits, it holds neither a
// buffer nor a goroutine. Its methods are safe for concurrent use and never wait, not for the client either.
//
// The environ, and the views that it gave out, end with the call of the application as ever; what is needed later
// is to be copied, or the environ detached.
//
// A Deferred that nobody ends keeps its client waiting until that leaves, or until the deadline.
type Deferred interface {
	Executor
	// Executor is the loop that the request waits on.
	Executor() Executor

	// EarlyHints is as that of Environ, until the response begins. Interim responses leave in the order of the calls, and before the response.
	EarlyHints(headers []Header) error
	// Start begins the response, by the rules of StartResponse; what that panics with is returned. ErrGone: the response
	// has ended, or the client has left.
	Start(status string, headers []Header, cause ...error) error
	// Write sends a chunk, which it copies. unsent is how many octets of the response wait for the client: a
	// producer that sees it grow should slow down until Watcher.Drained. err is ErrGone when the client has left.
	Write(chunk []byte) (unsent int, err error)
	// SendFile sends count octets of a regular file from offset on, behind what was written before, as the client takes them
	// (with sendfile(2), where the server can); what is written later comes behind them. Its own offset is neither used nor moved. The file
	// is the server's from the call on, whatever it returns: it is closed when it was sent, or when that will not be. A file that
	// turns out to be shorter cuts the response off. With an error nothing is sent; it is ErrGone as for Write.
	SendFile(file *os.File, offset, count int64) error
	// Close ends the response.
	Close() error
	// Answer is Start, Write and Close in one, without a copy of the content. It does nothing, and returns ErrGone, when the
	// response has begun or ended.
	Answer(r *Response) error
	// Abort gives the response up: 500 when the head is not sent yet, else the connection is cut. cause is logged.
	Abort(cause error)

	// SetDeadline has r sent when d has passed from now and the response has not begun, in the place of an earlier
	// deadline. d == 0: no deadline. A client that is to wait for ever needs none.
	SetDeadline(d time.Duration, r *Response)
	// Done is closed when the client has left, or the response has ended.
	Done() <-chan struct{}
	// Watch has w told what becomes of the request. It is cheaper than a goroutine that waits for Done. w is called on the
	// loop, from when Watch is called: while the application still runs, if it does so on a goroutine. There is one watcher at
	// a time: w takes the place of an earlier one, which is told, and referred to, no more, but for a call that was on its way.
	// So a request can be handed on to another part of a program.
	Watch(w Watcher)
}

// Watcher is told what becomes of a deferred request. Its methods are called on the loop of the request, one at a time.
type Watcher interface {
	// Left is called once when the response has ended in another way than by Close, Answer or Abort: the client
	// has left, or the deadline has passed and its response was sent.
	Left()
	// Drained is called when the client has taken most of what waited for it, after there was too much of it (Write's unsent
	// above 64 KiB, or as much of a file).
	Drained()
}

// Layer is a Deferred that middleware has put in front of another one (Environ.WrapDefer). It spares servers the way through it for answers that it
// would pass on as they are.
type Layer interface {
	Deferred
	// Below returns the Deferred that the layer would pass r on to; nil: r is for the layer itself.
	Below(r *Response) Deferred
}

// Deferrer makes the Deferred of a request. It is implemented by servers.
type Deferrer interface{ Defer() Deferred }
