package nethttp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/weirhttp/weir/app"
)

// deferred implements app.Deferred. The rules are those of response, which writes into the mailbox. The goroutine of
// the request takes what is there, and is the only one that uses the http.ResponseWriter.
//
// Its methods are for any goroutine but for those in mailbox.go and end, which are for the goroutine of the request.
type deferred struct {
	executor
	source *source
	w      http.ResponseWriter
	forget func() bool // has the end of the context not call leave

	mu       sync.Mutex // guards what follows, and res until serve settles it
	changed  sync.Cond  // there is something for serve
	res      *response
	mail     mailbox
	sending  int           // octets that were taken from the mailbox and are not written yet
	answer   *app.Response // to be sent, at the deadline or now
	err      error         // with which the response has ended
	deadline *deadline     // nil: none
	done     chan struct{} // made when it is asked for
	watcher  app.Watcher
	returned bool // the application has
	begun    bool // there is no Answer any more, and no deadline
	over     bool // nothing is taken from the application any more
	closed   bool // it has ended the response
	finished bool // what is in the mailbox is the last
	gone     bool // the client has left, or the response has ended
	behind   bool // the watcher is to be told when the client has caught up
	cut      bool // what waits of files is not sent
	excess   bool // there was more content than the application has declared
}

// deadline is the response that is sent when time has passed.
type deadline struct {
	response *app.Response
	timer    *time.Timer
}

// Defer implements app.Deferrer. It is called by the application.
func (s *source) Defer() app.Deferred {
	res := s.response
	if res.started || res.over || res.deferred != nil {
		panic(&app.StartResponseError{Reason: "the answer cannot be deferred any more"})
	}
	d := &deferred{source: s, w: res.w, res: res}
	d.changed.L = &d.mu
	d.failed = func(err error) { res.handler.failed(res.reported(), err) }
	header := res.w.Header()
	if res.environ.ClosesConnection() {
		header.Set("Connection", "close")
	}
	d.mail.header = maps.Clone(header)
	res.w, res.deferred = &d.mail, d
	d.forget = context.AfterFunc(s.r.Context(), d.leave)
	return d
}

// reported is the environ for the reports about the request. That of a deferred one may be in use, if it was detached.
func (res *response) reported() *app.Environ {
	if res.deferred == nil {
		return res.environ
	}
	return res.handler.newEnviron(res.deferred.source, app.NewMemory(nil))
}

// release ends the deferred, if there is one. It is called when the handler returns, however it does.
func (res *response) release() {
	if res.deferred != nil {
		res.deferred.end()
	}
}

// Executor implements app.Deferred.
func (d *deferred) Executor() app.Executor { return &d.executor }

// begin is false when the response has ended. d.mu is held.
func (d *deferred) begin() bool {
	if d.over {
		return false
	}
	d.begun = true
	d.setDeadline(nil)
	return true
}

// finish ends the response, with what went wrong with it. d.mu is held.
func (d *deferred) finish(err error) {
	d.over, d.finished, d.err = true, true, err
	d.changed.Signal()
}

// EarlyHints implements app.Deferred.
func (d *deferred) EarlyHints(headers []app.Header) error {
	if err := app.CheckHints(headers); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		return app.ErrGone
	case d.res.sent:
		return errTooLate
	case d.source.r.ProtoAtLeast(1, 1):
		d.mail.hints = append(d.mail.hints, slices.Clone(headers))
		d.changed.Signal()
	}
	return nil
}

// Start implements app.Deferred.
func (d *deferred) Start(status string, headers []app.Header, cause ...error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.begin() {
		return app.ErrGone
	}
	return d.res.tryBegin(status, headers, cause...)
}

// tryBegin is begin with an error in the place of a panic.
func (res *response) tryBegin(status string, headers []app.Header, cause ...error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *app.StartResponseError:
			err = v
		default:
			panic(v)
		}
	}()
	res.begin(status, headers, cause...)
	return nil
}

// Write implements app.Deferred.
func (d *deferred) Write(chunk []byte) (unsent int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.begin():
		return 0, app.ErrGone
	case !d.res.started:
		return 0, errNotStarted
	}
	switch err := d.res.send(chunk); {
	case errors.Is(err, errTooLong):
		d.excess = true // to be reported once
	case err != nil:
		d.finish(err)
		return 0, err
	}
	return d.passOn(), nil
}

// SendFile implements app.Deferred.
func (d *deferred) SendFile(file *os.File, offset, count int64) error {
	if err := app.CheckSection(file, offset, count); err != nil {
		_ = file.Close()
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := int64(0), error(nil)
	switch {
	case !d.begin():
		err = app.ErrGone
	case !d.res.started:
		err = errNotStarted
	default:
		if n, err = d.res.admit(count); errors.Is(err, errTooLong) {
			d.excess, err = true, nil
		} else if err != nil {
			d.finish(err)
		}
	}
	if n > 0 {
		d.mail.enclose(enclosure{file: file, offset: offset, n: n})
	} else {
		_ = file.Close()
	}
	if err == nil {
		d.passOn()
	}
	return err
}

// passOn has the goroutine of the request see to what is there, and returns how many octets wait for the client. d.mu is held.
func (d *deferred) passOn() (unsent int) {
	d.changed.Signal()
	unsent = d.mail.octets + d.sending
	d.behind = d.behind || unsent > highWater
	return unsent
}

// Close implements app.Deferred.
func (d *deferred) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.begin() {
		return app.ErrGone
	}
	d.closed = true
	d.finish(d.complete())
	return nil
}

// complete tells whether the response is complete, when nothing follows. d.mu is held.
func (d *deferred) complete() error {
	if err := d.res.sendHead(0); err != nil {
		return err
	}
	if d.excess {
		return errTooLong
	}
	return d.res.end()
}

// Abort implements app.Deferred.
func (d *deferred) Abort(cause error) {
	if cause == nil {
		cause = errGivenUp
	}
	d.giveUp(cause)
}

var errGivenUp = errors.New("the application has given a deferred answer up")

// giveUp is Abort that is false when the response has ended.
func (d *deferred) giveUp(cause error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.begin() {
		return false
	}
	d.closed, d.cut = true, true
	d.mail.closeFiles()
	d.finish(cause)
	return true
}

// Answer implements app.Deferred.
func (d *deferred) Answer(r *app.Response) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun || d.over {
		return app.ErrGone
	}
	d.closed = true
	d.send(r)
	return nil
}

// send has r sent. d.mu is held.
func (d *deferred) send(r *app.Response) {
	d.over, d.answer = true, r
	d.setDeadline(nil)
	d.changed.Signal()
}

// SetDeadline implements app.Deferred.
func (d *deferred) SetDeadline(wait time.Duration, r *app.Response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun || d.over {
		return
	}
	var next *deadline
	if wait != 0 && r != nil {
		next = &deadline{response: r}
		next.timer = time.AfterFunc(wait, func() { d.expire(next) })
	}
	d.setDeadline(next)
}

// setDeadline replaces the deadline. d.mu is held.
func (d *deferred) setDeadline(next *deadline) {
	if d.deadline != nil {
		d.deadline.timer.Stop()
	}
	d.deadline = next
}

// expire is called when the time of a deadline has passed, which may have been replaced meanwhile.
func (d *deferred) expire(passed *deadline) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deadline == passed {
		d.send(passed.response)
	}
}

// Done implements app.Deferred.
func (d *deferred) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.gone {
			close(d.done)
		}
	}
	return d.done
}

// Watch implements app.Deferred.
func (d *deferred) Watch(w app.Watcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watcher = w
	d.tellLeft()
}

// tellLeft tells the watcher, if there is something to tell that it was not told. d.mu is held.
func (d *deferred) tellLeft() {
	if !d.gone || !d.returned {
		return
	}
	if d.watcher != nil && !d.closed {
		d.Post(d.watcher.Left)
	}
	d.watcher = nil
}

// leave notes that the client has left, or that the response has ended.
func (d *deferred) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.gone && d.done != nil {
		close(d.done)
	}
	d.gone, d.over = true, true
	d.answer, d.mail.data = nil, nil
	d.mail.closeFiles()
	d.setDeadline(nil)
	d.tellLeft()
	d.changed.Signal()
}

// end is called when the handler returns.
func (d *deferred) end() {
	d.forget()
	d.mu.Lock()
	d.returned = true // or its goroutine has ended
	d.mu.Unlock()
	d.leave()
}
