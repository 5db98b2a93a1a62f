package nethttp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
)

// responseWriter is the http.ResponseWriter of a handler that runs as an Application. It belongs to the goroutine
// of the handler.
type responseWriter struct {
	environ *app.Environ
	start   app.StartResponse
	write   app.Write          // what start has returned, nil before
	cancel  context.CancelFunc // ends the context of the request
	head    bool               // the request is HEAD

	header   http.Header
	code     int          // 0 before WriteHeader
	fields   []app.Header // header as it was at WriteHeader
	noSniff  bool         // nothing is to be found out about the content's type
	declared int64        // Content-Length of the handler, -1 without
	written  int64
	buf      []byte // what was written and not sent
	pooled   *[]byte
	err      error // why nothing can be written any more
}

func newResponseWriter(environ *app.Environ, start app.StartResponse, cancel context.CancelFunc) *responseWriter {
	pooled := buffers.Get().(*[]byte)
	return &responseWriter{
		environ:  environ,
		start:    start,
		cancel:   cancel,
		head:     environ.Method() == http.MethodHead,
		header:   make(http.Header),
		declared: -1,
		buf:      (*pooled)[:0],
		pooled:   pooled,
	}
}

func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Of interim responses those with early hints are sent: the contract has no way to send
// others.
func (w *responseWriter) WriteHeader(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	}
	switch {
	case w.code != 0:
	case code == http.StatusEarlyHints:
		_ = w.environ.EarlyHints(w.hints())
	case code >= 200:
		w.code = code
		w.takeHeader()
	}
}

// names returns the names of the fields in the header, sorted.
func (w *responseWriter) names() []string {
	names := make([]string, 0, len(w.header))
	for name := range w.header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// hints returns the fields of the header as it is now that the contract lets an interim response have.
func (w *responseWriter) hints() (fields []app.Header) {
	for _, name := range w.names() {
		for _, value := range w.header[name] {
			if h := (app.Header{Name: name, Value: fieldValue(value)}); app.CheckHeader(h) == "" {
				fields = append(fields, h)
			}
		}
	}
	return fields
}

// takeHeader notes the fields of the response, of which later changes are ignored.
func (w *responseWriter) takeHeader() {
	names := w.names()
	w.fields = make([]app.Header, 0, len(names)+1)
	for _, name := range names {
		switch name {
		case "Content-Length":
			w.declare(w.header.Get(name))
			continue
		case "Content-Type":
			w.noSniff = true
			if !bodyAllowed(w.code) {
				continue
			}
		case "Connection":
			if slices.ContainsFunc(w.header[name], closes) {
				w.environ.CloseConnection()
			}
			continue
		case "Content-Encoding":
			// What is seen is the coding, not the type. An empty value is no coding.
			w.noSniff = w.noSniff || w.header.Get(name) != ""
		}
		for _, value := range w.header[name] {
			h := app.Header{Name: name, Value: fieldValue(value)}
			// Keep-Alive, Trailer, Transfer-Encoding and Upgrade are dropped here, because the connection is the
			// server's, and what net/http would not send either.
			if app.CheckHeader(h) == "" {
				w.fields = append(w.fields, h)
			}
		}
	}
}

// closes tells whether a value of Connection has the option close (RFC 9110 7.6.1).
func closes(value string) bool {
	for option := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.Trim(option, " \t"), "close") {
			return true
		}
	}
	return false
}

// declare takes the handler's Content-Length, as net/http does: one that is no number is dropped.
func (w *responseWriter) declare(value string) {
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 63)
	if err != nil || !bodyAllowed(w.code) {
		return
	}
	w.declared = int64(n)
	w.fields = append(w.fields, app.Header{Name: "Content-Length", Value: strconv.FormatUint(n, 10)})
}

// fieldValue is value without the octets that no field may have: net/http replaces line ends only,
// but the contract refuses all controls.
func fieldValue(value string) string {
	if app.HasControl(value) {
		value = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f {
				return ' '
			}
			return r
		}, value)
	}
	return strings.Trim(value, " \t")
}

// bodyAllowed tells whether a response of this status has content (RFC 9110 6.4.1).
func bodyAllowed(code int) bool {
	return code != http.StatusNoContent && code != http.StatusNotModified
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil {
		return 0, err
	}
	for n := 0; n < len(p); {
		if len(w.buf) == cap(w.buf) {
			if err := w.send(w.buf); err != nil {
				return n, err
			}
			w.buf = w.buf[:0]
		}
		// A large write does not go through the buffer, once the head with the type of the content has left.
		if w.write != nil && len(w.buf) == 0 && len(p)-n >= cap(w.buf) {
			if err := w.send(p[n:]); err != nil {
				return n, err
			}
			break
		}
		part := min(cap(w.buf)-len(w.buf), len(p)-n)
		w.buf = append(w.buf, p[n:n+part]...)
		n += part
	}
	return len(p), nil
}

// WriteString implements io.StringWriter.
func (w *responseWriter) WriteString(s string) (int, error) {
	if len(s) > cap(w.buf)-len(w.buf) {
		return w.Write([]byte(s))
	}
	if err := w.admit(len(s)); err != nil {
		return 0, err
	}
	w.buf = append(w.buf, s...)
	return len(s), nil
}

// admit tells whether n octets of content may be written now.
func (w *responseWriter) admit(n int) error {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return w.err
	case n == 0:
		return nil
	case !bodyAllowed(w.code):
		return http.ErrBodyNotAllowed
	case w.declared >= 0 && w.written+int64(n) > w.declared:
		return http.ErrContentLength
	}
	w.written += int64(n)
	return nil
}

// send passes chunk on, behind the head.
func (w *responseWriter) send(chunk []byte) error {
	if w.write == nil {
		w.begin(chunk)
	}
	if _, err := w.write(chunk); err != nil {
		w.err = err
		w.cancel()
		return err
	}
	return nil
}

// begin starts the response. content is how its content begins, of which the type is sniffed.
func (w *responseWriter) begin(content []byte) {
	if !w.noSniff && len(content) > 0 {
		w.fields = append(w.fields, app.Header{Name: "Content-Type", Value: http.DetectContentType(content)})
	}
	w.write = w.start(status(w.code), w.fields)
}

func status(code int) string {
	if code == http.StatusOK {
		return "200 OK"
	}
	text := http.StatusText(code)
	if text == "" {
		text = "status code " + strconv.Itoa(code) // as net/http has it
	}
	return strconv.Itoa(code) + " " + text
}

// Flush implements http.Flusher.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.err != nil {
		return w.err
	}
	if w.write != nil && len(w.buf) == 0 {
		return nil
	}
	err := w.send(w.buf) // an empty write sends the head
	w.buf = w.buf[:0]
	return err
}

// finish returns the body of what is left to send when the handler has returned.
func (w *responseWriter) finish() app.Body {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	streamed := w.write != nil
	if !streamed {
		w.begin(w.buf)
	}
	rest := rest{chunk: w.buf, pooled: w.pooled}
	w.leave()
	// The length is told where it is known now. Of the answer to a HEAD it is not when the handler has
	// written nothing, as those do that look at the method.
	if streamed || !bodyAllowed(w.code) || w.head && len(rest.chunk) == 0 {
		return &rest
	}
	return &sizedRest{rest}
}

// abort returns a body that gives the response up because of err.
func (w *responseWriter) abort(err error) app.Body {
	buffers.Put(w.pooled)
	w.leave()
	return failed{err}
}

// leave keeps a handler that has left a goroutine behind from writing into a buffer that is another response's.
func (w *responseWriter) leave() {
	w.buf, w.pooled = nil, nil
	if w.err == nil {
		w.err = app.ErrGone
	}
}

// rest is what was still in the buffer when the handler returned.
type rest struct {
	chunk  []byte
	done   bool
	pooled *[]byte
}

func (b *rest) Next() ([]byte, error) {
	if b.done {
		return nil, io.EOF
	}
	b.done = true
	return b.chunk, io.EOF
}

func (b *rest) Close() error {
	buffers.Put(b.pooled)
	return nil
}

// sizedRest is all of a response.
type sizedRest struct{ rest }

func (b *sizedRest) Size() int64 { return int64(len(b.chunk)) }

// failed is the body of a response that was aborted.
type failed struct{ err error }

func (b failed) Next() ([]byte, error) { return nil, b.err }
func (b failed) Close() error          { return nil }
