package nethttp_test

import (
	"context"
	"errors"
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
