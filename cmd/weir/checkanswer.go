package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// answered is what became of a request.
type answered struct {
	status     string
	headers    []app.Header
	took       time.Duration
	octets     int
	content    []byte // of which at most keptContent
	cut        bool   // there was more, or might have come
	objections []string
}

// keptContent is how much of the content is looked at, in octets.
const keptContent = 1 << 20

// errEnough ends an answer that is longer, or takes longer, than is looked at.
var errEnough = errors.New("that is enough")

// ask has application answer a request, and checks both sides.
func ask(application app.Application, r *http.Request, timeout time.Duration) *answered {
	a := &answered{}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	r = r.WithContext(ctx)
	r.RemoteAddr, r.RequestURI = "127.0.0.1:50000", r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	begun := time.Now()
	var mu sync.Mutex
	var first answered // as the head that came first says; it may come when nobody waits any more
	a.serve(r, &collector{header: make(http.Header), stop: cancel, to: a}, app.Validator(func(environ *app.Environ, start app.StartResponse) app.Body {
		return application(environ, app.FilterHead(environ, start, func(h *app.Head) {
			mu.Lock()
			defer mu.Unlock()
			if first.status == "" {
				first.status, first.headers, first.took = h.Status, h.Headers, time.Since(begun)
			}
		}))
	}))
	mu.Lock()
	defer mu.Unlock()
	a.status, a.headers, a.took = first.status, first.headers, first.took
	switch {
	case a.status == "" && ctx.Err() != nil:
		a.objections = append(a.objections, fmt.Sprintf("there is no answer after --timeout, %v", timeout))
	case a.status != "":
		a.cut = ctx.Err() != nil
		a.validate(r)
	}
	return a
}

// validate has the validator see the answer again, as an application in Go would have given it.
func (a *answered) validate(r *http.Request) {
	a.serve(r.WithContext(context.Background()), &collector{header: make(http.Header), stop: func() {}, to: &answered{}}, app.Validator(func(_ *app.Environ, start app.StartResponse) app.Body {
		start(a.status, a.headers)
		if a.cut {
			return app.Reader(io.MultiReader(bytes.NewReader(a.content), unread{}))
		}
		return app.Bytes(a.content)
	}))
}

// unread is content that was not looked at.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, errEnough }

// serve has application answer r to w, and notes what is wrong.
func (a *answered) serve(r *http.Request, w http.ResponseWriter, application app.Application) {
	handler := &nethttp.ApplicationHandler{
		Application: application,
		Local:       func(*http.Request) (scheme, host string, port int) { return "http", "127.0.0.1", 8000 },
		Failed: func(_ *app.Environ, err error) {
			var breach *app.ValidationError
			switch {
			case errors.Is(err, errEnough) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			case errors.As(err, &breach):
				a.objections = append(a.objections, strings.TrimPrefix(breach.Error(), "app: "))
			default:
				text, _, _ := strings.Cut(err.Error(), "\n")
				a.objections = append(a.objections, strings.TrimPrefix(text, "app: "))
			}
		},
	}
	defer func() { _ = recover() }() // http.ErrAbortHandler: it is cut off
	handler.ServeHTTP(w, r)
}

// collector is the http.ResponseWriter of a request.
type collector struct {
	header http.Header
	stop   func()
	to     *answered
}

func (c *collector) Header() http.Header { return c.header }
func (c *collector) WriteHeader(int)     {}
func (c *collector) Flush()              {}

func (c *collector) Write(p []byte) (int, error) {
	room := keptContent - len(c.to.content)
	c.to.octets += len(p)
	c.to.content = append(c.to.content, p[:min(len(p), room)]...)
	if len(p) > room {
		c.stop()
		return 0, errEnough
	}
	return len(p), nil
}
