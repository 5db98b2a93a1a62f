package exchange

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/app"
)

// reportsPerSecond bounds what applications can write to the log by failing: a line with a stack costs more than
// a response, and the disk under the log would set the pace of the loops.
const reportsPerSecond = 20

// reports counts the lines of the current second.
type reports struct {
	second     atomic.Int64
	count      atomic.Int64
	suppressed atomic.Int64
}

// room tells whether there is room for another line in this second.
func (r *reports) room() bool {
	now := time.Now().Unix()
	if r.second.Load() != now {
		r.second.Store(now)
		r.count.Store(0)
	}
	return r.count.Load() < reportsPerSecond
}

// report logs what the application did wrong with this request.
func (x *Exchange) report(message string, err error) {
	if x.deferred != nil { // its environ has ended
		x.host.report(message, err)
		return
	}
	x.host.report(message, err, "method", x.Environ.Get("REQUEST_METHOD"), "path", x.Environ.Get("PATH_INFO"))
}

// report logs what an application did wrong.
func (c *Config) report(message string, err error, args ...any) {
	r := &c.reports
	if !r.room() {
		r.suppressed.Add(1)
		return
	}
	r.count.Add(1)
	if err != nil {
		args = append(args, "error", err)
	}
	if n := r.suppressed.Swap(0); n > 0 {
		args = append(args, "suppressed before", n)
	}
	if p := (*PanicError)(nil); errors.As(err, &p) {
		args = append(args, "stack", string(p.Stack))
	}
	c.Log.Error(message, args...)
}

// Report logs what was wrong with a request that no Exchange has run.
func (c *Config) Report(message string, environ *app.Environ, err error) {
	c.report(message, err, "method", environ.Get("REQUEST_METHOD"), "path", environ.Get("PATH_INFO"))
}

// TooManyCalls is what is logged of a request that was answered with 503 because Occupy has found no place.
const TooManyCalls = "too many blocking calls at a time, answered 503"

// PanicError is a panic of the application.
type PanicError struct {
	Value any
	Stack []byte // nil when there is no room for it in the log
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// panicError makes an error of a recovered value. Breaches of the contract are errors already.
func (c *Config) panicError(v any) error {
	switch v := v.(type) {
	case nil:
		return errGoexit
	case *app.StartResponseError:
		return v
	case error:
		if errors.Is(v, app.ErrAbort) {
			return v
		}
	}
	p := &PanicError{Value: v}
	if c.reports.room() {
		p.Stack = debug.Stack()
	}
	return p
}
