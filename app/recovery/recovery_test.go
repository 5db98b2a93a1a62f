package recovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/recovery"
)

var plain = []app.Header{{Name: "Content-Type", Value: "text/plain"}}

func TestPanics(t *testing.T) {
	page := &app.Response{Status: "500 Internal Server Error", Headers: plain, Content: []byte("sorry")}
	for name, c := range map[string]struct {
		application app.Application
		body        string // of the answer
		left        bool   // to the server
		aborted     bool
	}{
		"none": {func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return app.String("fine")
		}, "fine", false, false},
		"call": {func(*app.Environ, app.StartResponse) app.Body { panic("why") }, "sorry", false, false},
		"behind start": {func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			panic(errors.New("why"))
		}, "sorry", false, false},
		"on a goroutine": {app.Blocking(func(*app.Environ, app.StartResponse) app.Body { panic("why") }), "sorry", false, false},
		"behind Defer": {func(environ *app.Environ, _ app.StartResponse) app.Body {
			environ.Defer()
			panic("why")
		}, "sorry", false, false},
		"behind a write": {func(_ *app.Environ, start app.StartResponse) app.Body {
			_, _ = start("200 OK", plain)([]byte("begun"))
			panic("why")
		}, "begun", true, true},
		"behind a deferred start": {func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			_ = d.Start("200 OK", plain)
			_, _ = d.Write([]byte("begun"))
			panic("why")
		}, "begun", true, true},
		"abort": {func(*app.Environ, app.StartResponse) app.Body { panic(app.ErrAbort) }, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			reports := 0
			application, err := recovery.New(c.application, recovery.Options{Response: page, Report: func(_ *app.Environ, value any, stack []byte) {
				reports++
				if !strings.Contains(string(stack), "recovery_test") {
					t.Errorf("the stack of %v is %s", value, stack)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			res := apptest.New(t, application).Get("/")
			if res.Aborted != c.aborted || !c.aborted && res.String() != c.body {
				t.Errorf("%s %q, aborted: %v", res.Status, res.Body, res.Aborted)
			}
			if want := name != "none" && !c.left; (reports == 1) != want || reports > 1 {
				t.Errorf("%d reports", reports)
			}
			if (res.Err != nil) != c.left && name != "abort" {
				t.Errorf("the server saw %v", res.Err)
			}
		})
	}
}

// TestErrors: without a report a panic is written to wsgi.errors, and the answer is short.
func TestErrors(t *testing.T) {
	application, err := recovery.New(func(*app.Environ, app.StartResponse) app.Body { panic("why") }, recovery.Options{})
	if err != nil {
		t.Fatal(err)
	}
	res := apptest.New(t, application).Get("/path")
	if res.Code != 500 || res.String() != "Internal Server Error\n" || !strings.Contains(res.Errors, `GET "/path": panic: why`) {
		t.Errorf("%s %q %q", res.Status, res.Body, res.Errors)
	}
	if _, err := recovery.New(nil, recovery.Options{Response: &app.Response{}}); err == nil || !strings.Contains(err.Error(), "Options.Response") {
		t.Error(err)
	}
}
