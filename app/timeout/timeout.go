// Package timeout is middleware that bounds how long a client waits for an answer to begin.
package timeout

import (
	"errors"
	"time"

	"github.com/weirhttp/weir/app"
)

// Options say how long, and what comes then.
type Options struct {
	// After is how long the answer may take to begin.
	After time.Duration
	// Response is sent when that has passed. Default: 503 with Retry-After. A gateway may prefer a 504.
	Response *app.Response
}

var unavailable = &app.Response{
	Status:  "503 Service Unavailable",
	Headers: []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Retry-After", Value: "1"}},
	Content: []byte("The answer takes too long.\n"),
}

// New returns application with a deadline for each answer.
//
// A deferred answer, of a Python application for example, that has not begun by then is Response; what the application answers
// later finds that the client is gone. A deadline that the application sets itself counts when it is the earlier one.
//
// A call that is running cannot be interrupted, neither on a loop nor on a goroutine: it is answered when it returns. It finds the deadline in the environ
// (app.DeadlineKey), and a net/http handler in the context of its request, which ends then; what it does for the request should end with it.
func New(application app.Application, options Options) (app.Application, error) {
	if options.After <= 0 {
		return nil, errors.New("timeout: Options.After must be more than 0")
	}
	response := options.Response
	if response == nil {
		response = unavailable
	}
	if _, wrong := app.CheckStatus(response.Status); wrong != "" {
		return nil, errors.New("timeout: Options.Response: " + wrong)
	}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		at := time.Now().Add(options.After)
		if earlier, ok := app.Deadline(environ); !ok || at.Before(earlier) {
			environ.Set(app.DeadlineKey, at)
		}
		environ.WrapDefer(func(next app.Deferred) app.Deferred {
			d := &deferred{next, at, response}
			d.SetDeadline(0, nil)
			return d
		})
		return application(environ, start)
	}, nil
}

// deferred is the Deferred of a request with a deadline.
type deferred struct {
	app.Deferred
	at       time.Time
	response *app.Response
}

// SetDeadline implements app.Deferred.
func (d *deferred) SetDeadline(wait time.Duration, r *app.Response) {
	left := max(time.Until(d.at), time.Nanosecond)
	if wait == 0 || r == nil || wait > left {
		wait, r = left, d.response
	}
	d.Deferred.SetDeadline(wait, r)
}
