package apptest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/nethttp"
)

// fakeTB is a testing.TB that keeps what it is told.
type fakeTB struct {
	testing.TB
	errors, logs []string
	cleanups     []func()
}

func (tb *fakeTB) Helper() {}
func (tb *fakeTB) Errorf(format string, args ...any) {
	tb.errors = append(tb.errors, fmt.Sprintf(format, args...))
}
func (tb *fakeTB) Logf(format string, args ...any) {
	tb.logs = append(tb.logs, fmt.Sprintf(format, args...))
}
func (tb *fakeTB) Cleanup(f func()) { tb.cleanups = append(tb.cleanups, f) }

var typed = []app.Header{{Name: "Content-Type", Value: "text/plain"}}

// echo answers with what it was asked.
func echo(e *app.Environ, start app.StartResponse) app.Body {
	content, err := io.ReadAll(e.Input())
	start("200 Fine", typed)
	value, _ := e.Header("X-Test")
	return app.String(fmt.Sprintf("%s %s?%s %s %d %s %s %s %q %v", e.Method(), e.Path(), e.Query(), e.Get("wsgi.url_scheme"),
		e.ContentLength(), e.Get("CONTENT_TYPE"), e.Get("HTTP_HOST"), value, content, err))
}

func TestClientRequests(t *testing.T) {
	client := apptest.New(t, echo)
	client.Header = http.Header{"X-Test": {"always"}}
	newRequest := func(method, url string, body io.Reader) *http.Request {
		r, err := http.NewRequest(method, url, body)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	own := httptest.NewRequest("GET", "/own", nil)
	own.Header.Set("X-Test", "own")
	bare := &http.Request{Method: "GET", URL: newRequest("GET", "/bare", nil).URL, Proto: "HTTP/1.1"}
	for _, test := range []struct {
		got  *apptest.Response
		want string
	}{
		{client.Get("/a%20b?c"), `GET /a b?c http -1  example.com always "" <nil>`},
		{client.Get("https://h.example/x"), `GET /x? https -1  h.example always "" <nil>`},
		{client.Post("/p", "a/b", strings.NewReader("text")), `POST /p? http 4 a/b example.com always "text" <nil>`},
		{client.Post("/p", "a/b", io.MultiReader(strings.NewReader("text"))), `POST /p? http -1 a/b example.com always "text" <nil>`},
		{client.Post("/p", "a/b", nil), `POST /p? http -1 a/b example.com always "" <nil>`},
		{client.Do(own), `GET /own? http -1  example.com own "" <nil>`},
		{client.Do(bare), `GET /bare? http -1  example.com always "" <nil>`},
		{client.Do(newRequest("PUT", "https://h.example/c?d", strings.NewReader("text"))), `PUT /c?d https 4  h.example always "text" <nil>`},
		{client.Do(newRequest("PUT", "http://h.example", io.MultiReader(strings.NewReader("text")))), `PUT /? http -1  h.example always "text" <nil>`},
	} {
		if test.got.String() != test.want {
			t.Errorf("got %s, want %s", test.got, test.want)
		}
		if test.got.Status != "200 Fine" || test.got.Code != 200 || test.got.Err != nil || test.got.Aborted {
			t.Errorf("got %s, %d, %v, aborted %v", test.got.Status, test.got.Code, test.got.Err, test.got.Aborted)
		}
	}
	if res := client.Head("/"); len(res.Body) != 0 || res.Header.Get("Content-Length") == "0" || res.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("HEAD gives %q and %v", res, res.Header)
	}
}

func TestClientResponse(t *testing.T) {
	client := apptest.New(t, app.Blocking(func(e *app.Environ, start app.StartResponse) app.Body {
		_, _ = io.WriteString(e.Errors(), "for the operator")
		write := start("203 Other", append(typed, app.Header{Name: "X-A", Value: "1"}, app.Header{Name: "X-A", Value: "2"}))
		_, _ = write([]byte("one"))
		return app.Seq(func(yield func([]byte) bool) { _ = yield([]byte("two")) && yield(nil) && yield([]byte("three")) })
	}))
	res := client.Get("/")
	if res.Status != "203 Other" || fmt.Sprint(res.Header["X-A"]) != "[1 2]" || fmt.Sprintf("%s", res.Chunks) != "[one two three]" ||
		res.String() != "onetwothree" || res.Errors != "for the operator" {
		t.Errorf("got %+v", res)
	}
}

func TestClientEarlyHints(t *testing.T) {
	c := apptest.New(t, func(e *app.Environ, start app.StartResponse) app.Body {
		for _, link := range []string{"a", "b"} {
			if err := e.EarlyHints([]app.Header{{Name: "Link", Value: link}}); err != nil {
				t.Error(err)
			}
		}
		start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
		return app.String("hello")
	})
	res := c.Get("/")
	if got := fmt.Sprint(res.EarlyHints); got != "[map[Link:[a]] map[Link:[b]]]" || res.Code != 200 || res.Header.Get("Link") != "" {
		t.Errorf("hints %s, then %d %v", got, res.Code, res.Header)
	}
}

func TestClientFailures(t *testing.T) {
	cause := errors.New("cause")
	var value any = "oops"
	for _, test := range []struct {
		name        string
		application app.Application
		code        int
		aborted     bool
		cause       error
		breach      string // part of what the test is told as an error
	}{
		{"panic", func(*app.Environ, app.StartResponse) app.Body { panic(value) }, 500, false, nil, ""},
		{"body fails", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", typed)
			return app.Reader(iotest.ErrReader(cause))
		}, 500, false, cause, ""},
		{"body fails late", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", typed)
			return app.Reader(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(cause)))
		}, 200, true, cause, ""},
		{"begins again behind the head", func(_ *app.Environ, start app.StartResponse) app.Body {
			write := start("200 OK", typed)
			_, _ = write([]byte("x"))
			start("500 Oops", typed, cause)
			return nil
		}, 200, true, cause, "head was sent"},
		{"contract", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", nil)
			return app.String("x")
		}, 500, false, nil, "has a Content-Type"},
		{"contract, late", func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", append(typed, app.Header{Name: "Content-Length", Value: "7"}))
			return app.Seq(func(yield func([]byte) bool) { yield([]byte("x")) })
		}, 200, true, nil, "not shorter than Content-Length"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tb := &fakeTB{TB: t}
			res := apptest.New(tb, test.application).Get("/")
			if res.Code != test.code || res.Aborted != test.aborted || res.Err == nil || test.cause != nil && !errors.Is(res.Err, test.cause) {
				t.Errorf("got %d, aborted %v, %v", res.Code, res.Aborted, res.Err)
			}
			if res.Code == 500 && res.Status != "500 Internal Server Error" {
				t.Errorf("status is %q", res.Status)
			}
			told := strings.Join(tb.errors, "\n")
			if !strings.Contains(told, test.breach) || (told == "") != (test.breach == "") {
				t.Errorf("the test was told %q, want %q", told, test.breach)
			}
			if len(tb.errors)+len(tb.logs) != 1 {
				t.Errorf("errors %q, logs %q", tb.errors, tb.logs)
			}
		})
	}
}

func TestClientAbort(t *testing.T) {
	tb := &fakeTB{TB: t}
	res := apptest.New(tb, func(*app.Environ, app.StartResponse) app.Body { panic(http.ErrAbortHandler) }).Get("/")
	if res.Code != 0 || !res.Aborted || res.Err != nil || len(tb.errors)+len(tb.logs) != 0 {
		t.Errorf("got %+v", res)
	}
	var p *nethttp.PanicError
	res = apptest.New(tb, func(*app.Environ, app.StartResponse) app.Body { panic("oops") }).Get("/")
	if !errors.As(res.Err, &p) || p.Value != "oops" {
		t.Errorf("got %v", res.Err)
	}
}
