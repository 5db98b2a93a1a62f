package exchange

import (
	"errors"
	"sync"
	"time"

	"github.com/weirhttp/weir/app"
)

// Parked is the Wire of a request that is answered later: it keeps the Deferred and what the response needs, and nothing
// of the request. Its methods are called on the loop.
type Parked interface {
	Wire
	// Deferred is embedded in the Parked: one object is all that waits.
	Deferred() *Deferred
	// Attach puts the Parked in the place of the wire of the request, which is not used any more.
	Attach()
	// Host is that of the loop.
	Host() *Host
	// SetDeadline has Expire called when d has passed; 0: never.
	SetDeadline(d time.Duration)
}

// Deferred implements app.Deferred. A wire embeds it in its Parked.
//
// Methods that begin with a capital letter and are app.Deferred's are for any goroutine; Resume, Gone and Expire are
// the wire's, on the loop.
type Deferred struct {
	wire Parked

	mu      sync.Mutex
	x       *Exchange     // from when the response begins
	answer  *app.Response // to be sent, at the deadline or now
	watcher app.Watcher   // a *notice when Done was called
	wait    time.Duration // the deadline that is not set yet
	isHead  bool
	calling bool // the wire does not wait yet: the application has not returned, or the loop has not heard of it
	closed  bool // the application has ended the response
	expired bool // the server answers, at the deadline
	gone    bool // the response has ended, or nobody reads it
	behind  bool // the watcher is to be told when the client has caught up
	counted bool // as one that waits
	hinted  bool // early hints were posted: the answer comes behind them
}

// Defer makes the request one that is answered later. It is called by the application.
func (x *Exchange) Defer() app.Deferred {
	x.leave()
	defer x.enter()
	if x.phase != waiting {
		panic(&app.StartResponseError{Reason: "the answer cannot be deferred any more"})
	}
	p := x.wire.Park()
	d := p.Deferred()
	d.wire, d.isHead = p, x.isHead
	d.calling = true
	x.phase, x.deferred = parked, d
	if x.mail == nil {
		p.Attach()
	} else {
		x.host.loop.Post(attach, p)
	}
	return d
}

func attach(p any) { p.(Parked).Attach() }

// Executor implements app.Deferred.
func (d *Deferred) Executor() app.Executor { return d.wire.Host().executor() }

// Post implements app.Executor.
func (d *Deferred) Post(f func()) { d.wire.Host().executor().Post(f) }

// After implements app.Executor.
func (d *Deferred) After(wait time.Duration, f func()) { d.wire.Host().executor().After(wait, f) }

// begin returns the exchange of the response; nil: it has ended. d.mu is held.
func (d *Deferred) begin() *Exchange {
	if d.over() {
		return nil
	}
	if d.x == nil {
		d.x = d.wire.Host().exchange(d)
		d.x.mail = newMailbox(d.x)
		d.x.wire = d.x.mail
	}
	return d.x
}

// answered tells whether the response has begun or ended. d.mu is held.
func (d *Deferred) answered() bool { return d.x != nil || d.over() }

// over tells whether there is nothing more to be done for the response. d.mu is held.
func (d *Deferred) over() bool { return d.closed || d.expired || d.gone }

// exchange makes the exchange of a deferred response.
func (h *Host) exchange(d *Deferred) *Exchange {
	x := &Exchange{}
	x.Init(h)
	x.begin(d.wire, d.isHead)
	x.deferred = d
	return x
}

// Start implements app.Deferred.
func (d *Deferred) Start(status string, headers []app.Header, cause ...error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.begin()
	if x == nil || x.phase == ended {
		return app.ErrGone
	}
	return x.tryStart(status, headers, cause...)
}

// tryStart is startResponse with an error in the place of a panic.
func (x *Exchange) tryStart(status string, headers []app.Header, cause ...error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = x.host.panicError(v)
		}
	}()
	x.startResponse(status, headers, cause...)
	return nil
}

// Write implements app.Deferred.
func (d *Deferred) Write(chunk []byte) (unsent int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.begin()
	switch {
	case x == nil || x.phase == ended:
		return 0, app.ErrGone
	case x.phase == waiting:
		return 0, errNotStarted
	}
	x.writePieces(chunk)
	unsent = x.wire.Unsent()
	d.behind = d.behind || unsent > HighWater
	return unsent, nil
}

// Close implements app.Deferred.
func (d *Deferred) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.begin()
	if x == nil || x.phase == ended {
		return app.ErrGone
	}
	d.closed = true
	x.finish()
	return nil
}

// Ended tells whether the application has ended the response: what is left is for the client to take.
func (d *Deferred) Ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// Abort implements app.Deferred.
func (d *Deferred) Abort(cause error) {
	if cause == nil {
		cause = errAborted
	}
	d.abort(cause)
}

// abort is false when the response has ended.
func (d *Deferred) abort(cause error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.begin()
	if x == nil {
		return false
	}
	d.closed = true
	x.fail(cause)
	return true
}

var errAborted = errors.New("the application has given a deferred answer up")

// Answer implements app.Deferred.
func (d *Deferred) Answer(r *app.Response) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answered() {
		return app.ErrGone
	}
	d.closed = true
	d.answer = r
	d.wire.Host().loop.Post(sendAnswer, d)
	return nil
}

func sendAnswer(p any) {
	d := p.(*Deferred)
	d.mu.Lock()
	r := d.answer
	if d.gone {
		r = nil
	}
	d.mu.Unlock()
	if r != nil {
		d.send(r)
	}
}

// answerNow is Answer on the loop. r is the caller's again when it returns.
func (d *Deferred) answerNow(r *app.Response) error {
	d.mu.Lock()
	if d.answered() {
		d.mu.Unlock()
		return app.ErrGone
	}
	if d.calling || d.hinted || len(r.Content) > pieceSize || !d.wire.Room() {
		d.mu.Unlock()
		return d.Answer(kept(r))
	}
	d.closed = true
	d.mu.Unlock()
	d.send(r)
	return nil
}

// send answers with r. The response has not begun.
func (d *Deferred) send(r *app.Response) {
	h := d.wire.Host()
	var x *Exchange
	if n := len(h.free); n > 0 {
		x = h.free[n-1]
		h.free = h.free[:n-1]
		x.begin(d.wire, d.isHead)
		x.deferred = d
	} else {
		x = h.exchange(d)
	}
	d.mu.Lock()
	d.x = x
	d.mu.Unlock()
	if err := x.tryStart(r.Status, r.Headers); err != nil {
		x.fail(err)
	} else if !x.sendWhole(r.Content) {
		x.body = app.Bytes(r.Content)
		x.pull()
		x.depart()
	}
	if x.phase == ended && len(h.free) < maxFree {
		x.wire, x.deferred = nil, nil
		h.free = append(h.free, x)
	}
}

// SetDeadline implements app.Deferred.
func (d *Deferred) SetDeadline(wait time.Duration, r *app.Response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answered() {
		return
	}
	d.answer, d.wait = r, wait
	if !d.calling {
		d.wire.Host().loop.Post(setDeadline, d)
	}
}

func setDeadline(p any) { p.(*Deferred).Waits() }

// Waits is called by the wire when the application has returned. It arms the deadline.
func (d *Deferred) Waits() {
	d.mu.Lock()
	d.calling = false
	if t := d.wire.Host().Tally; t != nil && !d.counted && !d.gone {
		d.counted = true
		t.Waiting++
	}
	wait, ended := d.wait, d.gone || d.x != nil
	d.mu.Unlock()
	if !ended {
		d.wire.SetDeadline(wait)
	}
}

// Done implements app.Deferred.
func (d *Deferred) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.watcher.(*notice)
	if !ok {
		n = &notice{watcher: d.watcher, done: make(chan struct{})}
		d.watcher = n
		if d.gone {
			close(n.done)
		}
	}
	return n.done
}

// notice is the watcher of a Deferred that was asked for Done: most are not, and need no channel.
type notice struct {
	watcher app.Watcher // the application's; nil: it has none
	done    chan struct{}
}

// Left implements app.Watcher.
func (n *notice) Left() {
	if n.watcher != nil {
		n.watcher.Left()
	}
}

// Drained implements app.Watcher.
func (n *notice) Drained() {
	if n.watcher != nil {
		n.watcher.Drained()
	}
}

// Watch implements app.Deferred.
func (d *Deferred) Watch(w app.Watcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, ok := d.watcher.(*notice); ok {
		n = &notice{w, n.done} // the other one may be in use on the loop
		d.watcher = n
	} else {
		d.watcher = w
	}
	if d.gone && !d.closed && w != nil {
		d.tell(w.Left)
	}
}

// tell has f called, which is the watcher's.
func (d *Deferred) tell(f func()) { d.wire.Host().loop.Post(d.wire.Host().callback, f) }

// drained looks whether the client has caught up.
func (d *Deferred) drained() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.behind && !d.gone && d.x.wire.Unsent() <= HighWater {
		d.behind = false
		if d.watcher != nil {
			d.tell(d.watcher.Drained)
		}
	}
}

// Resume goes on with a response that had no room.
func (d *Deferred) Resume() {
	d.mu.Lock()
	x := d.x
	d.mu.Unlock()
	if x != nil {
		x.Resume()
	}
}

// Gone tells that the client has left, or that the response has ended.
func (d *Deferred) Gone() {
	d.mu.Lock()
	x := d.x
	gone := d.gone
	left := !gone && !d.closed
	d.gone = true
	if d.counted && !gone {
		d.wire.Host().Tally.Waiting--
	}
	if left && d.watcher != nil {
		d.tell(d.watcher.Left)
	}
	if n, ok := d.watcher.(*notice); ok && !gone {
		close(n.done)
		d.watcher = &notice{done: n.done}
	} else if !ok {
		d.watcher = nil
	}
	d.answer = nil
	d.mu.Unlock()
	if x != nil {
		x.Gone()
	}
}

// Expire is called when the deadline has passed.
func (d *Deferred) Expire() {
	d.mu.Lock()
	r := d.answer
	if d.x != nil || d.closed || d.gone {
		r = nil
	}
	d.expired = r != nil
	d.mu.Unlock()
	if r != nil {
		d.send(r)
	}
}
