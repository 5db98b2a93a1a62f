package app

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
)

// The two sides of the contract, as in ValidationError.Side.
const (
	ServerSide      = "server"
	ApplicationSide = "application"
)

// ValidationError is a breach of the contract that Validator has seen. Validator panics with it.
type ValidationError struct {
	// Side is who broke the rule: ServerSide or ApplicationSide. Middleware outside of the Validator counts as
	// the server, middleware inside as the application.
	Side string
	// Rule is the rule, as a sentence that should have been true.
	Rule string
	// Detail is what was found instead, where there is something to show.
	Detail string
}

func (e *ValidationError) Error() string {
	if e.Detail == "" {
		return "app: broken by the " + e.Side + ": " + e.Rule
	}
	return "app: broken by the " + e.Side + ": " + e.Rule + ": " + e.Detail
}

func breach(side, rule string, detail ...any) {
	panic(&ValidationError{Side: side, Rule: rule, Detail: fmt.Sprint(detail...)})
}

// Validator is middleware that checks what the server and the application owe each other, as
// wsgiref.validate does: the environ, what start and its Write are given, and both sides of the Body. A breach is
// a panic with a *ValidationError; one that no call is left to panic in, a Body that was never closed, is
// written to wsgi.errors when the garbage collector finds it.
//
// It departs from wsgiref.validate where that is stricter than PEP 3333 and RFC 9110: a Content-Type is
// required of responses that have content, not of all.
//
// The Body under a Validator is no Filer, so that its chunks are seen; it is Sized and a BlockingBody
// where the application's is.
func Validator(application Application) Application {
	return func(environ *Environ, start StartResponse) Body {
		validateEnviron(environ)
		v := &validation{
			start:  start,
			errors: environ.Errors(),
			head:   environ.Method() == "HEAD",
		}
		environ.Set("wsgi.input", &validatedInput{environ.Input(), v})
		if hint, ok := environ.Value("wsgi.early_hints"); ok {
			environ.Set("wsgi.early_hints", v.earlyHints(hint))
		}
		environ.WrapDefer(func(d Deferred) Deferred {
			v.deferred = true
			return d
		})
		return v.wrap(func() Body { return application(environ, v.startResponse) })
	}
}

// validation is what is known of one response. It is used by one goroutine at a time, but for closed.
type validation struct {
	start  StartResponse
	errors io.Writer
	head   bool // the request was HEAD

	started  bool  // start was called
	deferred bool  // the answer comes from a Deferred
	returned bool  // the application has returned
	code     int   // status code
	typed    bool  // the response has a Content-Type
	length   int64 // its Content-Length, -1 without
	octets   int64 // how much content it had so far
	sent     bool  // the head has left by now
	gone     bool  // a write failed
	closed   atomic.Bool
}

// wrap returns what the server gets for the body that call returns.
func (v *validation) wrap(call func() Body) Body {
	body := call()
	if blocking, ok := body.(*BlockingBody); ok {
		return blocking.around(func() Body { return v.wrap(blocking.Call) }, func() {})
	}
	if body == nil {
		body = Empty()
	}
	v.returned = true
	b := &validatedBody{validation: v, body: body}
	b.unclosed = runtime.AddCleanup(b, reportUnclosed, v.errors)
	if sized, ok := body.(Sized); ok {
		if n := sized.Size(); n < 0 {
			breach(ApplicationSide, "the size of a body is not negative", n)
		}
		return &validatedSized{b, sized}
	}
	return b
}

func reportUnclosed(errors io.Writer) {
	fmt.Fprintln(errors, &ValidationError{Side: ServerSide, Rule: "Close of a body is called"})
}

func (v *validation) startResponse(status string, headers []Header, cause ...error) Write {
	if len(cause) > 1 {
		breach(ApplicationSide, "start is given one cause at most", len(cause))
	}
	again := v.started
	if again && (len(cause) == 0 || cause[0] == nil) {
		breach(ApplicationSide, "start is called once, or again with a cause", status)
	}
	v.started = true
	code, wrong := CheckStatus(status)
	if wrong != "" {
		breach(ApplicationSide, "the status is code and reason phrase", wrong, ": ", strconv.Quote(status))
	}
	if code < 200 {
		breach(ApplicationSide, "the status is that of a final response", status)
	}
	if again && v.sent {
		v.start(status, headers, cause...)
		breach(ServerSide, "start aborts a response whose head was sent")
	}
	v.code, v.typed, v.length = code, false, -1
	for _, h := range headers {
		v.header(code, h)
	}
	write := v.start(status, headers, cause...)
	if write == nil {
		breach(ServerSide, "start returns a Write")
	}
	return func(chunk []byte) (unsent int, err error) {
		if v.returned {
			breach(ApplicationSide, "Write is not called after the application has returned")
		}
		v.content(len(chunk))
		v.sent = true
		if unsent, err = write(chunk); unsent < 0 {
			breach(ServerSide, "Write returns how much is unsent", unsent)
		}
		v.gone = v.gone || err != nil
		return unsent, err
	}
}

// earlyHints is what the application finds in the place of hint, the server's wsgi.early_hints.
func (v *validation) earlyHints(hint any) func(headers []Header) error {
	send, ok := hint.(func(headers []Header) error)
	if !ok {
		breach(ServerSide, "wsgi.early_hints is a func([]Header) error", fmt.Sprintf("%T", hint))
	}
	return func(headers []Header) error {
		if v.sent {
			breach(ApplicationSide, "early hints come before the head of the response")
		}
		for _, h := range headers {
			checkHeader(h)
		}
		return send(headers)
	}
}

// checkHeader checks one field of a response.
func checkHeader(h Header) (show string) {
	show = strconv.Quote(h.Name + ": " + h.Value)
	if wrong := CheckHeader(h); wrong != "" {
		breach(ApplicationSide, "a header is a field of the application's", wrong, ": ", show)
	}
	if strings.HasSuffix(h.Name, "-") || strings.HasSuffix(h.Name, "_") {
		breach(ApplicationSide, "a header name has no punctuation at its end", show)
	}
	if strings.EqualFold(h.Name, "Status") {
		breach(ApplicationSide, "the status is no header", show)
	}
	return show
}

// header checks one field of the final response, and notes it.
func (v *validation) header(code int, h Header) {
	show := checkHeader(h)
	switch {
	case strings.EqualFold(h.Name, "Content-Type"):
		if bodiless(code) {
			breach(ApplicationSide, "a 204 or 304 has no Content-Type", show)
		}
		v.typed = true
	case strings.EqualFold(h.Name, "Content-Length"):
		n, err := strconv.ParseUint(h.Value, 10, 63)
		if err != nil {
			breach(ApplicationSide, "Content-Length is a decimal number", show)
		}
		if v.length >= 0 {
			breach(ApplicationSide, "there is one Content-Length", v.length, " and ", n)
		}
		v.length = int64(n)
	}
}

func bodiless(code int) bool { return code == 204 || code == 304 }

// content checks n octets of content, from Write or the Body.
func (v *validation) content(n int) {
	if n == 0 {
		return
	}
	if !v.started {
		breach(ApplicationSide, "start is called before the first octet of content")
	}
	v.octets += int64(n)
	switch {
	case v.head:
	case bodiless(v.code):
		breach(ApplicationSide, "a 204 or 304 has no content", n, " octets")
	case !v.typed:
		breach(ApplicationSide, "a response with content has a Content-Type")
	case v.length >= 0 && v.octets > v.length:
		breach(ApplicationSide, "content is not longer than Content-Length", v.octets, " of ", v.length, " octets")
	}
}

// end checks a response that is complete.
func (v *validation) end() {
	if v.deferred { // in Next
		return
	}
	if !v.started {
		breach(ApplicationSide, "start is called before the body ends")
	}
	if v.length > v.octets && !v.head && !v.gone && !bodiless(v.code) {
		breach(ApplicationSide, "content is not shorter than Content-Length", v.octets, " of ", v.length, " octets")
	}
}

// validatedBody stands between the server and the application's body.
type validatedBody struct {
	*validation
	body     Body
	busy     atomic.Bool // a call is running
	ended    bool        // Next has returned an error, or panicked
	size     int64       // what Next has returned so far
	unclosed runtime.Cleanup
}

func (b *validatedBody) enter() {
	if !b.busy.CompareAndSwap(false, true) {
		breach(ServerSide, "Next and Close are called one at a time")
	}
}

func (b *validatedBody) leave() { b.busy.Store(false) }

func (b *validatedBody) Next() ([]byte, error) {
	b.enter()
	defer b.leave()
	if b.closed.Load() {
		breach(ServerSide, "Next is not called after Close")
	}
	if b.ended {
		breach(ServerSide, "Next is not called after the end of the body")
	}
	// The next chunk is asked for when those before it were handed on.
	b.sent = b.sent || b.size > 0
	b.ended = true
	chunk, err := b.body.Next()
	b.size += int64(len(chunk))
	b.content(len(chunk))
	if err == io.EOF {
		b.end()
	}
	b.ended = err != nil
	return chunk, err
}

func (b *validatedBody) Close() error {
	b.enter()
	defer b.leave()
	if b.closed.Swap(true) {
		breach(ServerSide, "Close is called once")
	}
	b.unclosed.Stop()
	return b.body.Close()
}

// validatedSized is a validatedBody whose length is known.
type validatedSized struct {
	*validatedBody
	sized Sized
}

func (b *validatedSized) Size() int64 { return b.sized.Size() }

func (b *validatedSized) Next() ([]byte, error) {
	chunk, err := b.validatedBody.Next()
	if size := b.sized.Size(); b.size > size || err == io.EOF && b.size < size {
		breach(ApplicationSide, "a body has the size that it tells", b.size, " of ", size, " octets")
	}
	return chunk, err
}

// validatedInput stands between the application and wsgi.input. It hides all but the methods of Input.
type validatedInput struct {
	input Input
	*validation
}

func (in *validatedInput) open() {
	if in.closed.Load() {
		breach(ApplicationSide, "wsgi.input is not used after Close")
	}
}

func (in *validatedInput) Read(p []byte) (int, error) {
	in.open()
	n, err := in.input.Read(p)
	if n < 0 || n > len(p) {
		breach(ServerSide, "Read of wsgi.input returns what fits", n, " for ", len(p), " octets")
	}
	return n, err
}

func (in *validatedInput) WriteTo(w io.Writer) (int64, error) {
	in.open()
	return in.input.WriteTo(w)
}

func (in *validatedInput) ReadLine(limit int) ([]byte, error) {
	in.open()
	line, err := in.input.ReadLine(limit)
	if i := bytes.IndexByte(line, '\n'); limit >= 0 && len(line) > limit || i >= 0 && i != len(line)-1 {
		breach(ServerSide, "ReadLine of wsgi.input returns one line within the limit", strconv.Quote(string(line)))
	}
	if len(line) == 0 && err == nil && limit != 0 {
		breach(ServerSide, "ReadLine of wsgi.input returns io.EOF at the end")
	}
	return line, err
}

func (in *validatedInput) View() ([]byte, bool) {
	in.open()
	return in.input.View()
}
