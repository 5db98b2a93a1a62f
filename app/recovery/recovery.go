// Package recovery is middleware that answers for an application that has panicked.
//
// A server does that too: it logs the panic, answers with a short 500, or cuts off what has begun, and goes on. What is here is for more: a page of
// one's own, a report to somewhere else, and an answer that passes through the middleware outside, which gives it the fields of CORS and a request's name.
package recovery

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/weirhttp/weir/app"
)

// Options say what comes of a panic.
type Options struct {
	// Response is the answer. Default: a short 500.
	Response *app.Response
	// Report is told of each panic, instead of wsgi.errors. It runs where the application ran.
	Report func(environ *app.Environ, value any, stack []byte)
}

var failed = &app.Response{
	Status:  "500 Internal Server Error",
	Headers: []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}},
	Content: []byte("Internal Server Error\n"),
}

// New returns application with its panics answered, those of the call, which is where nearly all of them are. Panics of a body, and of what runs
// after the call, are left to the server, as is app.ErrAbort, and a panic when the head of the response is sent already.
func New(application app.Application, options Options) (app.Application, error) {
	response := options.Response
	if response == nil {
		response = failed
	}
	if _, wrong := app.CheckStatus(response.Status); wrong != "" {
		return nil, errors.New("recovery: Options.Response: " + wrong)
	}
	report := options.Report
	if report == nil {
		report = func(environ *app.Environ, value any, stack []byte) {
			fmt.Fprintf(environ.Errors(), "weir: %s %q: panic: %v\n%s\n", environ.Method(), environ.Path(), value, stack)
		}
	}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		var d app.Deferred
		environ.WrapDefer(func(next app.Deferred) app.Deferred { d = next; return d })
		return app.OnCall(application, environ, start, func(do func() app.Body) (body app.Body) {
			defer func() {
				v := recover()
				if v == nil {
					return // or its goroutine ends
				}
				err, _ := v.(error)
				if errors.Is(err, app.ErrAbort) {
					panic(v)
				}
				if d != nil {
					if d.Answer(response) != nil {
						panic(v) // the answer has begun: the server gives it up
					}
				} else if !begin(start, response, v) {
					panic(v)
				} else {
					body = app.Bytes(response.Content)
				}
				report(environ, v, debug.Stack())
			}()
			return do()
		})
	}, nil
}

// begin begins the answer, in the place of another one that has not begun. It is false when that has.
func begin(start app.StartResponse, r *app.Response, value any) (ok bool) {
	defer func() { _ = recover() }()
	cause, is := value.(error)
	if !is {
		cause = fmt.Errorf("panic: %v", value)
	}
	start(r.Status, r.Headers, cause)
	return true
}
