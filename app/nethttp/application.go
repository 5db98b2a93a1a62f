// Package nethttp runs handlers of net/http as applications (Application), and applications as handlers
// of net/http (Handler).
package nethttp

import (
	"errors"
	"net/http"
	"sync"

	"github.com/weirhttp/weir/app"
)

// RequestKey is the environ key under which Handler puts the *http.Request that an Application answers.
const RequestKey = "nethttp.request"

// Application returns an Application that answers with h: with a router, a framework, or whatever else is an
// http.Handler. Handlers may block, so it runs on a goroutine (app.Blocking).
//
// h finds the request as net/http would have read it, with these differences:
//   - Of fields with "_" in their name none arrive; repeated fields do arrive one by one.
//   - URL.Path is PATH_INFO: without the prefix at which middleware mounted the application (SCRIPT_NAME), as
//     under http.StripPrefix.
//   - ContentLength is known where the server has the whole content in memory, chunked or not.
//   - TLS tells that the scheme is https, and nothing else.
//   - The context ends when h returns, at the deadline of the request (app.DeadlineKey), or when a write finds that the client has left. FromContext finds the
//     environ in it.
//
// The ResponseWriter is an http.Flusher and an io.StringWriter. It cannot be hijacked, and there are no
// trailers and of 1xx responses only 103 (Early Hints): others, and the fields of a response that are hop-by-hop, are dropped, but that
// "Connection: close" closes the connection.
func Application(h http.Handler) app.Application {
	return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		r, cancel := newRequest(environ)
		defer cancel()
		w := newResponseWriter(environ, start, cancel)
		return serve(h, w, r)
	})
}

// serve calls h and returns what is left to send. A panic with http.ErrAbortHandler, with which a handler says that
// the response is to be given up and that the log need not tell, becomes the error of the body.
func serve(h http.Handler, w *responseWriter, r *http.Request) (body app.Body) {
	returned := false
	defer func() {
		if returned {
			return
		}
		switch p := recover(); p {
		case nil: // runtime.Goexit
		case http.ErrAbortHandler:
			body = w.abort(errAborted)
		default:
			w.abort(nil)
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	body = w.finish()
	returned = true
	return body
}

// errAborted is http.ErrAbortHandler to a server of either kind.
var errAborted = errors.Join(app.ErrAbort, http.ErrAbortHandler)

// bufferSize is how much of a response is held back to see whether more follows: what fits leaves at once
// and with its length.
const bufferSize = 4 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, bufferSize); return &b }}
