package app

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"sync"
	"time"
)

// headDeferred is the Deferred of FilterHead.
type headDeferred struct {
	Deferred
	filter Filter
}

// Start implements Deferred.
func (d *headDeferred) Start(status string, headers []Header, cause ...error) error {
	h := newHead(status, headers, -1)
	d.filter(h)
	h.drop()
	return d.Deferred.Start(h.Status, h.Headers, cause...)
}

// Answer implements Deferred.
func (d *headDeferred) Answer(r *Response) error { return d.Deferred.Answer(d.seen(r)) }

// SetDeadline implements Deferred.
func (d *headDeferred) SetDeadline(wait time.Duration, r *Response) {
	d.Deferred.SetDeadline(wait, d.seen(r))
}

// seen is r with the head that the filter has made.
func (d *headDeferred) seen(r *Response) *Response {
	if r == nil {
		return nil
	}
	h := newHead(r.Status, r.Headers, int64(len(r.Content)))
	d.filter(h)
	h.drop()
	return h.answer(r)
}

// answer is r with this head. It is r itself where nothing has changed: very many requests may wait for the same one.
func (h *Head) answer(r *Response) *Response {
	if h.Status == r.Status && slices.Equal(h.Headers, r.Headers) {
		return r
	}
	return &Response{Status: h.Status, Headers: h.Headers, Content: r.Content}
}

// contentDeferred is the Deferred of FilterContent. Its methods are for any goroutine. Left and Drained, which make it the Watcher of
// the next Deferred, are called on the loop.
//
// Content that is long to code, or to read, waits in queue, and a goroutine passes it on (run). While that is there, all content goes through
// the queue, and coder and the end of the response are the goroutine's.
type contentDeferred struct {
	Deferred
	filter Filter

	mu      sync.Mutex
	watcher Watcher
	begun   bool // Start has succeeded
	over    bool // the application has ended the response
	gone    bool // nobody reads it
	coder   Coder
	body    Body // is sent in the place of the content
	queue   []Body
	queued  int  // octets in queue
	running bool // run is there
	behind  bool // the application was told to wait for Drained

	drained chan struct{} // for run: the client has caught up. Made with the first one
}

func newContentDeferred(next Deferred, filter Filter) *contentDeferred {
	return &contentDeferred{Deferred: next, filter: filter}
}

// coding holds what chunks are coded into.
var coding = sync.Pool{New: func() any { return new([]byte) }}

// maxCoding is how many octets a buffer that is kept for later may have.
const maxCoding = 2 * codedAtOnce

// Start implements Deferred.
func (d *contentDeferred) Start(status string, headers []Header, cause ...error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over || d.gone:
		return ErrGone
	case d.running:
		return &StartResponseError{Reason: "called again after the head was sent", Cause: errors.Join(cause...)}
	}
	h := newHead(status, headers, -1)
	h.see(d.filter)
	return d.begin(h, cause...)
}

// begin begins the response with a head that the filter has seen. d.mu is held.
func (d *contentDeferred) begin(h *Head, cause ...error) error {
	if err := d.Deferred.Start(h.Status, h.Headers, cause...); err != nil {
		h.drop()
		return err
	}
	d.drop()
	d.begun, d.coder, d.body = true, h.Coder, h.Body
	if d.coder != nil || d.body != nil {
		d.Deferred.Watch(d) // or they would be kept when the client has left
	}
	return nil
}

// drop gives up what was to become of the content. d.mu is held, and run not there.
func (d *contentDeferred) drop() {
	if d.coder != nil {
		d.coder.Close()
	}
	if d.body != nil {
		_ = d.body.Close()
	}
	d.coder, d.body = nil, nil
}

// Write implements Deferred.
func (d *contentDeferred) Write(chunk []byte) (unsent int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over || d.gone:
		return 0, ErrGone
	case d.body != nil:
		return 0, nil
	case d.running, d.coder != nil && len(chunk) > codedAtOnce:
		d.enqueue(Bytes(bytes.Clone(chunk)), len(chunk))
		d.behind = d.behind || d.queued > codedAtOnce
		return d.queued, nil
	}
	unsent, err = d.pass(chunk, false)
	d.behind = d.behind || unsent > codedAtOnce
	return unsent, err
}

// pass codes chunk and passes it on. d.mu is held, or it is run that calls.
func (d *contentDeferred) pass(chunk []byte, last bool) (unsent int, err error) {
	if d.coder == nil || len(chunk) == 0 && !last {
		return d.Deferred.Write(chunk)
	}
	buf := coding.Get().(*[]byte)
	defer coding.Put(buf)
	coded, err := d.coder.Encode((*buf)[:0], chunk, last)
	if cap(coded) <= maxCoding {
		*buf = coded
	}
	if err != nil || last && len(coded) == 0 {
		return 0, err
	}
	return d.Deferred.Write(coded)
}

// SendFile implements Deferred.
func (d *contentDeferred) SendFile(file *os.File, offset, count int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || d.gone || d.body != nil {
		_ = file.Close()
		if d.body != nil && !d.over {
			return nil
		}
		return ErrGone
	}
	if d.coder == nil && !d.running {
		return d.Deferred.SendFile(file, offset, count)
	}
	if err := CheckSection(file, offset, count); err != nil {
		_ = file.Close()
		return err
	}
	body, err := FileBody(file, offset, count)
	if err != nil {
		_ = file.Close()
		return err
	}
	d.enqueue(body, int(min(count, codedAtOnce+1)))
	d.behind = d.behind || d.queued > codedAtOnce
	return nil
}

// Close implements Deferred.
func (d *contentDeferred) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || d.gone {
		return ErrGone
	}
	d.over = true
	return d.replace()
}

// replace ends the response, with the body that is in the place of the content if there is one. d.mu is held.
func (d *contentDeferred) replace() error {
	if body := d.body; body != nil {
		d.body = nil
		if content, ok := Whole(body); !ok || d.running {
			d.enqueue(body, 0)
		} else if len(content) > 0 {
			_, _ = d.Deferred.Write(content) // ErrGone: Close says so
		}
	}
	if d.running {
		return nil
	}
	return d.end()
}

// end ends the response, whose content was passed on. d.mu is held, or it is run that calls.
func (d *contentDeferred) end() error {
	if d.coder != nil {
		_, err := d.pass(nil, true)
		d.coder.Close()
		d.coder = nil
		if err != nil && !errors.Is(err, ErrGone) {
			d.Deferred.Abort(err)
			return ErrGone
		}
	}
	return d.Deferred.Close()
}

// Abort implements Deferred.
func (d *contentDeferred) Abort(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over && !d.running {
		return
	}
	d.leave()
	d.over = true
	d.Deferred.Abort(cause)
}

// Answer implements Deferred.
func (d *contentDeferred) Answer(r *Response) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun || d.over || d.gone {
		return ErrGone
	}
	h := newHead(r.Status, r.Headers, int64(len(r.Content)))
	h.see(d.filter)
	if h.inMemory() && (h.Coder == nil || len(r.Content) <= codedAtOnce) {
		answer, err := h.whole(r)
		if err != nil {
			d.over = true
			d.Deferred.Abort(err)
			return nil
		}
		err = d.Deferred.Answer(answer)
		d.over = err == nil
		return err
	}
	if err := d.begin(h); err != nil {
		if errors.Is(err, ErrGone) {
			return err
		}
		d.over = true
		d.Deferred.Abort(err)
		return nil
	}
	d.over = true
	if d.body == nil {
		d.enqueue(Bytes(r.Content), len(r.Content))
	}
	return d.replace()
}

// inMemory tells whether the content is, whatever becomes of it.
func (h *Head) inMemory() bool {
	if h.Body == nil {
		return true
	}
	_, ok := Whole(h.Body)
	return ok
}

// whole is r with the head h and the content that h wants, which is in memory.
func (h *Head) whole(r *Response) (answer *Response, err error) {
	defer h.drop()
	content := r.Content
	switch {
	case h.Body != nil:
		content, _ = Whole(h.Body)
	case h.Coder != nil:
		if content, err = h.Coder.Encode(nil, content, true); err != nil {
			return nil, err
		}
	default:
		return h.answer(r), nil
	}
	return &Response{Status: h.Status, Headers: h.Headers, Content: content}, nil
}

// SetDeadline implements Deferred. The response is coded now; another body in its place has to be in memory.
func (d *contentDeferred) SetDeadline(wait time.Duration, r *Response) {
	if r != nil && wait != 0 {
		d.mu.Lock()
		h := newHead(r.Status, r.Headers, int64(len(r.Content)))
		h.see(d.filter)
		if !h.inMemory() {
			h.drop()
		} else if answer, err := h.whole(r); err == nil {
			r = answer
		}
		d.mu.Unlock()
	}
	d.Deferred.SetDeadline(wait, r)
}

// Watch implements Deferred.
func (d *contentDeferred) Watch(w Watcher) {
	d.mu.Lock()
	d.watcher = w
	d.mu.Unlock()
	if w == nil {
		return
	}
	d.Deferred.Watch(d)
}

// Left implements Watcher.
func (d *contentDeferred) Left() {
	d.mu.Lock()
	w := d.watcher
	if d.over {
		w = nil
	}
	d.watcher = nil
	d.leave()
	d.mu.Unlock()
	if w != nil {
		w.Left()
	}
}

// leave notes that nobody reads the response. d.mu is held.
func (d *contentDeferred) leave() {
	d.gone = true
	if d.running {
		d.wake()
	} else {
		d.drop()
	}
}

// abandon is called when the application has panicked: the server gives the response up.
func (d *contentDeferred) abandon() {
	d.mu.Lock()
	d.over = true
	d.leave()
	d.mu.Unlock()
}

// wake has run look. d.mu is held.
func (d *contentDeferred) wake() {
	select {
	case d.drained <- struct{}{}:
	default:
	}
}

// Drained implements Watcher.
func (d *contentDeferred) Drained() {
	d.mu.Lock()
	w := d.watcher
	if d.running {
		d.wake()
		w = nil // it is told when the queue is empty
	} else {
		d.behind = false
	}
	d.mu.Unlock()
	if w != nil {
		w.Drained()
	}
}
