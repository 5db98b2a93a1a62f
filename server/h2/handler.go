package h2

import (
	"net/http"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

// handler answers the requests of one connection.
type handler struct {
	server    *Server
	conn      *conn
	at        Address
	requests  atomic.Int64
	collected atomic.Int64 // octets of content that are held for requests whose application is not called yet
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s := h.server
	w := &response{ResponseWriter: rw, server: s, head: r.Method == http.MethodHead}
	defer w.end()
	if s.config().IsLast(int(h.requests.Add(1))) || s.draining.Load() {
		w.close = true
	}
	var notes accesslog.Notes
	if s.log != nil {
		notes = s.log.begin()
		defer func() { s.log.append(r, notes, w.Header(), w.status, w.octets) }()
	}
	if s.tally != nil {
		begun := s.tally.Begin()
		defer func() { s.tally.End(begun, w.status) }()
	}
	if code, why := s.check(r); code != 0 {
		w.refuse(code, why)
		return
	}
	if tls, ok := h.conn.Conn.(stater); ok && r.TLS == nil { // the client has said that it were not
		state := tls.ConnectionState()
		r.TLS = &state
	}
	origin := h.origin(r)
	if !h.receive(w, r) {
		w.refuse(0, "")
		return
	}
	call := &call{handler: h, response: w, notes: &notes}
	defer call.vacate()
	a := nethttp.ApplicationHandler{
		Application: call.application,
		Failed:      call.failed,
		Gateway:     &s.config().Exchange.Gateway,
		Local:       func(*http.Request) (string, string, int) { return origin.scheme, origin.name, origin.port },
	}
	a.ServeHTTP(w, r)
}

// call is the call of the application for one request. It takes a place among the applications that may block, until it is over, the answer is
// deferred, or the application has no more to do with it.
type call struct {
	*handler
	response *response
	notes    *accesslog.Notes
	occupied bool
}

// application implements app.Application.
func (c *call) application(environ *app.Environ, start app.StartResponse) app.Body {
	config := c.server.config()
	if !config.Exchange.Occupy() {
		config.Exchange.Report(exchange.TooManyCalls, environ, nil)
		start("503 Service Unavailable", []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Retry-After", Value: "1"}})
		return app.String("Service Unavailable\n")
	}
	c.occupied = true
	if log := c.server.log; log != nil {
		log.scribe.Wants().NoteEnviron(c.notes, environ)
	}
	application := config.Application
	if environ.Get("REQUEST_URI") == "*" {
		application = exchange.ServerWide
	}
	environ.WrapDefer(func(d app.Deferred) app.Deferred { // in the call, or in one that the body makes
		c.vacate()
		return d
	})
	body := application(environ, start)
	for blocking, ok := body.(*app.BlockingBody); ok && c.occupied; blocking, ok = body.(*app.BlockingBody) {
		body = blocking.Call()
	}
	if !runs(body) {
		c.vacate()
	}
	return body
}

// runs tells whether the application has still to be called for a body. Content in memory and files are sent without it, at the pace of the client.
func runs(body app.Body) bool {
	if _, file := body.(app.Filer); file || body == nil {
		return false
	}
	_, inMemory := app.Whole(body)
	return !inMemory
}

func (c *call) vacate() {
	if c.occupied {
		c.occupied = false
		c.server.config().Exchange.Vacate()
	}
}

// failed reports what was wrong with an answer, but where the client has been told of its own fault.
func (c *call) failed(environ *app.Environ, err error) {
	if c.response.failure.Load() != nil {
		return
	}
	c.server.config().Exchange.Report("application failed", environ, logged(err))
}

// logged is err as an Exchange reports it.
func logged(err error) error {
	if p, ok := err.(*nethttp.PanicError); ok {
		if contract, ok := p.Value.(*app.StartResponseError); ok {
			return contract
		}
		return &exchange.PanicError{Value: p.Value, Stack: p.Stack}
	}
	return err
}
