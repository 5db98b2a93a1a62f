package app

import (
	"errors"
	"io"
	"os"
	"sync"
)

// ErrIntercepted is why a response was given up whose content is above the limit of Intercept.
var ErrIntercepted = errors.New("app: a response that middleware reads whole is too large")

// Intercept calls application, and takes those responses away from it whose fields wanted chooses, whichever way they come: a Body, Write, or a
// Deferred. Such a response is collected, up to limit octets of content, and take gets it together with the Deferred of the request, which
// nobody else uses any more: take answers by it, now or later. take is called where the response ended, which may be a loop, and does not wait.
// What it does with the Deferred is seen by middleware outside of this one, and not by that inside, which has seen the response.
//
// Other responses are left alone. A response that is too large is given up with ErrIntercepted.
func Intercept(application Application, environ *Environ, start StartResponse, limit int, wanted func(headers []Header) bool, take func(d Deferred, r *Response)) Body {
	i := &intercepting{environ: environ, start: start, outer: environ.wrap, collecting: collecting{limit: limit, wanted: wanted, take: take}}
	environ.WrapDefer(func(next Deferred) Deferred {
		i.deferred = true
		return &interceptDeferred{Deferred: next, collecting: i.collecting}
	})
	return i.wrap(func() Body { return application(environ, i.startResponse) })
}

// collecting is a response that Intercept collects.
type collecting struct {
	limit    int
	wanted   func(headers []Header) bool
	take     func(d Deferred, r *Response)
	response *Response // nil: none that is wanted
}

func (c *collecting) begin(status string, headers []Header) {
	c.response = &Response{Status: status, Headers: append([]Header(nil), headers...)}
}

func (c *collecting) add(chunk []byte) error {
	if len(c.response.Content)+len(chunk) > c.limit {
		return ErrIntercepted
	}
	c.response.Content = append(c.response.Content, chunk...)
	return nil
}

// intercepting is one response that Intercept sees. It is used by one goroutine at a time.
type intercepting struct {
	collecting
	environ  *Environ
	start    StartResponse
	outer    func(Deferred) Deferred // what middleware outside has around Deferreds
	deferred bool                    // the application has called Defer
	passed   bool                    // the server's start was called
}

func (i *intercepting) startResponse(status string, headers []Header, cause ...error) Write {
	withdraws := false
	for _, c := range cause {
		withdraws = withdraws || c != nil
	}
	if i.response != nil && !withdraws {
		panic(&StartResponseError{Reason: "called twice without an error"})
	}
	if i.response = nil; !i.passed && i.wanted(headers) {
		i.begin(status, headers)
		return i.writeChunk
	}
	i.passed = true
	return i.start(status, headers, cause...)
}

// writeChunk is the Write that startResponse returns for a response that is collected.
func (i *intercepting) writeChunk(chunk []byte) (unsent int, err error) { return 0, i.add(chunk) }

// wrap returns what the server gets for the body that call returns.
func (i *intercepting) wrap(call func() Body) Body {
	body := call()
	if blocking, ok := body.(*BlockingBody); ok {
		return blocking.around(func() Body { return i.wrap(blocking.Call) }, func() {})
	}
	if i.deferred || i.passed || body == nil && i.response == nil {
		return body
	}
	if body == nil {
		body = Empty()
	}
	if content, ok := Whole(body); ok && i.response != nil && i.add(content) == nil {
		_ = body.Close()
		i.finish()
		return nil
	}
	return &interceptedBody{body, i}
}

// finish defers the request, as the middleware outside has it, and hands it on.
func (i *intercepting) finish() {
	inner := i.environ.wrap
	i.environ.wrap = i.outer
	d := i.environ.Defer()
	i.environ.wrap = inner
	i.take(d, i.response)
}

// interceptedBody collects the chunks of a body, or passes them on when that turns out to be right.
type interceptedBody struct {
	Body
	*intercepting
}

func (b *interceptedBody) Next() ([]byte, error) {
	for {
		chunk, err := b.Body.Next()
		if b.deferred || b.passed || b.response == nil {
			return chunk, err
		}
		if wrong := b.add(chunk); wrong != nil {
			return nil, wrong
		}
		if err == io.EOF {
			b.finish()
		}
		if err != nil {
			return nil, err
		}
	}
}

// interceptDeferred is the Deferred of Intercept. Its methods are for any goroutine.
type interceptDeferred struct {
	Deferred

	mu sync.Mutex // guards what follows
	collecting
	begun bool // a response that is not wanted has
	over  bool // the application has ended the response
}

// Below implements Layer.
func (d *interceptDeferred) Below(r *Response) Deferred {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || d.response != nil || d.wanted(r.Headers) {
		return nil
	}
	return d.Deferred
}

// Start implements Deferred.
func (d *interceptDeferred) Start(status string, headers []Header, cause ...error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		return ErrGone
	case !d.begun && d.wanted(headers):
		d.begin(status, headers)
		return nil
	}
	d.begun, d.response = true, nil
	return d.Deferred.Start(status, headers, cause...)
}

// Write implements Deferred.
func (d *interceptDeferred) Write(chunk []byte) (unsent int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		return 0, ErrGone
	case d.response == nil:
		return d.Deferred.Write(chunk)
	}
	if err := d.add(chunk); err != nil {
		d.giveUp(err)
		return 0, ErrGone
	}
	return 0, nil
}

// giveUp ends a response that cannot be collected. d.mu is held.
func (d *interceptDeferred) giveUp(err error) {
	d.over, d.response = true, nil
	d.Deferred.Abort(err)
}

// SendFile implements Deferred. A file that belongs to a wanted response is read at once: it is below the limit.
func (d *interceptDeferred) SendFile(file *os.File, offset, count int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		_ = file.Close()
		return ErrGone
	case d.response == nil:
		return d.Deferred.SendFile(file, offset, count)
	}
	defer file.Close()
	if err := CheckSection(file, offset, count); err != nil {
		return err
	}
	if count > int64(d.limit) {
		d.giveUp(ErrIntercepted)
		return ErrGone
	}
	content := make([]byte, count)
	n, err := file.ReadAt(content, offset)
	switch {
	case n == len(content):
		err = d.add(content)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		d.giveUp(err)
		return ErrGone
	}
	return nil
}

// Close implements Deferred.
func (d *interceptDeferred) Close() error {
	d.mu.Lock()
	r := d.response
	switch {
	case d.over:
		d.mu.Unlock()
		return ErrGone
	case r == nil:
		d.mu.Unlock()
		return d.Deferred.Close()
	}
	return d.hand(r)
}

// hand hands the request on. d.mu is held, and released: take may lead to anything.
func (d *interceptDeferred) hand(r *Response) error {
	d.over, d.response = true, nil
	d.mu.Unlock()
	d.Deferred.SetDeadline(0, nil)
	d.take(d.Deferred, r)
	return nil
}

// Answer implements Deferred.
func (d *interceptDeferred) Answer(r *Response) error {
	d.mu.Lock()
	switch {
	case d.over || d.response != nil:
		d.mu.Unlock()
		return ErrGone
	case d.begun || !d.wanted(r.Headers):
		d.mu.Unlock()
		return d.Deferred.Answer(r)
	case len(r.Content) > d.limit:
		defer d.mu.Unlock()
		d.giveUp(ErrIntercepted)
		return nil
	}
	return d.hand(r)
}

// Abort implements Deferred.
func (d *interceptDeferred) Abort(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		d.giveUp(cause)
	}
}
