package app

import (
	"errors"
	"io"
)

// The queue of a contentDeferred: content that is long to code, or to read, is passed on by a goroutine, at the pace of the client.

// enqueue has run send body, behind what waits. d.mu is held.
func (d *contentDeferred) enqueue(body Body, octets int) {
	d.queue = append(d.queue, body)
	d.queued += octets
	if d.running {
		return
	}
	d.running = true
	if d.drained == nil {
		d.drained = make(chan struct{}, 1)
	}
	d.Deferred.Watch(d)
	go d.run()
}

// run passes the bodies in the queue on, one after the other.
func (d *contentDeferred) run() {
	for {
		d.mu.Lock()
		if d.gone {
			for _, body := range d.queue {
				_ = body.Close()
			}
			d.queue, d.running = nil, false
			d.drop()
			d.mu.Unlock()
			return
		}
		if len(d.queue) == 0 {
			d.stop()
			d.mu.Unlock()
			return
		}
		body := d.queue[0]
		d.queue[0] = nil
		d.queue = d.queue[1:]
		if len(d.queue) == 0 {
			d.queued = 0
		}
		d.mu.Unlock()
		if err := d.send(body); err != nil {
			d.Deferred.Abort(err)
			d.mu.Lock()
			d.leave()
			d.mu.Unlock()
			d.Deferred.Post(d.Left) // the application has not given it up
		}
	}
}

// stop ends run, whose work is done. d.mu is held.
func (d *contentDeferred) stop() {
	d.running = false
	if d.over {
		_ = d.end() // ErrGone: the client has left
		return
	}
	if d.behind && d.watcher != nil {
		d.Deferred.Post(d.watcher.Drained)
	}
	d.behind = false
}

// errPanic is a panic of a body that run sends.
var errPanic = errors.New("app: a body has panicked")

// send passes body on, and closes it.
func (d *contentDeferred) send(body Body) (err error) {
	if file, ok := body.(*section); ok && d.coder == nil {
		err = d.Deferred.SendFile(file.file, file.offset, file.size)
		if errors.Is(err, ErrGone) {
			return nil
		}
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			err = errPanic
			if cause, ok := v.(error); ok {
				err = errors.Join(errPanic, cause)
			}
		}
		if wrong := body.Close(); err == nil {
			err = wrong
		}
	}()
	for end := error(nil); end == nil; {
		var chunk []byte
		if chunk, end = body.Next(); end != nil && end != io.EOF {
			return end
		}
		for len(chunk) > 0 {
			piece := chunk[:min(len(chunk), codedAtOnce)]
			chunk = chunk[len(piece):]
			unsent, err := d.pass(piece, false)
			if errors.Is(err, ErrGone) || err == nil && !d.waits(unsent) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// waits waits until the client has taken most of what was sent. It is false when nobody reads any more.
func (d *contentDeferred) waits(unsent int) bool {
	if unsent > codedAtOnce {
		select {
		case <-d.drained:
		case <-d.Deferred.Done():
			d.mu.Lock()
			d.gone = true
			d.mu.Unlock()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.gone
}
