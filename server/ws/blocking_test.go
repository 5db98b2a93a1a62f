package ws_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
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
