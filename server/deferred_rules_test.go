package server_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// TestDeferredCutOff: a response that is given up behind its head is cut off.
func TestDeferredCutOff(t *testing.T) {
	for name, end := range map[string]func(d app.Deferred){
		"abort": func(d app.Deferred) { d.Abort(errors.New("x")) },
		"short": func(d app.Deferred) { _ = d.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLot()
			s := serve(t, server.Config{Application: l.application()})
			c := s.dial()
			send(t, c, get("/defer"))
			d := l.take(t)
			if err := d.Start("200 OK", []app.Header{{Name: "Content-Length", Value: "10"}}); err != nil {
				t.Fatal(err)
			}
			_, _ = d.Write([]byte("abc"))
			end(d)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if content, err := io.ReadAll(response.Body); string(content) != "abc" || err == nil {
				t.Errorf("received %q, %v", content, err)
			}
		})
	}
}

// TestDeferredFaults: an application that does not keep to what Defer asks is answered for with 500.
func TestDeferredFaults(t *testing.T) {
	for name, fault := range map[string]app.Application{
		"start_response": func(environ *app.Environ, start app.StartResponse) app.Body {
			environ.Defer()
			start("200 OK", nil)
			return app.String("x")
		},
		"second Defer": func(environ *app.Environ, _ app.StartResponse) app.Body { environ.Defer(); environ.Defer(); return nil },
		"Defer after start": func(environ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", nil)
			environ.Defer()
			return nil
		},
		"panic": func(environ *app.Environ, _ app.StartResponse) app.Body { environ.Defer(); panic("x") },
	} {
		for way, wrap := range waysToDefer {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				s := serve(t, server.Config{Loops: 1, Application: paths{"/defer": wrap(fault)}.application()})
				c := s.dial()
				send(t, c, get("/defer", "/behind"))
				in := bufio.NewReader(c)
				if response, _ := receive(t, in); response.StatusCode != 500 {
					t.Errorf("got %v", response)
				}
				expectAnswers(t, in, "/behind")
			})
		}
	}
}

// TestDeferredPanicIsLogged: a panic is logged when the answer was given before, too.
func TestDeferredPanicIsLogged(t *testing.T) {
	l := newLot()
	l.after = func(_ *app.Environ, d app.Deferred) { _ = d.Answer(response("answer")); panic("too late") }
	log := newRecord()
	s := serve(t, server.Config{Application: l.application(), Logger: log.logger()})
	c := s.dial()
	send(t, c, get("/defer", "/behind"))
	expectAnswers(t, bufio.NewReader(c), "answer", "/behind")
	until(t, "the panic in the log", func() bool { return strings.Contains(log.String(), "too late") })
}

// TestDeferredCloseConnection: what the application says of the connection holds for the deferred answer.
func TestDeferredCloseConnection(t *testing.T) {
	l := newLot()
	l.before = func(environ *app.Environ) { environ.CloseConnection() }
	l.after = func(_ *app.Environ, d app.Deferred) { _ = d.Answer(response("answer")) }
	s := serve(t, server.Config{Application: l.application()})
	c := s.dial()
	if got, _ := ask(t, c, get("/defer")); !got.Close {
		t.Error("the connection goes on")
	}
}

// TestDeferredDeadline: the default answer is sent when the deadline has passed, and not when there is another, or none any more.
func TestDeferredDeadline(t *testing.T) {
	for way, wrap := range waysToDefer {
		t.Run(way, func(t *testing.T) {
			l := newLot()
			var calls atomic.Int64
			l.after = func(_ *app.Environ, d app.Deferred) {
				if calls.Add(1) > 1 {
					return
				}
				d.SetDeadline(time.Millisecond, response("never"))
				d.SetDeadline(0, nil)
				d.SetDeadline(30*time.Millisecond, &app.Response{Status: "204 No Content"})
			}
			s := serve(t, server.Config{Loops: 1, Application: paths{"/defer": wrap(l.deferring)}.application()})
			c := s.dial()
			in := bufio.NewReader(c)
			send(t, c, get("/defer", "/behind"))
			if response, _ := receive(t, in); response.StatusCode != 204 {
				t.Fatalf("got %v", response)
			}
			if d := l.take(t); d.Answer(response("late")) != app.ErrGone {
				t.Error("answered behind the deadline")
			}
			expectAnswers(t, in, "/behind")

			send(t, c, get("/defer"))
			d := l.take(t)
			d.SetDeadline(time.Millisecond, response("default"))
			expectAnswers(t, in, "default")

			send(t, c, get("/defer"))
			d = l.take(t)
			d.SetDeadline(time.Millisecond, response("default"))
			if d.Start("200 OK", nil) == nil {
				time.Sleep(50 * time.Millisecond) // the deadline passes, for nothing
				_, _ = d.Write([]byte("begun"))
				_ = d.Close()
				expectAnswers(t, in, "begun")
			} else {
				expectAnswers(t, in, "default")
			}
		})
	}
}
