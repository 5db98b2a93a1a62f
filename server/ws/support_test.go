package ws_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/server"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// running is a server that serves.
type running struct {
	*server.Server
	cancel context.CancelFunc
	ended  chan error
	once   sync.Once
	err    error
}

func serve(t testing.TB, application app.Application, change ...func(*server.Config)) *running {
	t.Helper()
	config := server.Config{
		Application: application, Bind: []string{"127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler),
		GracefulTimeout: patience, AcceptAtOnce: true,
	}
	for _, f := range change {
		f(&config)
	}
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Server: s, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what is open is cut off
		_ = s.Shutdown(ctx)
		_ = r.wait()
	})
	return r
}

func (r *running) wait() error {
	r.once.Do(func() {
		select {
		case r.err = <-r.ended:
		case <-time.After(patience):
			r.err = errors.New("Serve does not return")
		}
	})
	return r.err
}

func (r *running) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.Addresses()[0], patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// handshake is the request of RFC 6455 1.3. extra are more fields.
func handshake(extra string) string {
	return "GET /echo HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + extra + "\r\n"
}

// open opens a WebSocket.
func (r *running) open(t testing.TB, extra string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c := r.dial(t)
	if _, err := io.WriteString(c, handshake(extra)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	if response := readResponse(t, in); response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%v %v", response.Status, response.Header)
	}
	return c, in
}

func readResponse(t testing.TB, in *bufio.Reader) *http.Response {
	t.Helper()
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// echo answers with what it is sent. "close 4001 why" has it close, "panic" panic.
func echo(u *websocket.Upgrader) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		return u.Upgrade(environ, start, websocket.Funcs{OnMessage: func(c websocket.Conn, kind websocket.Kind, data []byte) {
			switch what, rest, _ := strings.Cut(string(data), " "); {
			case what == "close" && kind == websocket.Text:
				number, why, _ := strings.Cut(rest, " ")
				code, _ := strconv.Atoi(number)
				_ = c.Close(websocket.Code(code), why)
			case what == "panic":
				panic("asked for")
			default:
				_, _ = c.Send(kind, data)
			}
		}})
	}
}

// until waits for a condition.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
