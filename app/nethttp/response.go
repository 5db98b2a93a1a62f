package nethttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
)

// response sends what an application answers through net/http. It belongs to the goroutine of the request; while the
// answer is deferred, to the deferred, whose mailbox is in the place of w then.
type response struct {
	w        http.ResponseWriter
	handler  *ApplicationHandler
	environ  *app.Environ
	deferred *deferred // nil: the application answers in its call
	head     bool      // the request is HEAD

	started bool
	code    int // 0 when start was given a status that is wrong
	headers []app.Header
	sent    bool  // the head has left
	length  int64 // Content-Length, -1 without
	octets  int64 // how much content was sent
	over    bool  // no more is written
	gone    bool  // the client has left
}

// start implements app.StartResponse.
func (res *response) start(status string, headers []app.Header, cause ...error) app.Write {
	if res.deferred != nil {
		panic(&app.StartResponseError{Reason: "called although the answer is deferred"})
	}
	res.begin(status, headers, cause...)
	return res.write
}

// begin notes what the response begins with. It panics as start does.
func (res *response) begin(status string, headers []app.Header, cause ...error) {
	var why error
	for _, c := range cause {
		if c != nil {
			why = c
		}
	}
	if res.started {
		if why == nil {
			panic(&app.StartResponseError{Reason: "called again without a cause"})
		}
		if res.sent {
			panic(&app.StartResponseError{Reason: "called again when the head was sent", Cause: why})
		}
	}
	// Noted before it is checked, so that an application that goes on after the panic does not
	// pass with a second call.
	res.started, res.code, res.headers, res.length = true, 0, res.headers[:0], -1
	code, wrong := app.CheckStatus(status)
	if wrong == "" && code < 200 {
		wrong = "status is that of an interim response"
	}
	if wrong != "" {
		panic(&app.StartResponseError{Reason: wrong, Cause: why})
	}
	for _, h := range headers {
		if wrong := app.CheckHeader(h); wrong != "" {
			panic(&app.StartResponseError{Reason: wrong, Cause: why})
		}
		if strings.EqualFold(h.Name, "Content-Length") {
			n, err := strconv.ParseUint(h.Value, 10, 63)
			if err != nil || res.length >= 0 {
				panic(&app.StartResponseError{Reason: "Content-Length is not one decimal number", Cause: why})
			}
			res.length = int64(n)
			continue
		}
		res.headers = append(res.headers, h)
	}
	res.code = code
}

// write implements app.Write.
func (res *response) write(chunk []byte) (unsent int, err error) {
	if res.over {
		return 0, app.ErrGone
	}
	if err := res.send(chunk); err != nil {
		return 0, err
	}
	return 0, res.flush()
}

// errNotStarted is a body that has content, or ends, when start was not called.
var errNotStarted = &app.StartResponseError{Reason: "not called before the body"}

// sendHead sends the head, once. size is the length of the body where the body knows it, else -1.
func (res *response) sendHead(size int64) error {
	switch {
	case res.sent:
		return nil
	case !res.started:
		return errNotStarted
	case res.code == 0:
		return &app.StartResponseError{Reason: "the application went on with a status or a header that was refused"}
	}
	res.sent = true
	header := res.w.Header()
	// Without the key net/http would guess from the content.
	header["Content-Type"] = nil
	for _, h := range res.headers {
		header.Add(h.Name, h.Value)
	}
	if res.length < 0 && (size > 0 || !res.empty()) { // 0 is more likely content that was left out, of a HEAD or a 304
		res.length = size
	}
	if res.code == http.StatusResetContent {
		res.length = 0 // RFC 9110 15.3.6
	}
	if res.length >= 0 && res.code != http.StatusNoContent {
		header.Set("Content-Length", strconv.FormatInt(res.length, 10))
	}
	if res.deferred == nil && res.environ.ClosesConnection() { // else it is in w's header
		header.Set("Connection", "close")
	}
	res.w.WriteHeader(res.code)
	return nil
}

// empty tells whether the response has no content, whatever the body says.
func (res *response) empty() bool {
	return res.head || !app.HasContent(res.code)
}

// errTooLong is a body that is longer than the Content-Length of its response.
var errTooLong = errors.New("content is longer than Content-Length")

// send sends chunk behind the head, what of it is within the Content-Length.
func (res *response) send(chunk []byte) error {
	n, err := res.admit(int64(len(chunk)))
	if n > 0 {
		if _, err := res.w.Write(chunk[:n]); err != nil {
			return res.left()
		}
	}
	return err
}

// admit sends the head, and tells how many of n octets of content may follow: those within the Content-Length.
func (res *response) admit(n int64) (admitted int64, err error) {
	if err := res.sendHead(-1); err != nil {
		return 0, err
	}
	if n == 0 || res.empty() {
		return 0, nil
	}
	if left := res.length - res.octets; res.length >= 0 && n > left {
		n, err = left, errTooLong
	}
	res.octets += n
	return n, err
}

// left notes that the client has left.
func (res *response) left() error {
	res.over, res.gone = true, true
	return app.ErrGone
}

// flush hands on what was sent.
func (res *response) flush() error {
	if res.over {
		return app.ErrGone
	}
	if flush(res.w) != nil {
		return res.left()
	}
	return nil
}

// flush hands on what w was given. Where w has no way to do that, there is none.
func flush(w http.ResponseWriter) error {
	err := http.NewResponseController(w).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// pull sends the body.
func (res *response) pull(body app.Body) error {
	defer func() { res.over = true }()
	deferred := res.deferred
	size := int64(-1)
	if sized, ok := body.(app.Sized); ok && !res.sent {
		size = sized.Size()
	}
	_, isFile := body.(app.Filer)
	for {
		chunk, err := body.Next()
		if res.deferred != deferred { // by an application that middleware has called here (app.Blocking)
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(chunk) > 0 || err == io.EOF {
			if e := res.sendHead(size); e != nil {
				return e
			}
			if e := res.send(chunk); e != nil {
				return e
			}
		}
		switch {
		case err == io.EOF:
			return res.end()
		case len(chunk) == 0:
		case res.empty():
			return nil
		case !isFile: // which is not waited for
			if e := res.flush(); e != nil {
				return e
			}
		}
	}
}

// end tells whether the response is complete.
func (res *response) end() error {
	if res.length > res.octets && !res.empty() {
		return fmt.Errorf("content is shorter than Content-Length: %d of %d octets", res.octets, res.length)
	}
	return nil
}

// fail answers in place of the application.
func (res *response) fail() {
	res.over = true
	h := res.w.Header()
	clear(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	res.w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(res.w, "Internal Server Error\n")
}
