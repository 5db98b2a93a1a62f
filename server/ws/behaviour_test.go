package ws_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/server"
)

// recorder is a handler that keeps what it is told.
type recorder struct {
	websocket.Funcs
	conns chan websocket.Conn
	ends  chan string
}

func newRecorder() *recorder {
	return &recorder{conns: make(chan websocket.Conn, 100), ends: make(chan string, 100)}
}

func (r *recorder) Open(c websocket.Conn) { r.Funcs.Open(c); r.conns <- c }
func (r *recorder) Close(c websocket.Conn, code websocket.Code, reason string) {
	r.Funcs.Close(c, code, reason)
	r.ends <- fmt.Sprint(code, " ", reason)
}

func (r *recorder) application(u websocket.Upgrader) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body { return u.Upgrade(environ, start, r) }
}

func (r *recorder) conn(t *testing.T) websocket.Conn {
	t.Helper()
	select {
	case c := <-r.conns:
		return c
	case <-time.After(patience):
		t.Fatal("Open was not called")
		return nil
	}
}

func (r *recorder) end(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-r.ends:
		if got != want {
			t.Errorf("Close is told %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatal("Close was not called")
	}
}

func say(t *testing.T, c net.Conn, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if _, err := c.Write(octets(t, line)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCloseIsTold: Close is called once, with what has ended the connection.
func TestCloseIsTold(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, c net.Conn, of websocket.Conn)
		want string
	}{
		{"the client's code", func(t *testing.T, c net.Conn, _ websocket.Conn) { say(t, c, `c close 4002 "bye"`) }, "4002 bye"},
		{"no code", func(t *testing.T, c net.Conn, _ websocket.Conn) { say(t, c, "c close") }, "1005 "},
		{"the client leaves", func(t *testing.T, c net.Conn, _ websocket.Conn) { _ = c.Close() }, "1006 "},
		{"the client is cut off", func(t *testing.T, c net.Conn, _ websocket.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}, "1006 "},
		{"the client's sending ends", func(t *testing.T, c net.Conn, _ websocket.Conn) { _ = c.(*net.TCPConn).CloseWrite() }, "1006 "},
		{"in the middle of a message", func(t *testing.T, c net.Conn, _ websocket.Conn) {
			say(t, c, `c text- "never"`, "raw 81ff")
			_ = c.(*net.TCPConn).CloseWrite()
		}, "1006 "},
		{"the protocol is broken", func(t *testing.T, c net.Conn, _ websocket.Conn) { say(t, c, `c op3 ""`) }, "1002 use of reserved op code"},
		{"the application closes", func(t *testing.T, c net.Conn, of websocket.Conn) {
			if err := of.Close(4003, "enough"); err != nil {
				t.Error(err)
			}
			if err := of.Close(4004, "more than enough"); !errors.Is(err, app.ErrGone) {
				t.Error(err)
			}
			say(t, c, "c close 4003")
		}, "4003 enough"},
		{"the application closes, the client leaves", func(t *testing.T, c net.Conn, of websocket.Conn) {
			_ = of.Close(websocket.CodeNormal, "")
			_ = c.Close()
		}, "1000 "},
		{"the application closes, and nobody answers", func(t *testing.T, _ net.Conn, of websocket.Conn) { _ = of.Close(4005, "") }, "4005 "},
		{"the message does not come whole", func(t *testing.T, c net.Conn, _ websocket.Conn) { say(t, c, `c text- "one"`) }, "1008 the message took too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder()
			s := serve(t, r.application(websocket.Upgrader{CloseTimeout: 50 * time.Millisecond, MessageTimeout: 300 * time.Millisecond}))
			c, _ := s.open(t, "")
			of := r.conn(t)
			left := make(chan struct{})
			of.Watch(&watcher{left: func() { close(left) }})
			test.end(t, c, of)
			r.end(t, test.want)
			<-left
			if _, err := of.Send(websocket.Text, []byte("late")); !errors.Is(err, app.ErrGone) {
				t.Errorf("Send returns %v", err)
			}
			select {
			case more := <-r.ends:
				t.Errorf("Close is called again: %s", more)
			default:
			}
		})
	}
}

type watcher struct{ left, drained func() }

func (w *watcher) Left() {
	if w.left != nil {
		w.left()
	}
}

func (w *watcher) Drained() {
	if w.drained != nil {
		w.drained()
	}
}

// TestIdle: sockets that are idle have no goroutines.
func TestIdle(t *testing.T) {
	s := serve(t, echo(&websocket.Upgrader{}))
	c, in := s.open(t, "")
	before := runtime.NumGoroutine()
	for range 200 {
		c, in := s.open(t, "")
		say(t, c, `c text "hello"`)
		expect(t, in, `s text "hello"`)
	}
	say(t, c, `c text "hello"`)
	expect(t, in, `s text "hello"`)
	if n := runtime.NumGoroutine() - before; n > 5 {
		t.Errorf("200 sockets have %d goroutines", n)
	}
}

// TestAccessLog: an upgrade has its line, when it is answered.
func TestAccessLog(t *testing.T) {
	var log strings.Builder
	s := serve(t, echo(&websocket.Upgrader{}), func(c *server.Config) { c.AccessLog = &log })
	c, in := s.open(t, "")
	say(t, c, "c close 1000")
	expect(t, in, "s close 1000")
	_ = c.Close()
	s.cancel()
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), `"GET /echo HTTP/1.1" 101 `) {
		t.Errorf("%d lines: %s", lines, log.String())
	}
}

// TestPing: a silent client is pinged, lives as long as it answers, and is closed when it does not.
func TestPing(t *testing.T) {
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{PingInterval: 30 * time.Millisecond, PongTimeout: 10 * time.Second}))
	c, in := s.open(t, "")
	for range 5 {
		expect(t, in, "s ping")
		say(t, c, "c pong")
	}
	say(t, c, "c close 1000")
	expectSkippingPings(t, in, "s close 1000")
	r.end(t, "1000 ")

	r = newRecorder()
	s = serve(t, r.application(websocket.Upgrader{PingInterval: 30 * time.Millisecond, PongTimeout: 30 * time.Millisecond}))
	_, in = s.open(t, "")
	expect(t, in, "s ping")
	expect(t, in, "s close 1011")
	expect(t, in, "s end")
	r.end(t, "1011 the ping was not answered")
}

// TestShutdown: a server that ends closes its sockets with 1001, behind what was sent, and waits for their answers.
func TestShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{}))
	const n = 20
	var clients []net.Conn
	var ins []*bufio.Reader
	for range n {
		c, in := s.open(t, "")
		clients, ins = append(clients, c), append(ins, in)
		if _, err := r.conn(t).Send(websocket.Text, []byte("last")); err != nil {
			t.Fatal(err)
		}
	}
	s.cancel()
	for i, in := range ins {
		expect(t, in, `s text "last"`)
		expect(t, in, "s close 1001")
		say(t, clients[i], "c close 1001")
		expect(t, in, "s end")
		_ = clients[i].Close()
	}
	if err := s.wait(); err != nil {
		t.Errorf("Serve returns %v", err)
	}
	for range n {
		r.end(t, "1001 the server ends")
	}
	until(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestStop: where the end is not waited for, Close is called all the same.
func TestStop(t *testing.T) {
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{CloseTimeout: -1}))
	_, in := s.open(t, "")
	r.conn(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown does not tell that a connection was cut off")
	}
	expect(t, in, "s close 1001")
	r.end(t, "1001 the server ends")
}
