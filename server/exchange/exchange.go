// Package exchange runs one request against the contract of package app, whatever the wire that the
// request came on: the rules of start_response, pulling the body, closing it once, failures, and code that
// may block.
//
// An Exchange has two drivers. On the loop the application is called inline and the wire written to
// directly. Off the loop, on a goroutine, a mailbox stands in for the wire, and replays what it was given on
// the loop. The rules are the same code for both, and a call that blocks changes from the one to the other.
package exchange

import (
	"errors"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
)

// HighWater is how many octets a body on a goroutine may be ahead of its client.
const HighWater = 64 << 10

// pieceSize bounds what is handed to the wire at once, because a wire copies what the client does not take.
const pieceSize = 256 << 10

// lendFrom is from how many octets on a chunk is lent to a wire that borrows: the rest of a smaller one is soon copied.
const lendFrom = 64 << 10

// Config is what all exchanges of a server share.
type Config struct {
	Gateway app.Gateway
	Log     *slog.Logger
	// MaxBlocking is the number of applications that may run on goroutines at a time; more are
	// answered with 503.
	MaxBlocking int
	// Blocked is told of each call that has blocked for longer than 10 ms, after it has; nil: nobody is. Any goroutine calls it.
	Blocked func()
	// Paths is what was learned of paths whose applications block.
	Paths    Paths
	blocking atomic.Int64
	reports  reports
}

// Head is the head of a response, as the wire needs it.
type Head struct {
	Status  string
	Code    int
	Headers []app.Header
	// Length is the length of the content in octets, -1 when it is not known.
	Length int64
	// NoContent tells that no content follows: the request's method was HEAD, or the status forbids it.
	NoContent bool
	// HasLength, HasDate and HasServer tell that Headers has these fields.
	HasLength, HasDate, HasServer bool
	// Close tells that the application wants the connection closed after this response.
	Close bool
	// Done tells that the application has finished: the whole response is there, and it reads no more of the request.
	Done bool
	// Rendered is for the wire to keep what it has rendered. It is that of the response before as long as Status and
	// Headers are equal.
	Rendered Rendered
}

// Rendered is what a wire has rendered of a head.
type Rendered struct {
	Octets []byte // empty: nothing
	Length int64  // Head.Length then
	At     int64  // the second of its date
}

// Wire takes one response. Its methods are called on the loop.
type Wire interface {
	// Hints passes on an interim response, 103 (Early Hints). Nothing happens where it cannot be sent, because the head was or the client
	// would not understand. headers were checked; Content-Length is not for this response (RFC 9110 8.6).
	Hints(headers []app.Header)
	// Head is called once, before what follows.
	Head(h *Head)
	// Chunk passes on a piece of the content, never empty, which the wire does not keep.
	Chunk(p []byte)
	// File passes on content from a file, which stays open until Resume or Gone; nothing else is passed on before Resume, but
	// for a Finish that is not complete.
	File(file app.File, offset, n int64)
	// FileShort tells in Resume behind File whether the file has ended before all of it was sent.
	FileShort() bool
	// Flush has what was passed on leave now, instead of at the end of the event.
	Flush()
	// Room tells whether the client has room for more. When it has none, the wire calls Resume later.
	Room() bool
	// Unsent is how many octets the client has not taken.
	Unsent() int
	// Finish is the last call. complete is false when the response was given up after its head.
	Finish(complete bool)

	// TakenOver tells that the loop has gone on without the call that the wire has made: of Run or Resume. The rest of the
	// response comes from a goroutine. What the application sees of the request must not change. path is the request's, percent-encoded
	// as received, nil when there is none any more; it is a view.
	TakenOver() (path []byte)
	// Park makes what is kept of a request that is answered later. It is called on any goroutine.
	Park() Parked
}

// Borrower is a Wire that passes on content without a copy.
type Borrower interface {
	// Borrow passes on a piece of the content as Chunk does, but for that p stays what it is until the wire has room again (Room, Resume) or Gone.
	Borrow(p []byte)
}

// phase is how far a response is.
type phase uint8

const (
	waiting phase = iota // start_response was not called
	refused              // it was called with arguments that cannot be sent (refusal)
	started              // it was called, nothing is sent
	sending              // the head is sent
	ended
	parked // the answer comes from a Deferred
)

var (
	errNotStarted = errors.New("the application returned without calling start_response")
	errGoexit     = errors.New("the application ended its goroutine")
	errShort      = errors.New("the body is shorter than the Content-Length that the application declared")
)

// Exchange is one request and its response. It is reused: Begin starts the next one.
type Exchange struct {
	Environ app.Environ

	host     *Host
	wire     Wire
	start    app.StartResponse // bound once: a method value is an allocation
	write    app.Write
	mail     *mailbox  // not nil on a goroutine
	deferred *Deferred // that answers, from Environ.Defer on
	watch    watch

	head    Head
	body    app.Body
	chunk   []byte // what is left of the last chunk
	end     error  // came with the last chunk
	left    int64  // content still to send; -1: not declared
	phase   phase
	isHead  bool // the request's method is HEAD
	written bool // app.Write was used
	pulled  bool // Next was called
	file    bool // the wire is sending the body's file
	excess  bool
	refusal error
}

// Init makes a zero Exchange ready for use.
func (x *Exchange) Init(host *Host) {
	x.host = host
	x.start = x.startResponse
	x.write = x.writeChunk
}

// Begin starts the exchange of a request.
func (x *Exchange) Begin(wire Wire, source app.Source, input app.Input) {
	x.begin(wire, source.Method() == "HEAD")
	x.Environ.Reset(source, input, &x.host.Gateway)
}

// Forget drops what the exchange, which has ended, still refers to of its request.
func (x *Exchange) Forget() {
	x.chunk = nil
	x.Environ.Reset(nil, nil, nil)
}

// begin starts a response.
func (x *Exchange) begin(wire Wire, isHead bool) {
	x.wire = wire
	x.mail, x.deferred, x.body, x.chunk, x.end = nil, nil, nil, nil, nil
	x.phase = waiting
	x.isHead = isHead
	x.written, x.pulled, x.file, x.excess = false, false, false, false
	if x.watch.entry != nil {
		x.watch = watch{}
	}
}

// Run calls application on the loop. When it returns and the exchange has not ended, the wire calls
// Resume when there is room, or the exchange goes on by itself on a goroutine. It does not return when the loop was taken
// over meanwhile.
func (x *Exchange) Run(application app.Application) {
	if !x.host.Paths.empty() && x.goesBlocking(application) {
		return
	}
	x.run(application)
	if x.watch.entry != nil || x.watch.taken {
		if x.mail == nil {
			x.watch.learn()
		}
		x.depart()
	}
}

// run calls application, on the loop or on a goroutine, and answers with what it returns.
func (x *Exchange) run(application app.Application) {
	if !x.call(application) {
		return
	}
	if x.phase == parked {
		x.closeBody()
		return
	}
	if b, ok := x.body.(*app.BlockingBody); ok && x.mail == nil {
		x.body = nil
		if !x.RunBlocking(b.Application()) {
			x.body = b
			x.closeBody()
		}
		return
	}
	if content, ok := app.Whole(x.body); ok && x.sendWhole(content) {
		return
	}
	x.pull()
}

// sendWhole answers with content that is in memory, which is what most applications return. It is false
// when there is something about the response that needs the long way.
func (x *Exchange) sendWhole(content []byte) bool {
	h := &x.head
	size := int64(len(content))
	if x.phase != started || x.isHead || h.HasLength && h.Length != size || !app.HasContent(h.Code) || size > pieceSize || !x.wire.Room() {
		return false
	}
	h.Close, h.NoContent, h.Length = x.Environ.ClosesConnection(), false, size
	x.phase = ended
	x.body = nil
	h.Done = true
	x.wire.Head(h)
	if len(content) > 0 {
		x.wire.Chunk(content)
	}
	x.wire.Finish(true)
	return true
}

// Resume goes on with a response that had no room. It does not return when the loop was taken over meanwhile.
func (x *Exchange) Resume() {
	switch {
	case x.mail != nil:
		x.mail.resume()
		return
	case x.file:
		x.file = false
		if x.wire.FileShort() {
			x.fail(errFileShort)
			break
		}
		x.left = 0
		x.finish()
	case x.phase != ended:
		x.pull()
	}
	x.depart()
}

// Gone tells the exchange that the client has left, or the connection was closed. It may be called in the middle of
// anything that the loop does, and application code is not: Close is called on a goroutine.
func (x *Exchange) Gone() {
	if x.mail != nil {
		x.mail.leave()
		return
	}
	if x.phase != ended {
		x.phase = ended
		if body := x.body; body != nil {
			x.body = nil
			go x.host.closeAway(body)
		}
	}
}

// closeAway closes the body of an exchange that has ended, on a goroutine. The exchange may be another request's by now.
func (c *Config) closeAway(body app.Body) {
	defer func() {
		if v := recover(); v != nil {
			c.report("application failed in Close", c.panicError(v))
		}
	}()
	if err := body.Close(); err != nil {
		c.report("application failed in Close", err)
	}
}

// call calls the application. It is false when that failed, and the exchange has ended.
func (x *Exchange) call(application app.Application) (ok bool) {
	if x.mail == nil {
		x.watch.call = x.host.loop.Enter(x)
	} else {
		x.enter()
	}
	defer func() {
		if !ok {
			err := x.host.panicError(recover())
			x.interrupted(err)
			x.fail(err)
			x.unwound(err)
		}
	}()
	body := application(&x.Environ, x.start)
	x.leave()
	x.body = body
	for x.mail != nil && x.phase != parked { // on a goroutine already
		b, more := x.body.(*app.BlockingBody)
		if !more {
			break
		}
		x.body = b.Call()
	}
	return true
}

// next asks the body for a chunk.
func (x *Exchange) next() (chunk []byte, err error) {
	if x.body == nil {
		return nil, io.EOF
	}
	x.enter()
	ok := false
	defer func() {
		if !ok {
			chunk, err = nil, x.host.panicError(recover())
			x.interrupted(err)
			x.unwound(err)
		}
	}()
	chunk, err = x.body.Next()
	ok = true
	x.leave()
	return chunk, err
}

// closeBody closes the body, if that was not done.
func (x *Exchange) closeBody() {
	body := x.body
	if body == nil {
		return
	}
	x.body = nil
	x.enter()
	ok := false
	defer func() {
		if !ok {
			err := x.host.panicError(recover())
			x.interrupted(err)
			x.report("application failed in Close", err)
			x.unwound(err)
		}
	}()
	err := body.Close()
	ok = true
	x.leave()
	if err != nil {
		x.report("application failed in Close", err)
	}
}

// pull passes chunks on until the body ends or the client has no room.
func (x *Exchange) pull() {
	for x.wire.Room() {
		if len(x.chunk) > 0 {
			if !x.passOn() {
				return
			}
			continue
		}
		switch {
		case x.end == io.EOF || x.phase == sending && (x.head.NoContent || x.excess):
			x.finish()
			return
		case x.end != nil:
			x.fail(x.end)
			return
		}
		if x.pulled || x.written {
			x.wire.Flush() // the block that was made is not to wait for the next one
		} else if x.phase == started && x.sendFile() {
			return
		}
		x.pulled = true
		x.chunk, x.end = x.next()
		switch x.phase {
		case ended: // failed inside
			return
		case parked:
			if x.end != nil && x.end != io.EOF {
				x.fail(x.end)
			}
			x.closeBody()
			return
		}
	}
	if x.mail != nil { // there is room, but nobody who reads
		x.phase = ended
		x.closeBody()
	}
}

// passOn passes on what is left of the chunk, or a piece of it. It is false when the exchange has failed.
func (x *Exchange) passOn() bool {
	if b, ok := x.wire.(Borrower); ok && len(x.chunk) > lendFrom {
		p := x.chunk
		x.chunk = nil
		n, ok := x.admit(int64(len(p)))
		if n > 0 {
			b.Borrow(p[:n])
		}
		return ok
	}
	piece := x.chunk[:min(len(x.chunk), pieceSize)]
	x.chunk = x.chunk[len(piece):]
	return x.emit(piece)
}

// emit passes on one piece of content. It is false when the exchange has failed.
func (x *Exchange) emit(p []byte) bool {
	n, ok := x.admit(int64(len(p)))
	if n > 0 {
		x.wire.Chunk(p[:n])
	}
	return ok
}

// admit passes the head on, once, and tells how many of n octets of content may follow. ok is false when the exchange has
// failed.
func (x *Exchange) admit(n int64) (admitted int64, ok bool) {
	if !x.mayAnswer() {
		return 0, false
	}
	if x.phase == started {
		x.sendHead(-1)
	}
	if x.head.NoContent {
		return 0, true
	}
	if x.left >= 0 {
		if n > x.left {
			if !x.excess {
				x.excess = true
				x.report("the body is longer than the Content-Length that the application declared", nil)
			}
			n = x.left
		}
		x.left -= n
	}
	return n, true
}

// mayAnswer fails the exchange when there is no head to send.
func (x *Exchange) mayAnswer() bool {
	switch x.phase {
	case waiting:
		x.fail(errNotStarted)
		return false
	case refused:
		x.fail(x.refusal)
		return false
	}
	return true
}

// sendHead passes the head on. The length is what the application declared, else the body's when it
// is known, else fallback.
func (x *Exchange) sendHead(fallback int64) {
	x.phase = sending
	h := &x.head
	h.Close = x.Environ.ClosesConnection()
	empty := !app.HasContent(h.Code)
	h.NoContent = x.isHead || empty
	if !h.HasLength {
		h.Length = fallback
		if empty {
			h.Length = -1 // of a 304 it would be that of the content which is not sent (RFC 9110 8.6)
		} else if sized, ok := x.body.(app.Sized); ok && !x.written {
			h.Length = sized.Size()
			if x.isHead && h.Length == 0 { // more likely a body that was left out than an empty one
				h.Length = -1
			}
		}
	}
	x.left = h.Length
	x.wire.Head(h)
}

// sendFile leaves the body to the wire when it is a file. It is false when it is not.
func (x *Exchange) sendFile() bool {
	f, ok := x.body.(app.Filer)
	if !ok || x.isHead {
		return false
	}
	x.sendHead(-1)
	n := f.Size()
	if x.head.NoContent || x.head.Length != n || n == 0 {
		return false
	}
	file, offset := f.File()
	if x.mail != nil {
		x.encloseBody(file, offset, n)
		return true
	}
	x.file = true
	x.wire.File(file, offset, n)
	return true
}

// finish ends a response whose body has ended.
func (x *Exchange) finish() {
	if !x.mayAnswer() {
		return
	}
	if x.phase == started {
		// There was no content, which is a length, unless that of a GET is asked for.
		if x.isHead {
			x.sendHead(-1)
		} else {
			x.sendHead(0)
		}
	}
	complete := x.left <= 0 || x.head.NoContent
	if !complete {
		x.report("response cut short", errShort)
	}
	x.phase = ended
	x.wire.Finish(complete)
	x.closeBody()
}

// fail ends the exchange after an error: with a 500 when nothing was sent, else by giving the response up.
func (x *Exchange) fail(err error) {
	if x.phase == ended {
		return
	}
	if x.phase == parked {
		if !x.deferred.abort(err) { // it is answered already
			x.report("application failed", err)
		}
		x.closeBody()
		return
	}
	abort := errors.Is(err, app.ErrAbort)
	if !abort && !errors.Is(err, app.ErrGone) {
		x.report("application failed", err)
	}
	x.chunk = nil
	if x.mail != nil {
		x.mail.dropFiles()
	}
	if x.phase == sending || abort {
		x.phase = ended
		x.wire.Finish(false)
	} else {
		x.answer("500 Internal Server Error", nil)
	}
	x.closeBody()
}

// answer ends the exchange with a short text that is its status, and with headers.
func (x *Exchange) answer(status string, headers []app.Header) {
	h := &x.head
	h.Headers = append(append(h.Headers[:0], app.Header{Name: "Content-Type", Value: "text/plain; charset=utf-8"}), headers...)
	code, _ := app.CheckStatus(status)
	text := status[4:] + "\n"
	*h = Head{Status: status, Code: code, Headers: h.Headers, Length: int64(len(text)), NoContent: x.isHead}
	h.Done = true
	x.phase = ended
	x.wire.Head(h)
	if !x.isHead {
		x.wire.Chunk([]byte(text))
	}
	x.wire.Finish(true)
}
