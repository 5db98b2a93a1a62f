package app

import "io"

// Filter is what a piece of middleware does to the responses to one request. It is called with each head: that of start, once more when
// a response is withdrawn for another, and those of the responses that a Deferred was given, of which one is sent. So it has to be
// free of side effects, and a Deferred calls it on any goroutine, but not at the same time.
type Filter func(h *Head)

// FilterHead has filter see the heads of a response, whichever way the application gives it: by start or by a Deferred. The
// content is left alone. Middleware that needs no more than that reads
//
//	return application(environ, app.FilterHead(environ, start, filter))
func FilterHead(environ *Environ, start StartResponse, filter Filter) StartResponse {
	environ.WrapDefer(func(next Deferred) Deferred { return &headDeferred{next, filter} })
	return func(status string, headers []Header, cause ...error) Write {
		h := newHead(status, headers, -1)
		filter(h)
		h.drop()
		return start(h.Status, h.Headers, cause...)
	}
}

// codedAtOnce is how many octets of content are coded in one go where the application was called, which may be a loop. More of it, and what
// comes from files, is coded on a goroutine.
const codedAtOnce = 64 << 10

// FilterContent calls application, and has filter see the heads of its response and decide what becomes of the content,
// whichever way that comes: a Body, Write, or a Deferred. A body that is left alone is returned as it is, so that a server finds what
// it is. start is passed on when the body is there, or begins, so that its size can be known.
//
// The content of a Deferred is coded where the methods are called; long content and files on a goroutine, at the pace of
// the client. What was written behind them waits, and counts as unsent.
func FilterContent(application Application, environ *Environ, start StartResponse, filter Filter) Body {
	f := &filtering{filter: filter, start: start}
	environ.WrapDefer(func(next Deferred) Deferred {
		f.deferred = newContentDeferred(next, filter)
		return f.deferred
	})
	return f.wrap(func() Body { return application(environ, f.startResponse) })
}

// filtering is one response that FilterContent sees. It is used by one goroutine at a time.
type filtering struct {
	filter   Filter
	start    StartResponse
	deferred *contentDeferred // that answers; nil: none does

	pending *Head   // the application has called start, and the server's was not called
	cause   []error // of that call
	passed  bool    // the server's start was called
	write   Write   // what it returned
	coder   Coder   // nil: the content is left alone
	body    Body    // is sent in the place of the content
	buf     []byte
}

func (f *filtering) startResponse(status string, headers []Header, cause ...error) Write {
	again := f.passed || f.pending != nil
	withdraws := false
	for _, c := range cause {
		withdraws = withdraws || c != nil
	}
	if again && !withdraws {
		f.pass(-1)
		return f.start(status, headers, cause...) // which tells what is wrong with that
	}
	f.pending, f.cause = newHead(status, headers, -1), cause
	if f.passed {
		f.pass(-1) // the server decides whether there still can be another response
	}
	return f.writeChunk
}

// pass passes start on. size is the length of the content, -1 when it is not known.
func (f *filtering) pass(size int64) {
	h := f.pending
	if h == nil {
		return
	}
	f.pending = nil
	if h.Size < 0 {
		h.Size = size
	}
	h.see(f.filter)
	ok := false
	defer func() {
		if !ok {
			h.drop()
		}
	}()
	write := f.start(h.Status, h.Headers, f.cause...)
	f.drop()
	f.passed, f.write, f.coder, f.body = true, write, h.Coder, h.Body
	ok = true
}

// drop gives up what was to become of the content.
func (f *filtering) drop() {
	if f.coder != nil {
		f.coder.Close()
	}
	if f.body != nil {
		_ = f.body.Close()
	}
	f.coder, f.body = nil, nil
}

// writeChunk is the Write that startResponse returns.
func (f *filtering) writeChunk(chunk []byte) (unsent int, err error) {
	f.pass(-1)
	switch {
	case f.body != nil:
		return 0, nil
	case f.coder != nil && len(chunk) > 0:
		if f.buf, err = f.coder.Encode(f.buf[:0], chunk, false); err != nil {
			return 0, err
		}
		chunk = f.buf
	}
	return f.write(chunk)
}

// wrap returns what the server gets for the body that call returns.
func (f *filtering) wrap(call func() Body) (wrapped Body) {
	var body Body
	ok := false
	defer func() {
		if !ok {
			f.drop()
			if f.deferred != nil {
				f.deferred.abandon()
			}
			if body != nil {
				_ = body.Close()
			}
		}
	}()
	body = call()
	if blocking, is := body.(*BlockingBody); is {
		ok = true
		return blocking.around(func() Body { return f.wrap(blocking.Call) }, f.drop)
	}
	wrapped = f.filtered(body)
	ok = true
	return wrapped
}

// filtered is what the server gets for the application's body, nil for none.
func (f *filtering) filtered(body Body) Body {
	if f.deferred != nil {
		return body
	}
	if body == nil && f.pending == nil && !f.passed {
		return nil // the protocol was switched, or start forgotten
	}
	if body == nil {
		body = Empty()
	}
	size := int64(-1)
	if sized, ok := body.(Sized); ok {
		size = sized.Size()
	}
	written := f.passed
	f.pass(size)
	switch {
	case !f.passed: // the application calls start in Next
	case f.body != nil:
		replacement := f.body
		f.body = nil
		_ = body.Close()
		return replacement
	case f.coder == nil:
		return body
	}
	if content, ok := Whole(body); ok && f.passed && !written && len(content) <= codedAtOnce {
		coded, err := f.coder.Encode(nil, content, true)
		f.drop()
		if err != nil {
			return &failed{err}
		}
		return Bytes(coded)
	}
	b := &filteredBody{filtering: f, content: body}
	if _, file := body.(Filer); file || size > codedAtOnce {
		b.most = codedAtOnce
		return blockingOver(b)
	}
	return b
}

// failed is the body of a response that cannot be sent.
type failed struct{ err error }

func (b *failed) Next() ([]byte, error) { return nil, b.err }
func (b *failed) Close() error          { return nil }

// filteredBody is what the server gets of a body whose chunks matter.
type filteredBody struct {
	*filtering
	content Body
	most    int    // octets that are coded at a time, 0 for all of a chunk: on a loop one that takes long has to be noticed
	rest    []byte // of the last chunk
	end     error  // came with it
}

// next returns the next chunk, or a piece of one.
func (b *filteredBody) next() (chunk []byte, err error) {
	if chunk, err = b.rest, b.end; len(chunk) == 0 {
		chunk, err = b.content.Next()
	}
	b.rest = nil
	if b.most > 0 && len(chunk) > b.most {
		b.rest, b.end = chunk[b.most:], err
		return chunk[:b.most], nil
	}
	return chunk, err
}

func (b *filteredBody) Next() ([]byte, error) {
	if b.body != nil {
		return b.body.Next()
	}
	chunk, err := b.next()
	if b.deferred != nil {
		return chunk, err
	}
	size := int64(-1)
	if err == io.EOF {
		size = int64(len(chunk))
	}
	if b.pending != nil && (len(chunk) > 0 || err == io.EOF) {
		b.pass(size)
	}
	switch {
	case b.body != nil:
		return b.body.Next()
	case b.coder == nil || err != nil && err != io.EOF || len(chunk) == 0 && err == nil:
		return chunk, err
	}
	coded, wrong := b.coder.Encode(b.buf[:0], chunk, err == io.EOF)
	if wrong != nil {
		return nil, wrong
	}
	b.buf = coded
	return coded, err
}

func (b *filteredBody) Close() error {
	b.drop()
	return b.content.Close()
}
