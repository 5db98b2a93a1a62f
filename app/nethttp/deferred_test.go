package nethttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// TestDeferredAnswers has each way to answer used by the application and, when that has returned, by a goroutine.
func TestDeferredAnswers(t *testing.T) {
	cause := errors.New("cause")
	const failed = "500 text/plain; charset=utf-8 \"Internal Server Error\\n\""
	// begun has the response begin, with its first chunk.
	begun := func(d app.Deferred, headers []app.Header) {
		if err := d.Start("200 OK", headers); err != nil {
			t.Error(err)
		}
		if _, err := d.Write([]byte("hel")); err != nil {
			t.Error(err)
		}
	}
	for _, test := range []struct {
		name    string
		method  string
		answer  func(d app.Deferred) error
		want    string
		failure string // part of what Failed is told
		left    bool   // the watcher is told so
	}{
		{"whole", "GET", func(d app.Deferred) error {
			return d.Answer(&app.Response{Status: "201 Created", Headers: typed, Content: []byte("hello")})
		}, `201 text/plain "hello"`, "", false},
		{"whole, HEAD", "HEAD", func(d app.Deferred) error {
			return d.Answer(&app.Response{Status: "200 OK", Headers: typed, Content: []byte("hello")})
		}, `200 text/plain ""`, "", false},
		{"whole, empty", "GET", func(d app.Deferred) error {
			return d.Answer(&app.Response{Status: "204 No Content"})
		}, `204 - ""`, "", false},
		{"whole, refused", "GET", func(d app.Deferred) error {
			return d.Answer(&app.Response{Status: "200"})
		}, failed, "status must be", false},
		{"whole, more than declared", "GET", func(d app.Deferred) error {
			return d.Answer(&app.Response{Status: "200 OK", Headers: length("2"), Content: []byte("hello")})
		}, `200 text/plain "he"`, "longer than Content-Length", false},
		{"pieces", "GET", func(d app.Deferred) error {
			begun(d, typed)
			_, err := d.Write([]byte("lo"))
			return errors.Join(err, d.Close())
		}, `200 text/plain "hello"`, "", false},
		{"pieces, HEAD", "HEAD", func(d app.Deferred) error {
			begun(d, typed)
			return d.Close()
		}, `200 text/plain ""`, "", false},
		{"no content", "GET", func(d app.Deferred) error {
			return errors.Join(d.Start("200 OK", typed), d.Close())
		}, `200 text/plain ""`, "", false},
		{"begun again with a cause", "GET", func(d app.Deferred) error {
			err := errors.Join(d.Start("200 OK", typed), d.Start("503 Oops", typed, cause))
			return errors.Join(err, d.Close())
		}, `503 text/plain ""`, "", false},
		{"begun again without", "GET", func(d app.Deferred) error {
			err := d.Start("200 OK", typed)
			if want := (*app.StartResponseError)(nil); !errors.As(d.Start("503 Oops", typed), &want) {
				t.Error("no error")
			}
			return errors.Join(err, d.Close())
		}, `200 text/plain ""`, "", false},
		{"begun again behind the head", "GET", func(d app.Deferred) error {
			begun(d, typed)
			if err := d.Start("503 Oops", typed, cause); !errors.Is(err, cause) {
				t.Error(err)
			}
			return d.Close()
		}, `200 text/plain "hel"`, "", false},
		{"more than declared", "GET", func(d app.Deferred) error {
			begun(d, length("2"))
			_, err := d.Write([]byte("lo"))
			return errors.Join(err, d.Close())
		}, `200 text/plain "he"`, "longer than Content-Length", false},
		{"less than declared", "GET", func(d app.Deferred) error {
			begun(d, length("9"))
			return d.Close()
		}, `200 text/plain "hel" cut`, "3 of 9 octets", false},
		{"not begun", "GET", func(d app.Deferred) error { return d.Close() }, failed, "not called before the body", false},
		{"content first", "GET", func(d app.Deferred) error {
			if _, err := d.Write([]byte("x")); err == nil {
				t.Error("no error")
			}
			if err := d.Answer(&app.Response{Status: "200 OK"}); err != app.ErrGone {
				t.Error(err)
			}
			begun(d, typed)
			return d.Close()
		}, `200 text/plain "hel"`, "", false},
		{"refused", "GET", func(d app.Deferred) error {
			if want := (*app.StartResponseError)(nil); !errors.As(d.Start("oops", typed), &want) {
				t.Error("no error")
			}
			return d.Close()
		}, failed, "was refused", false},
		{"goes on with what was refused", "GET", func(d app.Deferred) error {
			_ = d.Start("oops", typed)
			if _, err := d.Write([]byte("x")); err == nil {
				t.Error("no error")
			}
			return nil
		}, failed, "was refused", true},
		{"given up", "GET", func(d app.Deferred) error { d.Abort(cause); return nil }, failed, "/: cause", false},
		{"given up without a cause", "GET", func(d app.Deferred) error { d.Abort(nil); return nil }, failed, "given a deferred answer up", false},
		{"given up behind the start", "GET", func(d app.Deferred) error {
			err := d.Start("200 OK", typed)
			d.Abort(cause)
			return err
		}, failed, "cause", false},
		{"given up behind the head", "GET", func(d app.Deferred) error {
			begun(d, typed)
			d.Abort(cause)
			return nil
		}, `200 text/plain "hel" cut`, "cause", false},
		{"cut off", "GET", func(d app.Deferred) error { d.Abort(app.ErrAbort); return nil }, "cut", "", false},
		{"deadline", "GET", func(d app.Deferred) error {
			d.SetDeadline(time.Nanosecond, &app.Response{Status: "503 Late", Headers: typed, Content: []byte("late")})
			return nil
		}, `503 text/plain "late"`, "", true},
	} {
		for _, later := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, later %v", test.name, later), func(t *testing.T) {
				var d app.Deferred
				var w watcher
				answer := func() {
					if err := test.answer(d); err != nil {
						t.Error(err)
					}
				}
				onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
					d = e.Defer()
					w = watch(d)
					if later {
						go answer()
					} else {
						answer()
					}
					return nil
				}, func(t *testing.T, s *wire) {
					if got := s.do(t, test.method, "/"); got != test.want {
						t.Errorf("got %s, want %s", got, test.want)
					}
					<-s.served
					failure := s.all()
					if (failure == nil) != (test.failure == "") || failure != nil && !strings.Contains(failure.Error(), test.failure) {
						t.Errorf("failed with %v, want %q", failure, test.failure)
					}
					if joined, ok := failure.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 1 {
						t.Errorf("failed with %v", failure)
					}
					<-d.Done()
					if w.told(d) != test.left {
						t.Errorf("told that the client has left: %v", !test.left)
					}
					over(t, d)
				})
			})
		}
	}
}

// over checks a Deferred whose response has ended.
func over(t *testing.T, d app.Deferred) {
	t.Helper()
	err := d.Start("200 OK", typed)
	_, wrote := d.Write([]byte("x"))
	answered := d.Answer(&app.Response{Status: "200 OK"})
	d.Abort(errors.New("too late"))
	d.SetDeadline(time.Nanosecond, &app.Response{Status: "200 OK"})
	for _, err := range []error{err, wrote, answered, d.Close()} {
		if err != app.ErrGone {
			t.Errorf("got %v, want ErrGone", err)
		}
	}
}

// What can be known of the length is told.
func TestDeferredLength(t *testing.T) {
	hello := &app.Response{Status: "200 OK", Headers: typed, Content: []byte("hello")}
	onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
		d := e.Defer()
		if e.Get("PATH_INFO") == "/answer" {
			_ = d.Answer(hello)
			return nil
		}
		_ = d.Start("200 OK", typed)
		_ = d.Close()
		return nil
	}, func(t *testing.T, s *wire) {
		for _, test := range []struct {
			method, target string
			want           int64
		}{{"GET", "/answer", 5}, {"HEAD", "/answer", 5}, {"GET", "/close", 0}, {"HEAD", "/close", -1}} {
			r, _ := http.NewRequest(test.method, s.URL+test.target, nil)
			res, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.ContentLength != test.want {
				t.Errorf("%s %s: length %d, want %d", test.method, test.target, res.ContentLength, test.want)
			}
		}
	})
}

// Of the environ counts what it was when the answer was deferred. Fields that handlers around this one have set stay.
func TestDeferredHeader(t *testing.T) {
	for _, answer := range []func(d app.Deferred){
		func(d app.Deferred) { _ = d.Answer(&app.Response{Status: "200 OK", Headers: typed}) },
		func(d app.Deferred) { _ = d.Start("200 OK", typed); _ = d.Close() },
	} {
		application := nethttp.Handler(func(e *app.Environ, _ app.StartResponse) app.Body {
			e.CloseConnection()
			answer(e.Defer())
			return nil
		})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Around", "1")
			application.ServeHTTP(w, r)
		}))
		res, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if !res.Close || res.Header.Get("X-Around") != "1" || res.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("close %v, %v", res.Close, res.Header)
		}
		server.Close()
	}
}
