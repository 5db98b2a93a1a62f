// Package apptest tests applications without a socket: Client calls one as a server would, Server runs one
// behind an http.Server, and Listener is a network of its own for any server and any client.
//
// Every application runs under app.Validator. A breach of the contract fails the test.
package apptest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// Client calls an application in the goroutine of the test. It may be used by many goroutines.
type Client struct {
	tb          testing.TB
	application app.Application
	// Header is added to every request that does not have these fields itself.
	Header http.Header
}

// New returns a client for application. Breaches of the contract are reported to tb as errors.
func New(tb testing.TB, application app.Application) *Client {
	return &Client{tb: tb, application: app.Validator(application)}
}

// Response is what became of a request.
type Response struct {
	// Status is the application's status line, "404 Not Found"; Code is its number. They are those of a 500
	// where the application failed before its head was sent.
	Status string
	Code   int
	Header http.Header
	// EarlyHints are the fields of the interim responses that came before (app.Environ.EarlyHints), in order.
	EarlyHints []http.Header
	Body       []byte
	// Chunks are the parts of Body as they were handed on.
	Chunks [][]byte
	// Aborted tells that the response was cut off: the client would have seen that it is not complete.
	Aborted bool
	// Err is why the request was answered with 500 or cut off, and nil when it went well. It
	// wraps the error that the application's Body returned, or is a *nethttp.PanicError.
	Err error
	// Errors is what was written to wsgi.errors.
	Errors string
}

// String is the body as text.
func (r *Response) String() string { return string(r.Body) }

// Get sends a GET. target is a path with its query, or a whole URL; the host is example.com if it has none.
func (c *Client) Get(target string) *Response {
	c.tb.Helper()
	return c.Do(httptest.NewRequest(http.MethodGet, target, nil))
}

// Head sends a HEAD.
func (c *Client) Head(target string) *Response {
	c.tb.Helper()
	return c.Do(httptest.NewRequest(http.MethodHead, target, nil))
}

// Post sends a POST. Its length is known to the application when body is a *bytes.Buffer, *bytes.Reader or
// *strings.Reader.
func (c *Client) Post(target, contentType string, body io.Reader) *Response {
	c.tb.Helper()
	r := httptest.NewRequest(http.MethodPost, target, body)
	r.Header.Set("Content-Type", contentType)
	return c.Do(r)
}

// Do sends r, which is either a server's request (httptest.NewRequest) or a client's (http.NewRequest). It is not changed,
// but for its body being read.
func (c *Client) Do(r *http.Request) *Response {
	c.tb.Helper()
	w := &recorder{response: new(Response), header: make(http.Header)}
	handler := &nethttp.ApplicationHandler{
		Application: w.observe(c.application),
		Failed: func(_ *app.Environ, err error) {
			w.response.Err = errors.Join(w.response.Err, err)
		},
	}
	w.serve(handler, c.request(r))
	if err := w.response.Err; broken(err) {
		c.tb.Errorf("%s %s: %v", r.Method, r.URL, err)
	} else if err != nil {
		c.tb.Logf("%s %s: %v", r.Method, r.URL, err)
	}
	return w.finish()
}

// broken tells whether err is a breach of the contract.
func broken(err error) bool {
	var validation *app.ValidationError
	var start *app.StartResponseError
	return errors.As(err, &validation) || errors.As(err, &start)
}

// request is r as a server would have received it.
func (c *Client) request(r *http.Request) *http.Request {
	received := r.Clone(r.Context())
	if r.RequestURI == "" {
		received.RequestURI = r.URL.RequestURI()
		if r.Body != nil && r.Body != http.NoBody && r.ContentLength == 0 {
			received.ContentLength = -1 // on the client's side 0 means that it is not known
		}
		if r.URL.Scheme == "https" {
			received.TLS = &tls.ConnectionState{HandshakeComplete: true}
		}
	}
	if received.Host == "" {
		received.Host = "example.com"
	}
	if received.RemoteAddr == "" {
		received.RemoteAddr = "192.0.2.1:1234" // RFC 5737 TEST-NET-1, as httptest has it
	}
	if received.Header == nil {
		received.Header = make(http.Header)
	}
	for name, values := range c.Header {
		if _, ok := received.Header[name]; !ok {
			received.Header[name] = values
		}
	}
	return received
}

// recorder is the http.ResponseWriter of one request.
type recorder struct {
	response *Response
	header   http.Header // as the handler changes it
	status   string
	errors   errorBuffer
}

// observe notes what does not arrive through net/http.
func (w *recorder) observe(application app.Application) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		environ.Set("wsgi.errors", &w.errors)
		return application(environ, func(status string, headers []app.Header, cause ...error) app.Write {
			write := start(status, headers, cause...)
			w.status = status
			return write
		})
	}
}

func (w *recorder) serve(handler http.Handler, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			w.response.Aborted = true
		default:
			panic(p)
		}
	}()
	handler.ServeHTTP(w, r)
}

func (w *recorder) finish() *Response {
	res := w.response
	for _, chunk := range res.Chunks {
		res.Body = append(res.Body, chunk...)
	}
	res.Errors = w.errors.String()
	return res
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(code int) {
	switch {
	case w.response.Code != 0:
		return
	case code == http.StatusEarlyHints:
		w.response.EarlyHints = append(w.response.EarlyHints, w.header.Clone())
		return
	}
	w.response.Code = code
	w.response.Header = w.header.Clone()
	maps.DeleteFunc(w.response.Header, func(_ string, values []string) bool { return len(values) == 0 })
	if code == http.StatusInternalServerError && w.response.Err != nil {
		w.status = "500 " + http.StatusText(code)
	}
	w.response.Status = w.status
}

func (w *recorder) Write(p []byte) (int, error) {
	w.response.Chunks = append(w.response.Chunks, bytes.Clone(p))
	return len(p), nil
}

// Flush implements http.Flusher. Nothing is held back.
func (w *recorder) Flush() {}

// errorBuffer is wsgi.errors, which goroutines of the application may write to.
type errorBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *errorBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *errorBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
