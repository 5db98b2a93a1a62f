package ws_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

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

// TestBlocking: a handler that blocks does not stop its loop, gets its messages in order, one at a time, and they are not changed under it.
func TestBlocking(t *testing.T) {
	const blockers, messages = 4, 30
	s := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		if environ.Get("PATH_INFO") == "/plain" {
			start("200 OK", nil)
			return app.String("plain")
		}
		var inside atomic.Int32
		return websocket.Upgrade(environ, start, websocket.Funcs{
			OnOpen: func(websocket.Conn) { time.Sleep(5 * time.Millisecond) },
			OnMessage: func(c websocket.Conn, kind websocket.Kind, data []byte) {
				if inside.Add(1) != 1 {
					_ = c.Close(4000, "two at a time")
				}
				before := string(data)
				_, _ = c.Send(kind, []byte("before"))
				time.Sleep(5 * time.Millisecond)
				if string(data) != before {
					_ = c.Close(4000, "the view has changed")
				}
				_, _ = c.Send(kind, data)
				inside.Add(-1)
			},
		})
	}, func(c *server.Config) { c.Loops = 1 })

	var group sync.WaitGroup
	for i := range blockers {
		c, in := s.open(t, "")
		group.Go(func() {
			var out []byte
			for n := range messages {
				out = append(out, octets(t, fmt.Sprintf(`c text "%d of %d"`, n, i))...)
				out = append(out, octets(t, fmt.Sprintf(`c text- "%d in "`, n))...)
				out = append(out, octets(t, `c cont "parts"`)...)
			}
			if _, err := c.Write(out); err != nil {
				t.Error(err)
			}
			for n := range messages {
				for _, want := range []string{fmt.Sprintf("%d of %d", n, i), fmt.Sprintf("%d in parts", n)} {
					for _, text := range []string{"before", want} {
						f, err := ws.ReadFrame(in)
						if err != nil || string(f.Payload) != text {
							t.Errorf("%q, want %q: %v", f.Payload, text, err)
							return
						}
					}
				}
			}
			if _, err := c.Write(octets(t, "c close 1000")); err != nil {
				t.Error(err)
			}
			if f, err := ws.ReadFrame(in); err != nil || f.Header.OpCode != ws.OpClose || string(f.Payload) != "\x03\xe8" {
				t.Errorf("%v %q %v", f.Header, f.Payload, err)
			}
		})
	}
	c := s.dial(t)
	in := bufio.NewReader(c)
	for range 50 { // meanwhile
		if _, err := io.WriteString(c, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(readResponse(t, in).Body); err != nil || string(content) != "plain" {
			t.Fatal(string(content), err)
		}
	}
	group.Wait()
}

// TestBlockedForEver: the loop does without a handler that does not return, its client's end is told when it does.
func TestBlockedForEver(t *testing.T) {
	r := newRecorder()
	release := make(chan struct{})
	r.OnMessage = func(c websocket.Conn, kind websocket.Kind, data []byte) {
		if string(data) == "block" {
			<-release
		}
		_, _ = c.Send(kind, data)
	}
	s := serve(t, r.application(websocket.Upgrader{PingInterval: 20 * time.Millisecond, PongTimeout: 20 * time.Millisecond}),
		func(c *server.Config) { c.Loops = 1 })
	blocked, in := s.open(t, "")
	say(t, blocked, `c text "block"`, `c text "next"`)
	gone, _ := s.open(t, "")
	say(t, gone, `c text "block"`)
	_ = gone.(*net.TCPConn).SetLinger(0)
	_ = gone.Close()
	other, of := s.open(t, "")
	say(t, other, `c text "here"`)
	expect(t, of, `s text "here"`)
	close(release)
	expectSkippingPings(t, in, `s text "block"`)
	expectSkippingPings(t, in, `s text "next"`)
	say(t, blocked, "c close 1000")
	expectSkippingPings(t, in, "s close 1000")
	r.end(t, "1006 ")
}

func expectSkippingPings(t *testing.T, in *bufio.Reader, line string) {
	t.Helper()
	for {
		b, err := in.Peek(1)
		if err != nil {
			t.Fatal(line, err)
		}
		if b[0] != 0x89 {
			expect(t, in, line)
			return
		}
		if _, err := ws.ReadFrame(in); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGoexit: a handler that ends its goroutine closes its connection with 1011, and the loop goes on.
func TestGoexit(t *testing.T) {
	s := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		return websocket.Upgrade(environ, start, websocket.Funcs{OnMessage: func(_ websocket.Conn, _ websocket.Kind, data []byte) {
			if strings.HasPrefix(string(data), "slow") {
				time.Sleep(20 * time.Millisecond)
			}
			if strings.HasSuffix(string(data), "exit") {
				runtime.Goexit()
			}
			panic("asked for")
		}})
	}, func(c *server.Config) { c.Loops = 1 })
	for _, how := range []string{"exit", "panic", "slow exit", "slow panic"} {
		c, in := s.open(t, "")
		say(t, c, `c text "`+how+`"`)
		expect(t, in, "s close 1011")
		expect(t, in, "s end")
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

// TestSend: any goroutine may send, messages of one keep their order, and a client that reads slowly gets them all.
func TestSend(t *testing.T) {
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{MaxUnsent: 100 << 20}))
	_, in := s.open(t, "")
	c := r.conn(t)
	prepared, err := websocket.Prepare(websocket.Binary, slices.Repeat([]byte("p"), 100_000))
	if err != nil {
		t.Fatal(err)
	}
	const senders, messages = 4, 200
	for i := range senders {
		go func() {
			for n := range messages {
				if _, err := c.Send(websocket.Text, fmt.Appendf(nil, "%d %d", i, n)); err != nil {
					t.Error(err)
				}
				if n%20 == 0 {
					if _, err := c.SendPrepared(prepared); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	next := [senders]int{}
	for range senders * (messages + messages/20) {
		f, err := ws.ReadFrame(in)
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode == ws.OpBinary {
			if len(f.Payload) != 100_000 || strings.Trim(string(f.Payload), "p") != "" {
				t.Fatal("the prepared message is another one")
			}
			continue
		}
		var i, n int
		if _, err := fmt.Sscan(string(f.Payload), &i, &n); err != nil || n != next[i] {
			t.Fatalf("%q: %v", f.Payload, err)
		}
		next[i]++
	}
	for _, wrong := range []struct {
		kind websocket.Kind
		data string
	}{{websocket.Text, "\xff"}, {0, ""}, {9, "ping"}} {
		if _, err := c.Send(wrong.kind, []byte(wrong.data)); !errors.Is(err, websocket.ErrMessage) {
			t.Errorf("%v: %v", wrong, err)
		}
		if _, err := websocket.Prepare(wrong.kind, []byte(wrong.data)); !errors.Is(err, websocket.ErrMessage) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	for code, reason := range map[websocket.Code]string{0: "", 999: "", 1005: "", 1006: "", 1015: "", 5000: "", 1000: strings.Repeat("x", 124), 1001: "\xff"} {
		if err := c.Close(code, reason); !errors.Is(err, websocket.ErrMessage) {
			t.Errorf("Close(%v, %q): %v", code, reason, err)
		}
	}
}

// TestSlowClient: what waits for a client is bounded, the sender is told, and again when there is room.
func TestSlowClient(t *testing.T) {
	const limit = 1 << 20
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{MaxUnsent: limit}))
	_, in := s.open(t, "")
	c := r.conn(t)
	drained := make(chan struct{}, 1)
	c.Watch(&watcher{drained: func() {
		select {
		case drained <- struct{}{}:
		default:
		}
	}})
	data := make([]byte, 10_000)
	sent := 0
	for {
		unsent, err := c.Send(websocket.Binary, data)
		if errors.Is(err, websocket.ErrFull) {
			break
		}
		if err != nil || unsent > limit {
			t.Fatal(unsent, err)
		}
		if sent++; sent > 100_000 { // a gigabyte
			t.Fatal("the client takes it all, unread")
		}
	}
	for range sent {
		if f, err := ws.ReadFrame(in); err != nil || len(f.Payload) != len(data) {
			t.Fatal(f.Header, err)
		}
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("Drained was not called")
	}
	if _, err := c.Send(websocket.Text, []byte("again")); err != nil {
		t.Error(err)
	}
	expect(t, in, `s text "again"`)
}

// TestPreparedIsShared: slow clients do not have a copy each of a large message that they share.
func TestPreparedIsShared(t *testing.T) {
	const n, size = 40, 8 << 20
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{}))
	var ins []*bufio.Reader
	var conns []websocket.Conn
	for range n {
		_, in := s.open(t, "")
		ins, conns = append(ins, in), append(conns, r.conn(t))
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	prepared, err := websocket.Prepare(websocket.Binary, make([]byte, size))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		if _, err := c.SendPrepared(prepared); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range ins {
		if _, err := in.Peek(1); err != nil { // it has been written as far as there is room
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > size+n*(512<<10) {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	for _, in := range ins {
		if f, err := ws.ReadFrame(in); err != nil || len(f.Payload) != size {
			t.Fatal(f.Header, err)
		}
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

// TestStalled: a client that takes nothing is cut off, one that sends without reading is not read.
func TestStalled(t *testing.T) {
	r := newRecorder()
	var got atomic.Int64
	r.OnMessage = func(c websocket.Conn, kind websocket.Kind, data []byte) {
		got.Add(int64(len(data)))
		_, _ = c.Send(kind, data)
	}
	s := serve(t, r.application(websocket.Upgrader{}), func(c *server.Config) { c.WriteTimeout = 500 * time.Millisecond })
	c, _ := s.open(t, "")
	frame := octets(t, "c binary x*60000")
	var written int64
	for {
		n, err := c.Write(frame)
		written += int64(n)
		if err != nil {
			break
		}
		if written > 1<<30 {
			t.Fatal("the server reads a gigabyte that nobody takes back")
		}
	}
	r.end(t, "1006 ")
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

// TestManyBlocked: beyond MaxBlocking calls a connection whose path is known to block is closed with 1013.
func TestManyBlocked(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	s := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		return websocket.Upgrade(environ, start, websocket.Funcs{OnMessage: func(_ websocket.Conn, _ websocket.Kind, data []byte) {
			if string(data) == "learn" {
				time.Sleep(10 * time.Millisecond)
				return
			}
			<-release
		}})
	}, func(c *server.Config) { c.Loops, c.MaxBlocking = 1, 2 })
	c, in := s.open(t, "")
	for range 20 {
		say(t, c, `c text "learn"`)
	}
	say(t, c, `c ping "learned"`)
	expect(t, in, `s pong "learned"`)
	refused := make(chan struct{}, 10)
	for range 10 { // the upgrade runs on a goroutine, too
		go func() {
			c, err := net.Dial("tcp", s.Addresses()[0])
			if err != nil {
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, handshake("")+string(octets(t, `c text "block"`)))
			answer, _ := io.ReadAll(io.LimitReader(c, 1<<16))
			if text := string(answer); strings.HasPrefix(text, "HTTP/1.1 503") || strings.Contains(text, "\x03\xf5too many calls") {
				refused <- struct{}{}
			}
		}()
	}
	for range 8 {
		select {
		case <-refused:
		case <-time.After(patience):
			t.Fatal("those beyond MaxBlocking are not refused")
		}
	}
}
