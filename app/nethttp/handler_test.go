package nethttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/nethttp"
)

var typed = []app.Header{{Name: "Content-Type", Value: "text/plain"}}

func length(n string) []app.Header {
	return append(typed[:1:1], app.Header{Name: "Content-Length", Value: n})
}

// counted is a Body that counts how often it was closed.
type counted struct {
	app.Body
	closed *int
	err    error // of Close
}

func (b counted) Close() error { *b.closed++; return errors.Join(b.Body.Close(), b.err) }

// chunks is a body of text, and of what else f does.
func chunks(texts []string, f func()) app.Body {
	return app.Seq(func(yield func([]byte) bool) {
		for _, text := range texts {
			if !yield([]byte(text)) {
				return
			}
		}
		if f != nil {
			f()
		}
	})
}

func TestHandler(t *testing.T) {
	cause := errors.New("cause")
	// body returns an application that begins with status and headers, and returns what f does.
	body := func(status string, headers []app.Header, f func() app.Body) app.Application {
		return func(_ *app.Environ, start app.StartResponse) app.Body {
			start(status, headers)
			return f()
		}
	}
	text := func(s string) func() app.Body { return func() app.Body { return app.String(s) } }
	const failed = "500 text/plain; charset=utf-8 - \"Internal Server Error\\n\""

	for _, test := range []struct {
		name        string
		method      string
		application app.Application
		want        string // status, type, length, content; then "aborted"
		failure     string // part of what Failed is told
	}{
		{"hello", "GET", body("200 OK", typed, text("hello")), `200 text/plain 5 "hello"`, ""},
		{"no type", "GET", body("200 OK", nil, text("<html>")), `200 - 6 "<html>"`, ""},
		{"HEAD", "HEAD", body("200 OK", typed, text("hello")), `200 text/plain 5 ""`, ""},
		{"HEAD with a length", "HEAD", body("200 OK", length("7"), func() app.Body { return nil }), `200 text/plain 7 ""`, ""},
		{"HEAD without end", "HEAD", body("200 OK", typed, func() app.Body {
			return app.Seq(func(yield func([]byte) bool) {
				for yield([]byte("again")) {
				}
			})
		}), `200 text/plain - ""`, ""},
		{"204", "GET", body("204 No Content", nil, text("")), `204 - - ""`, ""},
		{"204 with content", "GET", body("204 No Content", nil, text("x")), `204 - - ""`, ""},
		{"304", "GET", body("304 Not Modified", length("7"), text("x")), `304 text/plain 7 ""`, ""},
		{"304 without content", "GET", body("304 Not Modified", typed, text("")), `304 text/plain - ""`, ""},
		{"nil", "GET", body("200 OK", typed, func() app.Body { return nil }), `200 text/plain 0 ""`, ""},
		{"sequence", "GET", body("200 OK", typed, func() app.Body { return chunks([]string{"a", "", "b"}, nil) }), `200 text/plain - "ab"`, ""},
		{"declared", "GET", body("200 OK", length("2"), func() app.Body { return chunks([]string{"a", "b"}, nil) }), `200 text/plain 2 "ab"`, ""},
		{"blocking", "GET", app.Blocking(app.Blocking(body("200 OK", typed, text("hello")))), `200 text/plain 5 "hello"`, ""},
		{"write", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", typed)
			if unsent, err := write([]byte("one, ")); unsent != 0 || err != nil {
				panic(err)
			}
			return app.String("two")
		}, `200 text/plain - "one, two"`, ""},
		{"started by the body", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			return app.Seq(func(yield func([]byte) bool) {
				if yield(nil) {
					start("202 Accepted", typed)
					yield([]byte("late"))
				}
			})
		}, `202 text/plain - "late"`, ""},
		{"begun again with a cause", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", append(length("100"), app.Header{Name: "X", Value: "1"}))
			start("503 Oops", []app.Header{{Name: "Content-Type", Value: "text/x"}}, cause)
			return app.String("sorry")
		}, `503 text/x 5 "sorry"`, ""},
		{"more than declared", "GET", body("200 OK", length("3"), text("hello")), `200 text/plain 3 "hel"`, "longer than Content-Length"},
		{"chunk beyond what was declared", "GET", body("200 OK", length("1"), func() app.Body { return chunks([]string{"a", "b"}, nil) }), `200 text/plain 1 "a"`, "longer than Content-Length"},
		{"write beyond what was declared", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			if _, err := start("200 OK", length("2"))([]byte("abc")); err == nil {
				panic("no error")
			}
			return nil
		}, `200 text/plain 2 "ab"`, ""},

		{"begun twice", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", typed)
			start("200 OK", typed, nil)
			return nil
		}, failed, "called again without a cause"},
		{"not begun", "GET", func(*app.Environ, app.StartResponse) app.Body { return app.Empty() }, failed, "not called before the body"},
		{"content before start", "GET", func(*app.Environ, app.StartResponse) app.Body { return app.String("x") }, failed, "not called before the body"},
		{"bad status", "GET", body("200", typed, text("x")), failed, "status must be"},
		{"interim status", "GET", body("103 Early Hints", typed, text("x")), failed, "interim"},
		{"bad header", "GET", body("200 OK", []app.Header{{Name: "Connection", Value: "close"}}, text("x")), failed, "hop-by-hop"},
		{"bad length", "GET", body("200 OK", length("x"), text("x")), failed, "not one decimal number"},
		{"lengths", "GET", body("200 OK", append(length("1"), app.Header{Name: "content-length", Value: "2"}), text("x")), failed, "not one decimal number"},
		{"goes on with what was refused", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			func() {
				defer func() { _ = recover() }()
				start("oops", typed)
			}()
			return app.String("x")
		}, failed, "was refused"},
		{"panic", "GET", func(*app.Environ, app.StartResponse) app.Body { panic("at the disco") }, failed, "panic: at the disco"},
		{"panic in the body", "GET", body("200 OK", typed, func() app.Body { return chunks(nil, func() { panic("late") }) }), failed, "panic: late"},
		{"body fails at once", "GET", body("200 OK", typed, func() app.Body { return app.Reader(iotest.ErrReader(cause)) }), failed, "cause"},
		{"write after the head was refused", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			var write app.Write
			return app.Seq(func(func([]byte) bool) {
				write = start("200 OK", typed)
				_, _ = write([]byte("x"))
				panic("after the write")
			})
		}, `200 text/plain - "x" aborted`, "after the write"},

		{"begun again behind the head", "GET", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", typed)
			return chunks([]string{"a"}, func() { start("500 Oops", typed, cause) })
		}, `200 text/plain - "a" aborted`, "the head was sent: cause"},
		{"panic behind the head", "GET", body("200 OK", typed, func() app.Body { return chunks([]string{"a"}, func() { panic("late") }) }), `200 text/plain - "a" aborted`, "panic: late"},
		{"less than declared", "GET", body("200 OK", length("9"), text("hello")), `200 text/plain 9 "hello" aborted`, "5 of 9 octets"},
		{"less than its size", "GET", body("200 OK", typed, func() app.Body { return app.ReaderN(strings.NewReader("hel"), 5) }), `200 text/plain 5 "hel" aborted`, "unexpected EOF"},
		{"body fails later", "GET", body("200 OK", typed, func() app.Body {
			return app.Reader(io.MultiReader(strings.NewReader("a"), iotest.ErrReader(cause)))
		}), `200 text/plain - "a" aborted`, "cause"},
		{"ErrAbortHandler", "GET", body("200 OK", typed, func() app.Body { panic(http.ErrAbortHandler) }), `0 - - "" aborted`, ""},
		{"ErrAbort", "GET", body("200 OK", typed, func() app.Body { panic(app.ErrAbort) }), `0 - - "" aborted`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			closed := 0
			var failure error
			returned := false
			handler := &nethttp.ApplicationHandler{
				Application: func(e *app.Environ, start app.StartResponse) app.Body {
					b := test.application(e, start)
					for {
						blocking, ok := b.(*app.BlockingBody)
						if !ok {
							break
						}
						b = blocking.Call()
					}
					if b == nil {
						return nil
					}
					returned = true
					if sized, ok := b.(app.Sized); ok {
						return countedSized{counted{b, &closed, nil}, sized}
					}
					return counted{b, &closed, nil}
				},
				Failed: func(_ *app.Environ, err error) { failure = errors.Join(failure, err) },
			}
			w := httptest.NewRecorder()
			w.Code = 0
			aborted := serve(handler, w, httptest.NewRequest(test.method, "/", nil))
			got := fmt.Sprintf("%d %s %s %q%s", w.Code, or(w.Header(), "Content-Type"), or(w.Header(), "Content-Length"), w.Body, aborted)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if (failure == nil) != (test.failure == "") || failure != nil && !strings.Contains(failure.Error(), test.failure) {
				t.Errorf("failed with %v, want %q", failure, test.failure)
			}
			if returned && closed != 1 {
				t.Errorf("closed %d times", closed)
			}
		})
	}
}

type countedSized struct {
	counted
	sized app.Sized
}

func (b countedSized) Size() int64 { return b.sized.Size() }

func or(h http.Header, name string) string {
	if v := h.Get(name); v != "" {
		return v
	}
	return "-"
}

// serve runs handler and tells whether it gave the response up.
func serve(handler http.Handler, w http.ResponseWriter, r *http.Request) (aborted string) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			aborted = " aborted"
		} else if p != nil {
			panic(p)
		}
	}()
	handler.ServeHTTP(w, r)
	return ""
}

func TestHandlerErrorOfClose(t *testing.T) {
	closed := 0
	var failure error
	handler := &nethttp.ApplicationHandler{
		Application: func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", typed)
			return counted{app.String("hello"), &closed, errors.New("did not close")}
		},
		Failed: func(_ *app.Environ, err error) { failure = err },
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 200 || w.Body.String() != "hello" || closed != 1 {
		t.Errorf("%d %q, closed %d times", w.Code, w.Body, closed)
	}
	if failure == nil || !strings.Contains(failure.Error(), "did not close") {
		t.Errorf("reported: %v", failure)
	}
}

// leaver is the ResponseWriter of a client that has left after n octets.
type leaver struct {
	*httptest.ResponseRecorder
	n int
}

func (w *leaver) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, errors.New("broken pipe")
	}
	return w.ResponseRecorder.Write(p)
}

func TestHandlerClientGone(t *testing.T) {
	pulled, closed := 0, 0
	var failure, written error
	handler := &nethttp.ApplicationHandler{
		Application: func(e *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", typed)
			if e.Get("QUERY_STRING") == "write" {
				for written == nil {
					_, written = write([]byte("x"))
				}
				_, written = write([]byte("x"))
			}
			return counted{app.Seq(func(yield func([]byte) bool) {
				for yield([]byte("x")) {
					pulled++
				}
			}), &closed, nil}
		},
		Failed: func(_ *app.Environ, err error) { failure = err },
	}
	for _, target := range []string{"/", "/?write"} {
		pulled, closed = 0, 0
		serve(handler, &leaver{httptest.NewRecorder(), 3}, httptest.NewRequest("GET", target, nil))
		if closed != 1 || failure != nil || target == "/" && pulled != 3 {
			t.Errorf("%s: pulled %d chunks, closed %d times, reported %v", target, pulled, closed, failure)
		}
	}
	if written != app.ErrGone {
		t.Errorf("Write returned %v", written)
	}
}

func TestHandlerHandsOnEachChunk(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []app.Header
		write   bool
		sized   bool
	}{{"chunked", typed, false, false}, {"declared", length("6"), false, false}, {"sized", typed, false, true}, {"written", typed, true, false}} {
		t.Run(test.name, func(t *testing.T) {
			proceed := make(chan bool)
			server := apptest.NewServer(t, func(_ *app.Environ, start app.StartResponse) app.Body {
				write := start("200 OK", test.headers)
				if test.write {
					_, _ = write(nil) // sends the head
					for _, text := range []string{"one", "two"} {
						<-proceed
						_, _ = write([]byte(text))
					}
					return nil
				}
				body := app.Seq(func(yield func([]byte) bool) {
					for _, text := range []string{"one", "two"} {
						if !yield([]byte(text)) {
							return
						}
						<-proceed
					}
				})
				if test.sized {
					return six{body}
				}
				return body
			})
			server.Client.Timeout = 30 * time.Second
			res, err := server.Client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			for _, text := range []string{"one", "two"} {
				if test.write {
					proceed <- true
				}
				part := make([]byte, 3)
				if _, err := io.ReadFull(res.Body, part); err != nil || string(part) != text {
					t.Fatalf("got %q, %v; want %q", part, err, text)
				}
				if !test.write {
					proceed <- true
				}
			}
		})
	}
}

// six is a body of six octets.
type six struct{ app.Body }

func (six) Size() int64 { return 6 }

func TestHandlerLogs(t *testing.T) {
	var out bytes.Buffer
	listener := apptest.Listen()
	server := &http.Server{
		ErrorLog: log.New(&out, "server: ", 0),
		Handler: nethttp.Handler(func(e *app.Environ, start app.StartResponse) app.Body {
			_, _ = io.WriteString(e.Errors(), "from the application")
			panic("at the disco")
		}),
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	conn, err := listener.Dial()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	status, err := bufio.NewReader(conn).ReadString('\n')
	if status != "HTTP/1.1 500 Internal Server Error\r\n" || err != nil {
		t.Errorf("got %q, %v", status, err)
	}
	for _, want := range []string{"server: from the application\n", "server: weir: GET \"/p\": panic: at the disco\n", "handler_test.go"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q was not logged, but %s", want, &out)
		}
	}
}

// whole is content that what is below net/http has in memory already.
type whole struct {
	*app.Memory
	io.Closer
}

// TestHandlerSettings: a server that knows more than net/http says so.
func TestHandlerSettings(t *testing.T) {
	var complaints strings.Builder
	seen := ""
	handler := &nethttp.ApplicationHandler{
		Application: func(environ *app.Environ, start app.StartResponse) app.Body {
			view, ok := environ.Input().View()
			seen = fmt.Sprintf("%s %s:%s %v %q %v", environ.Get("SERVER_SOFTWARE"), environ.Get("SERVER_NAME"), environ.Get("SERVER_PORT"),
				environ.Get("deployer.key"), view, ok)
			fmt.Fprint(environ.Errors(), "complaint")
			start("204 No Content", nil)
			return nil
		},
		Gateway: &app.Gateway{Software: "test/1", Errors: &complaints, Extra: map[string]any{"deployer.key": "value"}},
		Local:   func(r *http.Request) (string, string, int) { return "https", "local." + r.Host, 8000 },
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Body = whole{app.NewMemory([]byte("content")), io.NopCloser(nil)}
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if want := `test/1 local.example.com:8000 value "content" true`; seen != want || complaints.String() != "complaint" {
		t.Errorf("the application has seen %s, want %s; wsgi.errors has %q", seen, want, complaints.String())
	}
}
