package nethttp

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"

	"github.com/weirhttp/weir/app"
)

// Handler returns a handler of net/http that answers with application. Requests have goroutines of their own there, so
// that app.Blocking makes no difference. Of the status only the code arrives: net/http writes reason phrases of its
// own.
//
// A request that is deferred (app.Environ.Defer) keeps its goroutine, which sends the answer. Each has an executor of its
// own, which is equal to no other: a goroutine that is there while there are functions to run, after the
// request too. The client has left when the context of the request has ended; of a request with content net/http notices
// that under HTTP/1 only when the content was read. The WriteTimeout of the http.Server counts from the request on.
//
// wsgi.errors is the ErrorLog of the http.Server, and the standard logger's output without one. SCRIPT_NAME is
// what http.StripPrefix has taken off.
func Handler(application app.Application) http.Handler {
	return &ApplicationHandler{Application: application}
}

// ApplicationHandler is what Handler returns, with its settings.
type ApplicationHandler struct {
	Application app.Application
	// Failed is told, instead of wsgi.errors, why a request was answered with 500 or cut off, and what was wrong with a
	// response that could be sent nevertheless. A panic of the application is a *PanicError. http.ErrAbortHandler
	// and app.ErrAbort are not reported. The environ of a deferred request is one that the application has not seen, without
	// content, since its own may be in use; Failed may be called on any goroutine then.
	Failed func(environ *app.Environ, err error)
	// Gateway is what all environs have in common; nil: what Handler says of it.
	Gateway *app.Gateway
	// Local is wsgi.url_scheme, SERVER_NAME and SERVER_PORT of a request; nil: whether it came by TLS, and the address at which net/http has
	// accepted it.
	Local func(r *http.Request) (scheme, host string, port int)
}

// ServeHTTP implements http.Handler.
func (h *ApplicationHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	src := newSource(r, h.Local)
	environ := h.newEnviron(src, input(r))
	res := &response{w: w, handler: h, environ: environ, head: src.Method() == http.MethodHead, length: -1}
	src.response = res
	defer res.release()

	err := attempt(func() error { return h.answer(environ, res) })
	if d := res.deferred; d != nil {
		if err != nil && !d.giveUp(err) && !aborts(err) {
			h.failed(res.reported(), err)
		}
		err = attempt(d.serve)
	}
	if err == nil || res.gone && errors.Is(err, app.ErrGone) {
		return
	}
	aborted := aborts(err)
	if !aborted {
		h.failed(res.reported(), err)
	}
	if errors.Is(err, errTooLong) {
		return // the client has what it was promised
	}
	if res.sent || aborted {
		// The one way in which net/http cuts a response off, so that no client takes it for complete.
		panic(http.ErrAbortHandler)
	}
	res.fail()
}

// newEnviron returns the environ of a request.
func (h *ApplicationHandler) newEnviron(src *source, in app.Input) *app.Environ {
	environ := new(app.Environ)
	gateway := h.Gateway
	if gateway == nil {
		gateway = &app.Gateway{Software: "weir", Errors: errorLog{src.r}, Multithread: true}
	}
	environ.Reset(src, in, gateway)
	if src.script != "" {
		environ.Set("SCRIPT_NAME", src.script)
		environ.Set("PATH_INFO", src.info)
	}
	environ.Set(RequestKey, src.r)
	return environ
}

// aborts tells whether err stands for a response that is cut off, for reasons that nobody need be told.
func aborts(err error) bool {
	return errors.Is(err, http.ErrAbortHandler) || errors.Is(err, app.ErrAbort)
}

// answer calls the application and sends its body, which it closes whatever happens.
func (h *ApplicationHandler) answer(environ *app.Environ, res *response) error {
	body := h.Application(environ, res.start)
	for res.deferred == nil {
		blocking, ok := body.(*app.BlockingBody)
		if !ok {
			break
		}
		body = blocking.Call()
	}
	if body == nil {
		body = app.Empty()
	}
	defer func() {
		// It comes too late for the response.
		if err := attempt(body.Close); err != nil {
			h.failed(res.reported(), fmt.Errorf("close of the body: %w", err))
		}
	}()
	if res.deferred != nil {
		return nil
	}
	return res.pull(body)
}

func (h *ApplicationHandler) failed(environ *app.Environ, err error) {
	if h.Failed != nil {
		h.Failed(environ, err)
		return
	}
	fmt.Fprintf(environ.Errors(), "weir: %s %q: %v\n", environ.Method(), environ.Path(), err)
}

// PanicError is a panic of the application.
type PanicError struct {
	Value any
	Stack []byte
}

func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack) }

// Unwrap returns the value of the panic where it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// attempt calls f, and returns a panic as an error.
func attempt(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	return f()
}

// errorLog is wsgi.errors under net/http.
type errorLog struct{ r *http.Request }

func (l errorLog) Write(p []byte) (int, error) {
	if s, ok := l.r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ErrorLog != nil {
		s.ErrorLog.Print(string(p))
		return len(p), nil
	}
	return log.Writer().Write(p)
}
