package nethttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// failures are what Failed was told. They are taken with all, which waits for none.
type failures struct {
	mu   sync.Mutex
	list []error
}

func (f *failures) add(e *app.Environ, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Errorf("%s: %w", e.Path(), err))
}

func (f *failures) all() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.list...)
}

// onEachWire runs test with a server for each version of HTTP that net/http speaks. served is closed when the handler of
// the first request has returned.
func onEachWire(t *testing.T, application app.Application, test func(t *testing.T, s *wire)) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			s := &wire{served: make(chan struct{})}
			handler := &nethttp.ApplicationHandler{Application: app.Validator(application), Failed: s.add}
			once := sync.OnceFunc(func() { close(s.served) })
			s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer once()
				if r.Proto != version {
					t.Errorf("the request came with %s", r.Proto)
				}
				handler.ServeHTTP(w, r)
			}))
			s.EnableHTTP2 = version == "HTTP/2.0"
			s.StartTLS()
			defer s.Close()
			test(t, s)
		})
	}
}

type wire struct {
	*httptest.Server
	failures
	served chan struct{}
}

// do asks and writes down all of the answer.
func (s *wire) do(t *testing.T, method, target string) string {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		return "cut"
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	cut := ""
	if err != nil {
		cut = " cut"
	}
	return fmt.Sprintf("%d %s %q%s", res.StatusCode, or(res.Header, "Content-Type"), content, cut)
}

// watcher passes on what it is told.
type watcher struct{ left, drained chan bool }

func watch(d app.Deferred) watcher {
	w := watcher{make(chan bool, 2), make(chan bool, 100)}
	d.Watch(w)
	return w
}

func (w watcher) Left()    { w.left <- true }
func (w watcher) Drained() { w.drained <- true }

// told tells whether Left was called, when d has no functions left to run.
func (w watcher) told(d app.Deferred) bool {
	last := make(chan bool)
	d.Post(func() { close(last) })
	<-last
	return len(w.left) > 0
}

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

// Each chunk reaches the client before there is another.
func TestDeferredStreams(t *testing.T) {
	proceed := make(chan bool)
	onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
		d := e.Defer()
		go func() {
			_ = d.Start("200 OK", typed)
			_, _ = d.Write(nil) // sends the head
			for <-proceed {
				_, _ = d.Write([]byte("chunk"))
			}
			_ = d.Close()
		}()
		return nil
	}, func(t *testing.T, s *wire) {
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for range 10 {
			proceed <- true
			chunk := make([]byte, 5)
			if _, err := io.ReadFull(res.Body, chunk); err != nil || string(chunk) != "chunk" {
				t.Fatalf("got %q, %v", chunk, err)
			}
		}
		proceed <- false
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
			t.Errorf("then %q, %v", rest, err)
		}
	})
}

// tooMuch is more than systems buffer between a server and its client.
const tooMuch = 16 << 20

// A client that does not read slows nobody down but the producer that asks how much is unsent.
func TestDeferredDrains(t *testing.T) {
	const high = 64 << 10
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	type end struct {
		d    app.Deferred
		w    watcher
		sent int
	}
	full := make(chan end)
	onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
		d := e.Defer()
		w := watch(d)
		go func() {
			_ = d.Start("200 OK", typed)
			sent, unsent := 0, 0
			for unsent < tooMuch {
				unsent, _ = d.Write(chunk)
				sent += len(chunk)
			}
			full <- end{d, w, sent}
		}()
		return nil
	}, func(t *testing.T, s *wire) {
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		e := <-full
		e.w.told(e.d)
		for len(e.w.drained) > 0 { // as long as the systems have taken it
			<-e.w.drained
		}
		if _, err := io.CopyN(io.Discard, res.Body, int64(e.sent)); err != nil {
			t.Fatal(err)
		}
		<-e.w.drained
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // it was told at the mark: what is left leaves too
			if unsent, err := e.d.Write(nil); unsent == 0 && err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("%d octets stay unsent, %v", unsent, err)
			}
		}
		if unsent, err := e.d.Write([]byte("end")); unsent > high || err != nil {
			t.Errorf("%d octets are unsent, %v", unsent, err)
		}
		_ = e.d.Close()
		if rest, err := io.ReadAll(res.Body); string(rest) != "end" || err != nil {
			t.Errorf("then %q, %v", rest, err)
		}
		<-s.served
		if w := e.w; w.told(e.d) || len(w.drained) > 0 {
			t.Error("told that the client has left, or once more that it has caught up")
		}
	})
}

// A client leaves: before the response, in the middle of it, and while the goroutine of the request waits for it.
func TestDeferredClientLeaves(t *testing.T) {
	for _, phase := range []string{"waiting", "streaming", "not reading"} {
		t.Run(phase, func(t *testing.T) {
			type held struct {
				d         app.Deferred
				former, w watcher
			}
			requests := make(chan held)
			onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
				d := e.Defer()
				former, w := watch(d), watch(d)
				go func() {
					if phase != "waiting" {
						_ = d.Start("200 OK", typed)
						_, _ = d.Write([]byte("begin"))
					}
					for unsent := 0; phase == "not reading" && unsent < tooMuch; {
						unsent, _ = d.Write(make([]byte, 1<<20))
					}
					requests <- held{d, former, w}
				}()
				return nil
			}, func(t *testing.T, s *wire) {
				ctx, cancel := context.WithCancel(t.Context())
				r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
				answered := make(chan bool)
				go func() {
					if res, err := s.Client().Do(r); err == nil {
						_, _ = io.ReadFull(res.Body, make([]byte, len("begin")))
						answered <- true
						<-ctx.Done()
						_ = res.Body.Close()
					}
					close(answered)
				}()
				h := <-requests
				if phase != "waiting" {
					<-answered
				}
				select {
				case <-h.d.Done():
					t.Error("done too early")
				default:
				}
				cancel()
				<-h.d.Done()
				<-h.w.left
				<-h.d.Done() // made anew
				over(t, h.d)
				<-s.served
				<-answered
				if err := s.all(); err != nil {
					t.Error(err)
				}
				if again := watch(h.d); !again.told(h.d) {
					t.Error("a watcher that comes late was not told")
				}
				if h.w.told(h.d) {
					t.Error("told twice")
				}
				if h.former.told(h.d) {
					t.Error("the watcher that was replaced was told")
				}
			})
		})
	}
}

// The call of the application that has deferred the answer has nothing more to say.
func TestDeferredCall(t *testing.T) {
	hello := &app.Response{Status: "200 OK", Headers: typed, Content: []byte("hello")}
	closed := 0
	fails := app.Seq(func(func([]byte) bool) { t.Error("the body was asked for") })
	breach := func(f func()) {
		defer func() {
			if err, ok := recover().(*app.StartResponseError); !ok {
				t.Error("no StartResponseError", err)
			}
		}()
		f()
	}
	for _, test := range []struct {
		name        string
		application app.Application
		want        string
		failure     string
	}{
		{"body", func(e *app.Environ, _ app.StartResponse) app.Body {
			_ = e.Defer().Answer(hello)
			return counted{fails, &closed, nil}
		}, `200 text/plain "hello"`, ""},
		{"error of Close", func(e *app.Environ, _ app.StartResponse) app.Body {
			_ = e.Defer().Answer(hello)
			return counted{fails, &closed, errors.New("did not close")}
		}, `200 text/plain "hello"`, "did not close"},
		{"blocking", app.Blocking(func(e *app.Environ, _ app.StartResponse) app.Body {
			_ = e.Defer().Answer(hello)
			return counted{fails, &closed, nil}
		}), `200 text/plain "hello"`, ""},
		{"blocking body", func(e *app.Environ, start app.StartResponse) app.Body {
			_ = e.Defer().Answer(hello)
			return app.Blocking(func(*app.Environ, app.StartResponse) app.Body { panic("called") })(e, start)
		}, `200 text/plain "hello"`, ""},
		{"called by the body", func(e *app.Environ, start app.StartResponse) app.Body {
			return counted{app.Seq(func(func([]byte) bool) { _ = e.Defer().Answer(hello) }), &closed, nil}
		}, `200 text/plain "hello"`, ""},
		{"twice", func(e *app.Environ, _ app.StartResponse) app.Body {
			d := e.Defer()
			breach(func() { e.Defer() })
			_ = d.Answer(hello)
			return nil
		}, `200 text/plain "hello"`, ""},
		{"started", func(e *app.Environ, start app.StartResponse) app.Body {
			d := e.Defer()
			breach(func() { start("200 OK", typed) })
			_ = d.Answer(hello)
			return nil
		}, `200 text/plain "hello"`, ""},
		{"after start", func(e *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", typed)
			breach(func() { e.Defer() })
			return app.String("own")
		}, `200 text/plain "own"`, ""},
		{"twice, not recovered", func(e *app.Environ, _ app.StartResponse) app.Body {
			e.Defer()
			e.Defer()
			return nil
		}, "500 text/plain; charset=utf-8 \"Internal Server Error\\n\"", "cannot be deferred any more"},
		{"panic", func(e *app.Environ, _ app.StartResponse) app.Body {
			e.Defer()
			panic("at the disco")
		}, "500 text/plain; charset=utf-8 \"Internal Server Error\\n\"", "panic: at the disco"},
		{"panic behind the head", func(e *app.Environ, _ app.StartResponse) app.Body {
			d := e.Defer()
			_ = d.Start("200 OK", typed)
			_, _ = d.Write([]byte("hel"))
			panic("at the disco")
		}, `200 text/plain "hel" cut`, "panic: at the disco"},
		{"panic behind the answer", func(e *app.Environ, _ app.StartResponse) app.Body {
			_ = e.Defer().Answer(hello)
			panic("at the disco")
		}, `200 text/plain "hello"`, "panic: at the disco"},
		{"ErrAbort", func(e *app.Environ, _ app.StartResponse) app.Body {
			e.Defer()
			panic(app.ErrAbort)
		}, "cut", ""},
		{"end of the goroutine", func(e *app.Environ, _ app.StartResponse) app.Body {
			d := e.Defer()
			w := watch(d)
			go func() { <-d.Done(); <-w.left; closed++ }()
			runtime.Goexit()
			return nil
		}, "cut", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			// Without the validator, which calls what start panics with the server's fault.
			s := &wire{}
			done := make(chan bool)
			handler := &nethttp.ApplicationHandler{Application: test.application, Failed: s.add}
			s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				closed = 0
				handler.ServeHTTP(w, r)
			}))
			defer s.Close()
			if got := s.do(t, "GET", "/"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			<-done
			failure := s.all()
			if (failure == nil) != (test.failure == "") || failure != nil && !strings.Contains(failure.Error(), test.failure) {
				t.Errorf("failed with %v, want %q", failure, test.failure)
			}
			if strings.Contains(test.name, "body") && test.name != "blocking body" && closed != 1 {
				t.Errorf("the body was closed %d times", closed)
			}
		})
	}
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

// The deadline that counts is the one that was set last, as long as nothing was sent.
func TestDeferredDeadline(t *testing.T) {
	response := func(text string) *app.Response {
		return &app.Response{Status: "503 Late", Headers: typed, Content: []byte(text)}
	}
	for _, test := range []struct {
		name string
		do   func(d app.Deferred)
		want string
		at   time.Duration
	}{
		{"one", func(d app.Deferred) { d.SetDeadline(time.Minute, response("one")) }, "one", time.Minute},
		{"earlier", func(d app.Deferred) {
			d.SetDeadline(time.Hour, response("one"))
			d.SetDeadline(time.Minute, response("two"))
		}, "two", time.Minute},
		{"later", func(d app.Deferred) {
			d.SetDeadline(time.Minute, response("one"))
			d.After(time.Second, func() { d.SetDeadline(time.Minute, response("two")) })
		}, "two", time.Minute + time.Second},
		{"none", func(d app.Deferred) {
			d.SetDeadline(time.Minute, response("one"))
			d.SetDeadline(0, nil)
			d.After(time.Hour, func() { _ = d.Answer(response("answer")) })
		}, "answer", time.Hour},
		{"begun", func(d app.Deferred) {
			d.SetDeadline(time.Minute, response("one"))
			_ = d.Start("200 OK", typed)
			d.SetDeadline(time.Minute, response("two"))
			d.After(time.Hour, func() { _, _ = d.Write([]byte("begun")); _ = d.Close() })
		}, "begun", time.Hour},
		{"answered", func(d app.Deferred) {
			d.SetDeadline(time.Minute, response("one"))
			_ = d.Answer(response("answer"))
		}, "answer", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				w := httptest.NewRecorder()
				nethttp.Handler(func(e *app.Environ, _ app.StartResponse) app.Body {
					test.do(e.Defer())
					return nil
				}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if at := time.Since(begin); w.Body.String() != test.want || at != test.at {
					t.Errorf("%q after %v, want %q after %v", w.Body, at, test.want, test.at)
				}
			})
		})
	}
}

// A context that ends for another reason than that the client has left must not make a response that looks complete.
func TestDeferredContextEnds(t *testing.T) {
	for _, begin := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var d app.Deferred
			var told watcher
			w := httptest.NewRecorder()
			aborted := serve(nethttp.Handler(func(e *app.Environ, _ app.StartResponse) app.Body {
				d = e.Defer()
				told = watch(d)
				if begin {
					_ = d.Start("200 OK", typed)
					_, _ = d.Write([]byte("x"))
				}
				return nil
			}), w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			if aborted == "" {
				t.Errorf("ended with %d %q", w.Code, w.Body)
			}
			<-told.left
			over(t, d)
		})
	}
}

// A watcher is not called before the application has returned.
func TestDeferredWatcherWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var told watcher
	aborted := serve(nethttp.Handler(func(e *app.Environ, _ app.StartResponse) app.Body {
		d := e.Defer()
		told = watch(d)
		cancel()
		<-d.Done()
		if told.told(d) {
			t.Error("called too early")
		}
		return nil
	}), httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if aborted == "" {
		t.Error("the response was ended")
	}
	<-told.left
}

// Functions run one at a time, in their order, after the request too.
func TestDeferredExecutor(t *testing.T) {
	var failed failures
	var first, second app.Deferred
	handler := &nethttp.ApplicationHandler{Failed: failed.add}
	handler.Application = func(e *app.Environ, _ app.StartResponse) app.Body {
		first, second = e.Defer(), first
		if first.Executor() != first.Executor() || second != nil && first.Executor() == second.Executor() {
			t.Error("executors are equal that are not, or the other way round")
		}
		ran := make(chan bool)
		first.Post(func() { close(ran) })
		<-ran // although the application has not returned
		_ = first.Answer(&app.Response{Status: "200 OK"})
		return nil
	}
	for range 2 {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}

	executor := first.Executor()
	var order []int
	var ready sync.WaitGroup
	ready.Add(1)
	executor.Post(ready.Wait)
	for i := range 100 {
		executor.Post(func() {
			order = append(order, i)
			switch i {
			case 10:
				panic("in a function")
			case 20:
				runtime.Goexit()
			}
		})
	}
	ready.Done()
	done := make(chan bool)
	executor.Post(func() { executor.After(time.Nanosecond, func() { executor.Post(func() { close(done) }) }) })
	<-done
	if len(order) != 100 || !slices.IsSorted(order) {
		t.Errorf("ran %v", order)
	}
	if err := failed.all(); err == nil || !strings.Contains(err.Error(), "panic: in a function") {
		t.Errorf("reported: %v", err)
	}
}

// Everything is called at the same time, for the race detector.
func TestDeferredConcurrently(t *testing.T) {
	var begun, ended atomic.Int64 // calls; a handler of HTTP/2 whose client has left may begin when the server is closed already
	onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
		e.Detach()
		d := e.Defer()
		for _, f := range []func(){
			func() { _ = d.Start("200 OK", typed) },
			func() { _, _ = d.Write([]byte("x")) },
			func() { _, _ = d.Write(make([]byte, 200<<10)) },
			func() { _ = d.Answer(&app.Response{Status: "200 OK", Headers: typed}) },
			func() { d.SetDeadline(time.Nanosecond, &app.Response{Status: "503 Late"}) },
			func() { watch(d) },
			func() { <-d.Done() },
			func() { e.Path(); e.Set("key", "value"); _ = e.Query() },
			func() { d.Post(func() { _ = d.Close() }) },
			func() { d.Abort(errors.New("cause")) },
		} {
			begun.Add(1)
			go func() {
				defer ended.Add(1)
				f()
			}()
		}
		return nil
	}, func(t *testing.T, s *wire) {
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
			if res, err := s.Client().Do(r); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			r, _ = http.NewRequest("GET", s.URL, nil)
			if res, err := s.Client().Do(r); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}
		s.Close()
		for deadline := time.Now().Add(30 * time.Second); begun.Load() != ended.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d calls have ended", ended.Load(), begun.Load())
			}
		}
	})
}
