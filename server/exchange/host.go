package exchange

import (
	"bytes"
	"slices"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/tally"
)

// Loop is the event loop that exchanges run on. Post is for any goroutine, the others for the one that runs the loop.
//
// Application code is called between Enter and Leave. Leave is false when the loop has gone on without the call; TakenOver
// was called then, and the goroutine, which is a plain one from there on, ends with Depart. Abandon is for one
// that ends in the middle of a call.
//
// Watch has readable called while fd can be read, until Unwatch; ended is called when the loop ends before. Exited is closed then, and
// is for any goroutine.
type Loop interface {
	Post(f func(p any), p any)
	After(d time.Duration, f func())
	Enter(c interface{ TakenOver() }) (call uint64)
	Leave(call uint64) bool
	Abandon(c interface{ TakenOver() })
	Depart()
	Watch(fd int, readable, ended func()) error
	Unwatch(fd int)
	Exited() <-chan struct{}
}

// Host is what the exchanges of one loop share.
type Host struct {
	*Config
	// Tally counts the loop's requests; nil: they are not counted.
	Tally *tally.Requests

	loop Loop
	free []*Exchange // for answers of deferred requests; the loop's own
}

// maxFree bounds how many exchanges a loop keeps for answers of deferred requests.
const maxFree = 16

// NewHost returns the host of one loop.
func NewHost(config *Config, loop Loop) *Host { return &Host{Config: config, loop: loop} }

// executor is a loop as applications see it: what they have it run is application code.
type executor struct{ *Host }

func (h *Host) executor() app.Executor { return executor{h} }

// Post implements app.Executor.
func (e executor) Post(f func()) { e.loop.Post(e.callback, f) }

// After implements app.Executor.
func (e executor) After(d time.Duration, f func()) {
	e.loop.Post(func(any) { e.loop.After(d, func() { e.Post(f) }) }, nil)
}

// AddReader implements app.Poller.
func (e executor) AddReader(fd int, readable, ended func()) error {
	result := make(chan error, 1)
	e.loop.Post(func(any) { result <- e.loop.Watch(fd, readable, ended) }, nil)
	select {
	case err := <-result:
		return err
	case <-e.loop.Exited():
	}
	select {
	case err := <-result: // it was its last task
		return err
	default:
		return app.ErrGone
	}
}

// RemoveReader implements app.Poller.
func (e executor) RemoveReader(fd int) { e.loop.Unwatch(fd) }

// Answer implements app.Poller.
func (e executor) Answer(d app.Deferred, r *app.Response) error {
	for {
		layer, ok := d.(app.Layer)
		if !ok {
			break
		}
		below := layer.Below(r)
		if below == nil {
			break
		}
		d = below
	}
	if own, ok := d.(*Deferred); ok && own.wire.Host() == e.Host {
		return own.answerNow(r)
	}
	return d.Answer(kept(r))
}

// kept is a copy of r.
func kept(r *app.Response) *app.Response {
	return &app.Response{Status: r.Status, Headers: slices.Clone(r.Headers), Content: bytes.Clone(r.Content)}
}

// callback calls an application's function on the loop.
func (h *Host) callback(f any) {
	call := h.loop.Enter(h)
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		mine := h.loop.Leave(call)
		if v != nil {
			h.report("application failed in a callback", h.panicError(v))
		} else if mine { // it ends its goroutine
			h.loop.Abandon(h)
			mine = false
		}
		if !mine {
			h.loop.Depart()
		}
	}()
	f.(func())()
	returned = true
	if !h.loop.Leave(call) {
		h.loop.Depart()
	}
}

// TakenOver implements the Caller of a callback, which has nothing to do with the loop.
func (h *Host) TakenOver() {}
