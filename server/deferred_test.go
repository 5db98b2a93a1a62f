package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
)

// lot is an application that defers its requests and hands the Deferreds out. Paths other than /defer are answered with themselves.
type lot struct {
	deferred chan app.Deferred
	before   func(environ *app.Environ)
	after    func(environ *app.Environ, d app.Deferred)
}

func newLot() *lot { return &lot{deferred: make(chan app.Deferred, 10_000)} }

func (l *lot) application() app.Application {
	return paths{"/defer": l.deferring}.application()
}

func (l *lot) deferring(environ *app.Environ, _ app.StartResponse) app.Body {
	if l.before != nil {
		l.before(environ)
	}
	d := environ.Defer()
	if l.after != nil {
		l.after(environ, d)
	}
	l.deferred <- d
	return nil
}

// take waits for the next deferred request.
func (l *lot) take(t *testing.T) app.Deferred {
	t.Helper()
	select {
	case d := <-l.deferred:
		return d
	case <-time.After(patience):
		t.Fatal("no request was deferred")
		panic("unreachable")
	}
}

func response(content string, headers ...app.Header) *app.Response {
	return &app.Response{Status: "200 OK", Headers: headers, Content: []byte(content)}
}

// waysToDefer are the kinds of goroutines that Defer is called on.
var waysToDefer = map[string]func(application app.Application) app.Application{
	"loop":     func(application app.Application) app.Application { return application },
	"blocking": app.Blocking,
	"taken over": func(application app.Application) app.Application {
		return func(environ *app.Environ, start app.StartResponse) app.Body {
			time.Sleep(20 * time.Millisecond)
			return application(environ, start)
		}
	},
	"taken over afterwards": func(application app.Application) app.Application {
		return func(environ *app.Environ, start app.StartResponse) app.Body {
			defer time.Sleep(20 * time.Millisecond)
			return application(environ, start)
		}
	},
	"in Next": func(application app.Application) app.Application {
		return func(environ *app.Environ, start app.StartResponse) app.Body {
			return app.Seq(func(func([]byte) bool) { application(environ, start) })
		}
	},
}

// TestDeferredAnswers: an answer that comes from another goroutine has the form of any other one, and the connection goes on with the
// requests behind it.
func TestDeferredAnswers(t *testing.T) {
	stream := func(d app.Deferred) error {
		err := d.Start("200 OK", []app.Header{{Name: "X-A", Value: "1"}})
		for _, chunk := range []string{"one", "", "two"} {
			_, e := d.Write([]byte(chunk))
			err = errors.Join(err, e)
		}
		return errors.Join(err, d.Close())
	}
	answer := func(d app.Deferred) error { return d.Answer(response("onetwo", app.Header{Name: "X-A", Value: "1"})) }
	onLoop := func(do func(app.Deferred) error) func(d app.Deferred) error {
		return func(d app.Deferred) error {
			result := make(chan error)
			go d.Post(func() { d.Executor().After(time.Millisecond, func() { result <- do(d) }) })
			return <-result
		}
	}
	for _, c := range []struct {
		name, request string
		answer        func(d app.Deferred) error
		status        int
		content       string
		length        int64 // -1: chunked, or by the end
		closes        bool
	}{
		{"answer", get("/defer"), answer, 200, "onetwo", 6, false},
		{"answer on the loop", get("/defer"), onLoop(answer), 200, "onetwo", 6, false},
		{"answer of a Poller", get("/defer"), answerOnPoller(response("onetwo", app.Header{Name: "X-A", Value: "1"})), 200, "onetwo", 6, false},
		{"answer of a Poller with a length", get("/defer"), answerOnPoller(response("onetwo", app.Header{Name: "Content-Length", Value: "6"})), 200, "onetwo", 6, false},
		{"answer of a Poller to HEAD", "HEAD /defer HTTP/1.1\r\nHost: a\r\n\r\n", answerOnPoller(response("onetwo")), 200, "", 6, false},
		{"large answer of a Poller", get("/defer"), answerOnPoller(response(strings.Repeat("x", 1<<20))), 200, strings.Repeat("x", 1<<20), 1 << 20, false},
		{"stream", get("/defer"), stream, 200, "onetwo", -1, false},
		{"stream on the loop", get("/defer"), onLoop(stream), 200, "onetwo", -1, false},
		{"answer to HEAD", "HEAD /defer HTTP/1.1\r\nHost: a\r\n\r\n", answer, 200, "", 6, false},
		{"stream to HEAD", "HEAD /defer HTTP/1.1\r\nHost: a\r\n\r\n", stream, 200, "", -1, false},
		{"answer to HTTP/1.0", "GET /defer HTTP/1.0\r\n\r\n", answer, 200, "onetwo", 6, true},
		{"answer to HTTP/1.0, keep-alive", "GET /defer HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", answer, 200, "onetwo", 6, false},
		{"stream to HTTP/1.0", "GET /defer HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", stream, 200, "onetwo", -1, true},
		{"answer and close", "GET /defer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer, 200, "onetwo", 6, true},
		{"stream and close", "GET /defer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", stream, 200, "onetwo", -1, true},
		{"no content", get("/defer"), func(d app.Deferred) error { return d.Answer(&app.Response{Status: "204 No Content"}) }, 204, "", 0, false},
		{"large", get("/defer"), func(d app.Deferred) error { return d.Answer(response(strings.Repeat("x", 1<<20))) }, 200, strings.Repeat("x", 1<<20), 1 << 20, false},
		{"started, closed", get("/defer"), func(d app.Deferred) error { return errors.Join(d.Start("201 Created", nil), d.Close()) }, 201, "", 0, false},
		{"started anew", get("/defer"), func(d app.Deferred) error {
			return errors.Join(d.Start("200 OK", nil), d.Start("404 Not Found", nil, errors.New("cause")), d.Close())
		}, 404, "", 0, false},
		{"abort", get("/defer"), func(d app.Deferred) error { d.Abort(nil); return nil }, 500, "Internal Server Error\n", 22, false},
		{"abort after Start", get("/defer"), func(d app.Deferred) error { err := d.Start("200 OK", nil); d.Abort(errors.New("x")); return err }, 500, "Internal Server Error\n", 22, false},
		{"closed without Start", get("/defer"), func(d app.Deferred) error { return d.Close() }, 500, "Internal Server Error\n", 22, false},
		{"header that cannot be sent", get("/defer"), func(d app.Deferred) error {
			if d.Start("200 OK", []app.Header{{Name: "a b", Value: ""}}) == nil {
				return errors.New("Start returned nil")
			}
			_, _ = d.Write([]byte("x"))
			if d.Close() == nil || d.Start("200 OK", nil) == nil {
				return errors.New("no error after the end")
			}
			return nil
		}, 500, "Internal Server Error\n", 22, false},
		{"Response that cannot be sent", get("/defer"), func(d app.Deferred) error { return d.Answer(&app.Response{Status: "OK"}) }, 500, "Internal Server Error\n", 22, false},
	} {
		for way, wrap := range waysToDefer {
			t.Run(c.name+", "+way, func(t *testing.T) {
				t.Parallel()
				l := newLot()
				s := serve(t, server.Config{Loops: 1, Application: paths{"/defer": wrap(l.deferring)}.application()})
				conn := s.dial()
				send(t, conn, get("/before")+c.request+get("/behind"))
				in := bufio.NewReader(conn)
				expectAnswers(t, in, "/before")
				d := l.take(t)
				if err := c.answer(d); err != nil {
					t.Fatal(err)
				}
				request := &http.Request{Method: c.request[:strings.IndexByte(c.request, ' ')]}
				response, err := http.ReadResponse(in, request)
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(response.Body)
				if err != nil || string(content) != c.content || response.StatusCode != c.status || response.Close != c.closes {
					t.Errorf("%v, %.99q, %v", response, content, err)
				}
				if n := response.ContentLength; n != c.length {
					t.Errorf("the length is %d, want %d", n, c.length)
				}
				if c.closes {
					if _, err := in.ReadByte(); err != io.EOF {
						t.Errorf("behind it %v, want the end", err)
					}
				} else {
					expectAnswers(t, in, "/behind")
				}
				<-d.Done()
				if d.Answer(nil) != app.ErrGone || d.Start("200 OK", nil) != app.ErrGone || d.Close() != app.ErrGone {
					t.Error("it may be answered again")
				}
				d.Abort(nil)
			})
		}
	}
}

// TestDeferredShared: one Response answers any number of requests, and while these wait, they hold no goroutine and little memory.
func TestDeferredShared(t *testing.T) {
	const clients, each = 200, 10
	l := newLot()
	s := serve(t, server.Config{Loops: 2, Application: l.application()})
	var ins []*bufio.Reader
	c := s.dial()
	ask(t, c, get("/"))
	before := runtime.NumGoroutine()
	for range clients {
		c := s.dial()
		send(t, c, strings.Repeat(get("/defer"), each))
		ins = append(ins, bufio.NewReader(c))
	}
	shared := response(strings.Repeat("news ", 10), app.Header{Name: "X-Shared", Value: "1"})
	for range each {
		var waiting []app.Deferred
		for range clients {
			waiting = append(waiting, l.take(t))
		}
		until(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
		for _, d := range waiting {
			if err := d.Answer(shared); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, in := range ins {
		for range each {
			expectAnswers(t, in, string(shared.Content))
		}
	}
}

// TestDeferredOnce: of all that try to end a response at the same time, one does.
func TestDeferredOnce(t *testing.T) {
	l := newLot()
	s := serve(t, server.Config{Loops: 2, Application: l.application()})
	for round := range 200 {
		c := s.dial()
		in := bufio.NewReader(c)
		send(t, c, get("/defer", "/behind"))
		d := l.take(t)
		var ended atomic.Int64
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				if d.Answer(response(fmt.Sprint("answer ", i))) == nil {
					ended.Add(1)
				}
			})
		}
		group.Go(func() {
			if d.Start("200 OK", nil) == nil {
				_, _ = d.Write([]byte("answer"))
				if d.Close() == nil {
					ended.Add(1)
				}
			}
		})
		group.Go(func() { d.SetDeadline(time.Nanosecond, response("answer of the server")) })
		if round%4 == 3 {
			_ = c.Close()
		}
		group.Wait()
		if round%4 != 3 {
			if _, body := receive(t, in); !strings.HasPrefix(body, "answer") {
				t.Fatalf("received %q", body)
			}
			expectAnswers(t, in, "/behind")
		}
		_ = c.Close()
		if ended.Load() > 1 {
			t.Fatalf("ended %d times", ended.Load())
		}
		<-d.Done()
	}
}

// TestDeferredAccessLog: a deferred request has one line, when it is answered or its client has left, of the request as it was.
func TestDeferredAccessLog(t *testing.T) {
	l := newLot()
	var log bytes.Buffer
	s := serve(t, server.Config{Loops: 1, Application: l.application(), AccessLog: &log, AccessLogFormat: accesslog.Combined})
	for i, end := range []func(app.Deferred){
		func(d app.Deferred) { _ = d.Answer(response("answer")) },
		func(d app.Deferred) { _ = d.Start("202 Accepted", nil); _, _ = d.Write([]byte("abc")); _ = d.Close() },
		func(d app.Deferred) { d.Abort(app.ErrAbort) },
		nil,
	} {
		c := s.dial()
		send(t, c, fmt.Sprintf("GET /defer?%d HTTP/1.1\r\nHost: a\r\nUser-Agent: agent %d\r\n\r\n", i, i))
		d := l.take(t)
		elsewhere(t, s)
		if end != nil {
			end(d)
		} else {
			_ = c.Close()
		}
		<-d.Done()
	}
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`"GET /defer?0 HTTP/1.1" 200 6 "-" "agent 0"`,
		`"GET /defer?1 HTTP/1.1" 202 3 "-" "agent 1"`,
		`"GET /defer?2 HTTP/1.1" - - "-" "agent 2"`,
		`"GET /defer?3 HTTP/1.1" - - "-" "agent 3"`,
	} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("no line, or several: %s", want)
		}
	}
	if n := strings.Count(log.String(), "/defer?"); n != 4 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}
