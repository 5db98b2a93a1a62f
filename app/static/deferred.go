package static

import (
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirhttp/weir/app"
)

// deferred is the Deferred of a request whose answer may name a file. It passes on what does not.
type deferred struct {
	app.Deferred
	sendfile *Sendfile
	method   string
	asked    conditions

	mu    sync.Mutex
	named *named // the response has begun, and names a file
	over  bool   // the file is on its way
}

// deferred puts a Deferred in front of d, while the environ is good.
func (t *transfer) deferred(d app.Deferred) app.Deferred {
	return &deferred{Deferred: d, sendfile: t.sendfile, method: t.environ.Method(), asked: readConditions(t.environ).clone()}
}

// Start implements app.Deferred.
func (d *deferred) Start(status string, headers []app.Header, cause ...error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		return app.ErrGone
	case d.named != nil && len(cause) == 0:
		return &app.StartResponseError{Reason: "called a second time without a cause"}
	}
	d.named = nil
	switch {
	case !names(headers):
		return d.Deferred.Start(status, headers, cause...)
	case hasNoContent(status):
		return d.Deferred.Start(status, withoutNames(headers), cause...)
	}
	d.named = &named{status, slices.Clone(headers), cause}
	d.Deferred.SetDeadline(0, nil) // the response has begun
	return nil
}

// replaced tells whether a file takes the place of the response's content.
func (d *deferred) replaced() (yes bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		err = app.ErrGone
	}
	return d.named != nil, err
}

// Write implements app.Deferred.
func (d *deferred) Write(chunk []byte) (unsent int, err error) {
	if yes, err := d.replaced(); yes {
		return 0, err
	}
	return d.Deferred.Write(chunk)
}

// SendFile implements app.Deferred.
func (d *deferred) SendFile(file *os.File, offset, count int64) error {
	if yes, err := d.replaced(); yes {
		go file.Close()
		return err
	}
	return d.Deferred.SendFile(file, offset, count)
}

// Close implements app.Deferred.
func (d *deferred) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.named == nil:
		return d.Deferred.Close()
	case d.over:
		return app.ErrGone
	}
	d.over = true
	go d.send()
	return nil
}

// Answer implements app.Deferred.
func (d *deferred) Answer(r *app.Response) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.named != nil:
		return app.ErrGone
	case !names(r.Headers):
		return d.Deferred.Answer(r)
	case hasNoContent(r.Status):
		return d.Deferred.Answer(&app.Response{Status: r.Status, Headers: withoutNames(r.Headers), Content: r.Content})
	}
	d.named, d.over = &named{status: r.Status, headers: r.Headers}, true
	go d.send()
	return nil
}

// Below implements app.Layer.
func (d *deferred) Below(r *app.Response) app.Deferred {
	if yes, _ := d.replaced(); yes || names(r.Headers) {
		return nil
	}
	return d.Deferred
}

// SetDeadline implements app.Deferred. What is sent at a deadline is there whole, so no file can be named with it.
func (d *deferred) SetDeadline(wait time.Duration, r *app.Response) {
	if r != nil && names(r.Headers) {
		d.sendfile.log.Error("the response for a deadline names a file, which it cannot; it is answered with 500 then")
		r = refusal("500 Internal Server Error")
	}
	d.Deferred.SetDeadline(wait, r)
}

// Abort implements app.Deferred.
func (d *deferred) Abort(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.named != nil && !d.over {
		d.named = nil
	}
	d.Deferred.Abort(cause)
}

// send answers with the file, on a goroutine. Errors that are not looked at tell that the client has gone.
func (d *deferred) send() {
	a, h := d.sendfile.prepare(d.named, d.method, &d.asked)
	if h == nil {
		_ = d.Deferred.Start(a.status, a.headers, d.named.cause...)
		_, _ = d.Deferred.Write([]byte(a.status[4:] + "\n"))
		_ = d.Deferred.Close()
		return
	}
	defer h.release()
	if err := d.Deferred.Start(a.status, a.headers, d.named.cause...); err != nil {
		d.Deferred.Abort(err)
		return
	}
	if d.method == "HEAD" {
		a.parts, a.tail = nil, ""
	}
	for _, p := range a.parts {
		if p.before != "" {
			_, _ = d.Deferred.Write([]byte(p.before))
		}
		// Each part has a descriptor of its own: SendFile takes it over.
		fd, err := unix.FcntlInt(h.fd, unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			err = d.Deferred.SendFile(os.NewFile(uintptr(fd), h.Name()), p.offset, p.n)
		}
		if err != nil {
			d.Deferred.Abort(err)
			return
		}
	}
	if a.tail != "" {
		_, _ = d.Deferred.Write([]byte(a.tail))
	}
	_ = d.Deferred.Close()
}
