package timeout_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/app/timeout"
)

const (
	soon  = 20 * time.Millisecond
	never = time.Hour
)

var plain = []app.Header{{Name: "Content-Type", Value: "text/plain"}}

func response(content string) *app.Response {
	return &app.Response{Status: "200 OK", Headers: plain, Content: []byte(content)}
}

func TestDeadlines(t *testing.T) {
	late := &app.Response{Status: "504 Gateway Timeout", Headers: plain, Content: []byte("late")}
	deferred := func(answer func(d app.Deferred)) app.Application {
		return func(environ *app.Environ, _ app.StartResponse) app.Body {
			answer(environ.Defer())
			return nil
		}
	}
	for name, c := range map[string]struct {
		after       time.Duration
		application app.Application
		want        string
	}{
		"answered in time": {never, deferred(func(d app.Deferred) { _ = d.Answer(response("fine")) }), "200 fine"},
		"never answered":   {soon, deferred(func(app.Deferred) {}), "504 late"},
		"from a goroutine": {soon, app.Blocking(deferred(func(app.Deferred) {})), "504 late"},
		"an earlier one":   {never, deferred(func(d app.Deferred) { d.SetDeadline(soon, response("own")) }), "200 own"},
		"a later one":      {soon, deferred(func(d app.Deferred) { d.SetDeadline(never, response("own")) }), "504 late"},
		"one taken back":   {soon, deferred(func(d app.Deferred) { d.SetDeadline(0, nil) }), "504 late"},
		"a call": {soon, func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return app.String("fine")
		}, "200 fine"},
		"a slow body": {soon, func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return app.Seq(func(yield func([]byte) bool) {
				time.Sleep(2 * soon)
				yield([]byte("late, but sent"))
			})
		}, "200 late, but sent"},
		"begun in time": {soon, deferred(func(d app.Deferred) {
			_ = d.Start("200 OK", plain)
			_, _ = d.Write([]byte("begun"))
			d.After(2*soon, func() { _ = d.Close() })
		}), "200 begun"},
		"a handler": {soon, nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "gave up")
		})), "502 gave up"},
		"nested": {never, must(timeout.New(func(environ *app.Environ, start app.StartResponse) app.Body {
			at, ok := app.Deadline(environ)
			start("200 OK", plain)
			if !ok || time.Until(at) > never/2 {
				return app.String("the later deadline")
			}
			return app.String("the earlier deadline")
		}, timeout.Options{After: time.Minute})), "200 the earlier deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			application := must(timeout.New(app.Validator(c.application), timeout.Options{After: c.after, Response: late}))
			res := apptest.New(t, application).Get("/")
			if got := fmt.Sprint(res.Code, " ", res.String()); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func must(application app.Application, err error) app.Application {
	if err != nil {
		panic(err)
	}
	return application
}

// TestLate: what answers after the deadline finds the client gone. Without a response of the user's own it is a 503.
func TestLate(t *testing.T) {
	result := make(chan error, 1)
	application := must(timeout.New(func(environ *app.Environ, _ app.StartResponse) app.Body {
		d := environ.Defer()
		go func() {
			<-d.Done()
			result <- d.Answer(response("late"))
		}()
		return nil
	}, timeout.Options{After: soon}))
	res := apptest.New(t, application).Get("/")
	if res.Code != 503 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("%s %q", res.Status, res.Header)
	}
	if err := <-result; !errors.Is(err, app.ErrGone) {
		t.Errorf("a late answer: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]timeout.Options{
		"Options.After":    {},
		"Options.Response": {After: 1, Response: &app.Response{}},
	} {
		if _, err := timeout.New(nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
