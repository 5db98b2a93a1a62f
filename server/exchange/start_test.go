package exchange_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

// TestHeadLeaves holds when the head leaves: not at the call of start_response, but with the first octets of
// content, with write, or at the end.
func TestHeadLeaves(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"with the first chunk that is not empty", chunks("", "", "ab", "c"),
			"called; next; flush; next; flush; next; head 200 OK; chunk ab; flush; next; chunk c; flush; next; finish true; close"},
		{"at the end", chunks("", ""),
			"called; next; flush; next; flush; next; head 200 OK; finish true; close"},
		{"at the end of nothing", nil, "called; next; head 200 OK; finish true; close"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun("GET")
			b := &body{journal: r.journal, steps: c.steps}
			r.start(func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				r.journal.add("called")
				return b
			})
			if got := r.journal.String(); got != c.want {
				t.Errorf("calls are\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	r := newRun("GET")
	b := &body{journal: r.journal, steps: chunks("body")}
	r.start(func(_ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", nil)
		r.journal.add("called")
		r.unsent = 17
		chunk := []byte("first")
		if unsent, err := write(chunk); unsent != 17 || err != nil {
			t.Errorf("write returned %d, %v; want 17, nil", unsent, err)
		}
		copy(chunk, "XXXXX") // the server has its own copy
		if _, err := write([]byte("second")); err != nil {
			t.Error(err)
		}
		return b
	})
	if got, want := r.content.String(), "firstsecondbody"; got != want {
		t.Errorf("content is %q, want %q", got, want)
	}
	want := "called; head 200 OK; chunk first; flush; chunk second; flush; flush; next; chunk body; flush; next; finish true; close"
	if got := r.journal.String(); got != want {
		t.Errorf("calls are\n%s\nwant\n%s", got, want)
	}
	if r.head.Length != -1 {
		t.Errorf("Length is %d, want -1: what follows a write is not known", r.head.Length)
	}
}

// TestWriteBeforeKnownBody: the size of the body is not that of the content when write was used.
func TestWriteBeforeKnownBody(t *testing.T) {
	for _, first := range []string{"first ", ""} {
		r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", nil)
			_, _ = write([]byte(first))
			return app.String("second")
		})
		if got := r.content.String(); got != first+"second" || r.head.Length != -1 || !r.whole {
			t.Errorf("content %q, Length %d, complete %v; want %q, -1, true", got, r.head.Length, r.whole, first+"second")
		}
	}
}

// TestEmptyWriteSendsHead: the head leaves with the first write.
func TestEmptyWriteSendsHead(t *testing.T) {
	r := newRun("GET")
	r.start(func(_ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", nil)
		_, _ = write(nil)
		r.journal.add("written")
		return nil
	})
	if got, want := r.journal.String(), "head 200 OK; flush; written"; !strings.HasPrefix(got, want) {
		t.Errorf("calls are %s, want %s ...", got, want)
	}
}

var errCause = errors.New("the database is gone")

func TestSecondStart(t *testing.T) {
	type start = app.StartResponse
	for _, c := range []struct {
		name    string
		steps   func(start start)
		status  string
		content string
		whole   bool
	}{
		{"without a cause", func(start start) {
			start("200 OK", nil)
			start("200 OK", nil)
		}, "500 Internal Server Error", "Internal Server Error\n", true},
		{"with a cause before the head", func(start start) {
			start("200 OK", []app.Header{header("X-First", "1")})
			start("503 Service Unavailable", []app.Header{header("X-Second", "2")}, errCause)
		}, "503 Service Unavailable", "body", true},
		{"with a cause before any other", func(start start) {
			start("503 Service Unavailable", []app.Header{header("X-Second", "2")}, errCause)
		}, "503 Service Unavailable", "body", true},
		{"with a cause after the head", func(start start) {
			write := start("200 OK", nil)
			_, _ = write([]byte("some"))
			start("503 Service Unavailable", nil, errCause)
		}, "200 OK", "some", false},
		{"without a cause after the head", func(start start) {
			write := start("200 OK", nil)
			_, _ = write([]byte("some"))
			start("503 Service Unavailable", nil)
		}, "200 OK", "some", false},
		{"replaced twice", func(start start) {
			start("200 OK", nil)
			start("502 Bad Gateway", nil, errCause)
			start("503 Service Unavailable", []app.Header{header("X-Second", "2")}, errCause)
		}, "503 Service Unavailable", "body", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
				c.steps(start)
				return app.String("body")
			})
			if r.ended != 1 || r.head.Status != c.status || r.content.String() != c.content || r.whole != c.whole {
				t.Errorf("got %q %q complete %v, ended %d times; want %q %q %v", r.head.Status, r.content.String(), r.whole, r.ended,
					c.status, c.content, c.whole)
			}
			if c.status[0] == '5' && len(r.field("X-First")) > 0 {
				t.Error("headers of the withdrawn response were sent")
			}
		})
	}
}

// TestSecondStartPanics holds what the application sees.
func TestSecondStartPanics(t *testing.T) {
	newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", nil)
		_, _ = write([]byte("some"))
		defer func() {
			v := recover()
			if e, ok := v.(*app.StartResponseError); !ok || !errors.Is(e, errCause) {
				t.Errorf("start panicked with %v, want a *StartResponseError with the cause", v)
			}
		}()
		start("500 No", nil, errCause)
		return nil
	})
}

var refused = []struct {
	name    string
	status  string
	headers []app.Header
}{
	{"status without reason or space", "200", nil},
	{"status without space", "200OK", nil},
	{"status of two digits", "20 OK", nil},
	{"status not a number", "2x0 OK", nil},
	{"status below 100", "099 OK", nil},
	{"interim status", "100 Continue", nil},
	{"early hints", "103 Early Hints", nil},
	{"switching protocols", "101 Switching Protocols", nil},
	{"CR LF in status", "200 OK\r\nX-Evil: 1", nil},
	{"NUL in status", "200 O\x00K", nil},
	{"empty status", "", nil},
	{"empty name", "200 OK", []app.Header{header("", "v")}},
	{"space in name", "200 OK", []app.Header{header("X Evil", "v")}},
	{"colon in name", "200 OK", []app.Header{header("X-Evil:", "v")}},
	{"CR LF in name", "200 OK", []app.Header{header("X\r\nEvil", "v")}},
	{"octets over 127 in name", "200 OK", []app.Header{header("X-\xe4", "v")}},
	{"CR LF in value", "200 OK", []app.Header{header("X-Good", "1"), header("X", "v\r\nX-Evil: 1")}},
	{"LF in value", "200 OK", []app.Header{header("X", "v\nX-Evil: 1")}},
	{"CR in value", "200 OK", []app.Header{header("X", "v\rX-Evil: 1")}},
	{"NUL in value", "200 OK", []app.Header{header("X", "v\x00")}},
	{"DEL in value", "200 OK", []app.Header{header("X", "v\x7f")}},
	{"Connection", "200 OK", []app.Header{header("Connection", "close")}},
	{"Keep-Alive", "200 OK", []app.Header{header("keep-alive", "timeout=5")}},
	{"Proxy-Authenticate", "200 OK", []app.Header{header("Proxy-Authenticate", "Basic")}},
	{"Proxy-Authorization", "200 OK", []app.Header{header("Proxy-Authorization", "x")}},
	{"TE", "200 OK", []app.Header{header("TE", "trailers")}},
	{"Trailer", "200 OK", []app.Header{header("Trailer", "X")}},
	{"Trailers", "200 OK", []app.Header{header("Trailers", "X")}},
	{"Transfer-Encoding", "200 OK", []app.Header{header("TRANSFER-ENCODING", "chunked")}},
	{"Upgrade", "200 OK", []app.Header{header("Upgrade", "h2c")}},
	{"Content-Length not a number", "200 OK", []app.Header{header("Content-Length", "four")}},
	{"Content-Length with a sign", "200 OK", []app.Header{header("Content-Length", "+4")}},
	{"negative Content-Length", "200 OK", []app.Header{header("Content-Length", "-4")}},
	{"empty Content-Length", "200 OK", []app.Header{header("Content-Length", "")}},
	{"Content-Length list", "200 OK", []app.Header{header("Content-Length", "4, 4")}},
	{"Content-Length over 2^63-1", "200 OK", []app.Header{header("Content-Length", "9223372036854775808")}},
	{"Content-Length twice", "200 OK", []app.Header{header("Content-Length", "4"), header("content-length", "4")}},
}

// TestRefusedHead: an invalid head is answered with 500, and nothing of it is sent.
func TestRefusedHead(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			r := newRun("GET").start(answering(app.String("body"), c.status, c.headers...))
			checkPlain500(t, r)
			if !strings.Contains(r.logs.String(), "start_response") {
				t.Errorf("log is %q, want what start_response was called with", r.logs.String())
			}
		})
	}
}

// TestRefusedHeadRecovered: an application that recovers from the error and returns a body has still not begun
// a response that could be sent.
func TestRefusedHeadRecovered(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
				func() {
					defer func() { _ = recover() }()
					start(c.status, c.headers)
				}()
				return app.String("body")
			})
			checkPlain500(t, r)
		})
	}
}

func checkPlain500(t *testing.T, r *run) {
	t.Helper()
	if r.ended != 1 || r.head == nil || r.head.Code != 500 || r.head.Status != "500 Internal Server Error" || !r.whole {
		t.Fatalf("calls are %s; want a 500", r.journal)
	}
	if len(r.head.Headers) != 1 || len(r.field("Content-Type")) != 1 {
		t.Errorf("headers are %v, want Content-Type only", r.head.Headers)
	}
	if got := r.content.String(); got != "Internal Server Error\n" {
		t.Errorf("content is %q", got)
	}
}

// TestReplacedAfterRefusal: with a cause a refused head can be replaced.
func TestReplacedAfterRefusal(t *testing.T) {
	r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
		defer func() { _ = recover() }()
		func() {
			defer func() { _ = recover() }()
			start("200 OK", []app.Header{header("Connection", "close")})
		}()
		start("400 Bad Request", []app.Header{header("X-A", "1")}, errCause)
		return app.String("body")
	})
	if r.head.Status != "400 Bad Request" || r.content.String() != "body" || len(r.field("Connection")) > 0 {
		t.Errorf("got %q %v %q", r.head.Status, r.head.Headers, r.content.String())
	}
}

func TestNotStarted(t *testing.T) {
	for name, b := range map[string]app.Body{
		"nil body": nil, "empty body": app.Empty(), "body": app.String("body"),
		"empty chunks": &body{journal: new(journal), steps: chunks("", "")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun("GET").start(func(*app.Environ, app.StartResponse) app.Body { return b })
			checkPlain500(t, r)
		})
	}
}

// TestStartInNext: start_response may be called as late as by the first Next.
func TestStartInNext(t *testing.T) {
	r := newRun("GET")
	r.start(func(_ *app.Environ, start app.StartResponse) app.Body {
		return &body{journal: r.journal, steps: []step{{"a", nil, func() { start("203 Late", nil) }}, {chunk: "b"}}}
	})
	if r.head.Status != "203 Late" || r.content.String() != "ab" || !r.whole {
		t.Errorf("calls are %s", r.journal)
	}
}

// TestHeadersAreCopied: the caller may reuse its slice after the call.
func TestHeadersAreCopied(t *testing.T) {
	headers := []app.Header{header("X-A", "1")}
	r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", headers)
		headers[0] = header("X-Changed", "2")
		return app.String("x")
	})
	if got := r.field("X-A"); len(got) != 1 || got[0] != "1" {
		t.Errorf("headers are %v", r.head.Headers)
	}
}

// TestNextExchangeForgets: nothing of a response shows in the next one.
func TestNextExchangeForgets(t *testing.T) {
	r := newRun("GET").start(func(environ *app.Environ, start app.StartResponse) app.Body {
		environ.CloseConnection()
		start("200 OK", []app.Header{header("Content-Length", "4"), header("Date", "d"), header("Server", "s")})
		return app.String("body")
	})
	if h := r.head; !h.HasLength || !h.HasDate || !h.HasServer || !h.Close {
		t.Errorf("head is %+v", h)
	}
	r.again(answering(app.String("other"), "201 Created", header("X-A", "1")))
	if h := r.head; h.HasLength || h.HasDate || h.HasServer || h.Close || h.Length != 5 || len(h.Headers) != 1 || r.rendered != "" {
		t.Errorf("head is %+v", h)
	}
	r.again(answering(app.String("other"), "201 Created", header("X-A", "1")))
	if r.rendered != "201 Created" {
		t.Error("what was rendered of an equal head is lost")
	}
}

// TestRenderedIsOfTheSentHead: what was rendered is of the response before, not of one that was withdrawn.
func TestRenderedIsOfTheSentHead(t *testing.T) {
	r := newRun("GET").start(answering(app.String("12345"), "200 OK", header("X-A", "1")))
	r.again(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("404 Not Found", nil)
		start("404 Not Found", nil, errCause)
		return app.String("12345")
	})
	if r.rendered != "" {
		t.Error("what was rendered of another head is still there: the wire would send it")
	}
}
