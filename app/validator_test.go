package app_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
)

var plain = []app.Header{{Name: "Content-Type", Value: "text/plain"}}

// server is the other side for an application under app.Validator: start and Write do nothing.
type server struct {
	starts  int
	unsent  int
	write   error
	noWrite bool
	lenient bool // start lets an application begin again when its head was sent
	written bool
}

var errHeadSent = errors.New("the head was sent")

func (s *server) start(_ string, _ []app.Header, _ ...error) app.Write {
	s.starts++
	if s.starts > 1 && s.written && !s.lenient {
		panic(errHeadSent)
	}
	if s.noWrite {
		return nil
	}
	return func([]byte) (int, error) { s.written = true; return s.unsent, s.write }
}

// run does what a server does with a request.
func (s *server) run(application app.Application, e *app.Environ) {
	body := application(e, s.start)
	defer func() { _ = body.Close() }()
	for {
		chunk, err := body.Next()
		if err != nil {
			return
		}
		s.written = s.written || len(chunk) > 0
	}
}

// breachOf returns the panic of f: what was broken, "" when it did not panic.
func breachOf(f func()) (side, text string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *app.ValidationError:
			side, text = p.Side, p.Error()
		case error:
			side, text = "panic", p.Error()
		default:
			panic(p)
		}
	}()
	f()
	return "", ""
}

func expect(t *testing.T, side, rule string, f func()) {
	t.Helper()
	gotSide, text := breachOf(f)
	if gotSide != side || !strings.Contains(text, rule) {
		t.Errorf("broken by %q: %q; want %q: %q", gotSide, text, side, rule)
	}
}

func hello(_ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", plain)
	return app.String("hello")
}

func TestValidatorApplication(t *testing.T) {
	cause := errors.New("cause")
	// respond starts with headers (name, value, name, ...) and returns a body of content.
	respond := func(status, content string, headers ...string) app.Application {
		return func(_ *app.Environ, start app.StartResponse) app.Body {
			var fields []app.Header
			for i := 0; i < len(headers); i += 2 {
				fields = append(fields, app.Header{Name: headers[i], Value: headers[i+1]})
			}
			start(status, fields)
			return app.String(content)
		}
	}
	const typ, text, length = "Content-Type", "text/plain", "Content-Length"
	for _, test := range []struct {
		name        string
		application app.Application
		rule        string // "" when nothing is broken
	}{
		{"hello", hello, ""},
		{"no content, no type", respond("302 Found", "", "Location", "/"), ""},
		{"length", respond("200 OK", "hello", typ, text, length, "5"), ""},
		{"same length twice", respond("200 OK", "hello", typ, text, length, "5", length, "5"), "there is one Content-Length: 5 and 5"},
		{"interim status", respond("103 Early Hints", ""), "the status is that of a final response"},
		{"204", respond("204 No Content", ""), ""},
		{"304 with a length", respond("304 Not Modified", "", length, "5"), ""},
		{"nil", func(_ *app.Environ, start app.StartResponse) app.Body { start("200 OK", nil); return nil }, ""},
		{"write", func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", append(plain, app.Header{Name: length, Value: "10"}))
			_, _ = write([]byte("hello"))
			return app.String("world")
		}, ""},
		{"begun again with a cause", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", append(plain, app.Header{Name: length, Value: "5"}))
			start("500 Oops", plain, cause)
			return app.String("an error")
		}, ""},
		{"started by the body", func(_ *app.Environ, start app.StartResponse) app.Body {
			return app.Seq(func(yield func([]byte) bool) {
				if yield(nil) {
					start("200 OK", plain)
					yield([]byte("late"))
				}
			})
		}, ""},
		{"blocking", app.Blocking(hello), ""},
		{"blocking twice", app.Blocking(app.Blocking(hello)), ""},
		{"body that fails", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", append(plain, app.Header{Name: length, Value: "5"}))
			return app.ReaderN(strings.NewReader("hel"), 5)
		}, ""},

		{"status", respond("200", ""), "the status is code and reason phrase"},
		{"status with control", respond("200 O\nK", ""), "the status is code and reason phrase"},
		{"name", respond("200 OK", "", "X Y", "z"), "not a token"},
		{"value", respond("200 OK", "", "X", "a\r\nb"), "control character"},
		{"hop-by-hop", respond("200 OK", "", "Connection", "close"), "hop-by-hop"},
		{"status as header", respond("200 OK", "", "Status", "200 OK"), "the status is no header"},
		{"punctuation", respond("200 OK", "", "X-", "z"), "no punctuation"},
		{"underscore", respond("200 OK", "", "X_", "z"), "no punctuation"},
		{"no type", respond("200 OK", "content"), "has a Content-Type"},
		{"204 with type", respond("204 No Content", "", typ, text), "a 204 or 304 has no Content-Type"},
		{"304 with type", respond("304 Not Modified", "", typ, text), "a 204 or 304 has no Content-Type"},
		{"204 with content", respond("204 No Content", "x"), "a 204 or 304 has no content"},
		{"length that is none", respond("200 OK", "x", typ, text, length, "one"), "Content-Length is a decimal number"},
		{"signed length", respond("200 OK", "x", typ, text, length, "+1"), "Content-Length is a decimal number"},
		{"no length", respond("200 OK", "x", typ, text, length, ""), "Content-Length is a decimal number"},
		{"two lengths", respond("200 OK", "x", typ, text, length, "1", length, "2"), "there is one Content-Length: 1 and 2"},
		{"too long", respond("200 OK", "hello", typ, text, length, "4"), "not longer than Content-Length: 5 of 4"},
		{"too short", respond("200 OK", "hello", typ, text, length, "6"), "not shorter than Content-Length: 5 of 6"},
		{"too long by write", func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", append(plain, app.Header{Name: length, Value: "1"}))
			_, _ = write([]byte("hello"))
			return nil
		}, "not longer than Content-Length"},
		{"begun twice", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			start("200 OK", plain)
			return nil
		}, "start is called once"},
		{"begun twice with a nil cause", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			start("200 OK", plain, nil)
			return nil
		}, "start is called once"},
		{"two causes", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain, cause, cause)
			return nil
		}, "one cause"},
		{"not begun", func(*app.Environ, app.StartResponse) app.Body { return nil }, "before the body ends"},
		{"content before start", func(_ *app.Environ, start app.StartResponse) app.Body {
			return app.String("x")
		}, "before the first octet"},
		{"write from the body", func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", plain)
			return app.Seq(func(func([]byte) bool) { _, _ = write([]byte("x")) })
		}, "not called after the application has returned"},
		{"negative size", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return sizedBody{app.Empty(), -1}
		}, "size of a body is not negative"},
		{"less than its size", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return sizedBody{app.String("x"), 2}
		}, "the size that it tells: 1 of 2"},
		{"more than its size", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return sizedBody{app.String("xyz"), 2}
		}, "the size that it tells: 3 of 2"},
		{"blocking and wrong", app.Blocking(respond("200 OK", "content")), "has a Content-Type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			side := app.ApplicationSide
			if test.rule == "" {
				side = ""
			}
			expect(t, side, test.rule, func() { new(server).run(app.Validator(test.application), get("/")) })
		})
	}
}

// sizedBody is a Body with a length that may be wrong.
type sizedBody struct {
	app.Body
	size int64
}

func (b sizedBody) Size() int64 { return b.size }

func TestValidatorHead(t *testing.T) {
	for _, content := range []string{"", "hello", "hello and more"} {
		application := func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", []app.Header{{Name: "Content-Length", Value: "5"}})
			return app.String(content)
		}
		expect(t, "", "", func() {
			new(server).run(app.Validator(application), newEnviron(newSource("HEAD", "/")))
		})
	}
}

func TestValidatorServer(t *testing.T) {
	body := func() app.Body { return app.Validator(hello)(get("/"), new(server).start) }
	next := func(b app.Body) { _, _ = b.Next() }
	closed := func(b app.Body) { _ = b.Close() }
	for _, test := range []struct {
		name, rule string
		calls      []func(app.Body)
	}{
		{"all read", "", []func(app.Body){next, closed}},
		{"closed at once", "", []func(app.Body){closed}},
		{"read behind the end", "Next is not called after the end of the body", []func(app.Body){next, next}},
		{"read after Close", "Next is not called after Close", []func(app.Body){closed, next}},
		{"closed twice", "Close is called once", []func(app.Body){next, closed, closed}},
	} {
		b := body()
		side := app.ServerSide
		if test.rule == "" {
			side = ""
		}
		expect(t, side, test.rule, func() {
			for _, call := range test.calls {
				call(b)
			}
		})
	}

	begins := func(chunks int, causes ...error) app.Application {
		return func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return app.Seq(func(yield func([]byte) bool) {
				for range chunks {
					yield([]byte("x"))
				}
				start("500 Oops", plain, causes...)
			})
		}
	}
	writes := func(_ *app.Environ, start app.StartResponse) app.Body {
		_, _ = start("200 OK", plain)([]byte("x"))
		return nil
	}
	cause := errors.New("cause")
	for _, test := range []struct {
		name        string
		server      server
		application app.Application
		side, rule  string
	}{
		{"replaces a response", server{}, begins(0, cause), "", ""},
		{"aborts a response", server{}, begins(1, cause), "panic", errHeadSent.Error()},
		{"goes on behind the head", server{lenient: true}, begins(1, cause), app.ServerSide, "start aborts a response"},
		{"no Write", server{noWrite: true}, hello, app.ServerSide, "start returns a Write"},
		{"unsent", server{unsent: 7}, writes, "", ""},
		{"unsent is negative", server{unsent: -1}, writes, app.ServerSide, "Write returns how much is unsent"},
		{"short because the client left", server{write: app.ErrGone}, func(_ *app.Environ, start app.StartResponse) app.Body {
			_, _ = start("200 OK", append(plain, app.Header{Name: "Content-Length", Value: "5"}))([]byte("x"))
			return nil
		}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, test.side, test.rule, func() { test.server.run(app.Validator(test.application), get("/")) })
		})
	}
}

func TestValidatorOneCallAtATime(t *testing.T) {
	var body app.Body
	application := func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plain)
		return app.Seq(func(func([]byte) bool) { _ = body.Close() })
	}
	body = app.Validator(application)(get("/"), new(server).start)
	expect(t, app.ServerSide, "Next and Close are called one at a time", func() { _, _ = body.Next() })
}

// lines passes on what is written.
type lines chan string

func (c lines) Write(p []byte) (int, error) { c <- string(p); return len(p), nil }

func TestValidatorReportsWhatWasNotClosed(t *testing.T) {
	reports := make(lines, 2)
	for _, closed := range []bool{true, false} {
		e := get("/")
		e.Set("wsgi.errors", reports)
		func() {
			body := app.Validator(hello)(e, new(server).start)
			_, _ = body.Next()
			if closed {
				_ = body.Close()
			}
		}()
	}
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case text := <-reports:
			if want := "app: broken by the server: Close of a body is called\n"; text != want {
				t.Errorf("reported %q, want %q", text, want)
			}
			return
		case <-deadline:
			t.Fatal("nothing was reported")
		default:
			runtime.Gosched()
		}
	}
}

func TestValidatorIsTransparent(t *testing.T) {
	e := get("/")
	start := new(server).start
	validated := app.Validator(hello)(e, start)
	if sized, ok := validated.(app.Sized); !ok || sized.Size() != 5 {
		t.Error("the length of the body is lost")
	}
	if err := validated.Close(); err != nil {
		t.Error(err)
	}
	blocking := app.Validator(app.Blocking(hello))(e, start)
	if _, ok := blocking.(*app.BlockingBody); !ok {
		t.Errorf("the server cannot see that %T blocks", blocking)
	}
	closing := app.Validator(func(e *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plain)
		return app.Reader(&closer{Reader: bytes.NewReader(nil)})
	})(e, start)
	if err := closing.Close(); err != errClose {
		t.Errorf("the error of Close became %v", err)
	}
}
