package app

import "sync/atomic"

// OnEnd calls application, and has ended called once when there is nothing more to be done for the answer: the body was closed, or a
// Deferred has ended the response, or its client has left. ended is called where that happens, on any goroutine, and must not block.
// An answer that is in memory has ended when the application returns it.
func OnEnd(application Application, environ *Environ, start StartResponse, ended func()) Body {
	e := &ending{ended: ended}
	environ.WrapDefer(func(next Deferred) Deferred {
		e.deferred = true
		d := &endingDeferred{Deferred: next, ending: e}
		next.Watch(d)
		return d
	})
	return e.wrap(func() Body { return application(environ, start) })
}

// ending is one response that OnEnd sees.
type ending struct {
	ended    func()
	deferred bool // the answer comes from a Deferred
	over     atomic.Bool
}

func (e *ending) end() {
	if !e.over.Swap(true) {
		e.ended()
	}
}

// wrap returns what the server gets for the body that call returns.
func (e *ending) wrap(call func() Body) Body {
	returned := false
	defer func() {
		if !returned { // also of a deferred one: the server gives that up
			e.end()
		}
	}()
	body := call()
	returned = true
	if blocking, ok := body.(*BlockingBody); ok {
		return blocking.around(func() Body { return e.wrap(blocking.Call) }, e.end)
	}
	if e.deferred {
		return body
	}
	if body == nil {
		e.end()
		return nil
	}
	if _, ok := Whole(body); ok {
		e.end()
		return body
	}
	b := &endingBody{body, e}
	switch body := body.(type) {
	case Filer:
		return &endingFiler{endingSized{b, body}, body}
	case Sized:
		return &endingSized{b, body}
	}
	return b
}

// endingBody is a body whose Close ends the answer.
type endingBody struct {
	Body
	*ending
}

func (b *endingBody) Close() error {
	if !b.deferred { // in Next, maybe
		defer b.end()
	}
	return b.Body.Close()
}

type endingSized struct {
	*endingBody
	sized Sized
}

func (b *endingSized) Size() int64 { return b.sized.Size() }

type endingFiler struct {
	endingSized
	filer Filer
}

func (b *endingFiler) File() (File, int64) { return b.filer.File() }

// endingDeferred is the Deferred of OnEnd, and the Watcher of the next one.
type endingDeferred struct {
	Deferred
	*ending
	watcher atomic.Pointer[Watcher]
}

// Close implements Deferred.
func (d *endingDeferred) Close() error {
	defer d.end()
	return d.Deferred.Close()
}

// Answer implements Deferred. Where it does nothing, the response has begun and goes on, or it has ended.
func (d *endingDeferred) Answer(r *Response) error {
	err := d.Deferred.Answer(r)
	if err == nil {
		d.end()
	}
	return err
}

// Abort implements Deferred.
func (d *endingDeferred) Abort(cause error) {
	defer d.end()
	d.Deferred.Abort(cause)
}

// Watch implements Deferred.
func (d *endingDeferred) Watch(w Watcher) {
	if w == nil {
		d.watcher.Store(nil)
		return
	}
	d.watcher.Store(&w)
	d.Deferred.Watch(d)
}

// Left implements Watcher.
func (d *endingDeferred) Left() {
	d.end()
	if w := d.watcher.Swap(nil); w != nil {
		(*w).Left()
	}
}

// Drained implements Watcher.
func (d *endingDeferred) Drained() {
	if w := d.watcher.Load(); w != nil {
		(*w).Drained()
	}
}
