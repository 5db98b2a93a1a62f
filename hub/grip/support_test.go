package grip_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/grip"
	"github.com/weirhttp/weir/server"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// key is that of all tests.
const key = "changeme"

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// weir is a server with GRIP, and the address for those who publish.
type weir struct {
	t       testing.TB
	address string
	control string
	proxy   *grip.Proxy
	hub     *hub.Hub
	stop    func()
}

// serve serves an application with GRIP around it.
func serve(t testing.TB, options grip.Options, application app.Application) *weir {
	t.Helper()
	return serveWith(t, hub.New(hub.Options{MaxMessage: 1_000_000}), options, application)
}

// serveWith is serve with a hub.
func serveWith(t testing.TB, topics *hub.Hub, options grip.Options, application app.Application) *weir {
	t.Helper()
	if options.Log == nil {
		options.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	proxy := grip.New(topics, options)
	s, err := server.New(server.Config{Bind: []string{"127.0.0.1:0"}, Loops: 2, Application: proxy.Application(application)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	control := httptest.NewServer(proxy.Publisher(false))
	w := &weir{t: t, address: s.Addresses()[0], control: control.URL, proxy: proxy, hub: topics}
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		control.Close()
		_ = topics.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(w.stop)
	return w
}

// handler serves an http.Handler with GRIP around it.
func handler(t testing.TB, h http.HandlerFunc) *weir {
	t.Helper()
	return serve(t, grip.Options{Key: []byte(key)}, nethttp.Application(h))
}

// publish publishes items, given as JSON.
func (w *weir) publish(items string) {
	w.t.Helper()
	r, err := http.Post(w.control+"/publish/", "application/json", strings.NewReader(`{"items":[`+items+`]}`))
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	if text, _ := io.ReadAll(r.Body); r.StatusCode != 200 {
		w.t.Fatalf("publish: %s %s", r.Status, text)
	}
}

// held waits until so many requests are held for a channel.
func (w *weir) held(t *testing.T, channel string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d requests held for %s", n, channel), func() bool { return w.proxy.Holds(channel) == n })
}

// client is a connection.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// dial connects and sends a request.
func dial(t *testing.T, address, request string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

// get sends a GET.
func (w *weir) get(t *testing.T, target string) *client {
	t.Helper()
	return dial(t, w.address, "GET "+target+" HTTP/1.1\nHost: example.com\n\n")
}

// response reads the head of the response.
func (c *client) response() *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// answer reads the response whole.
func (c *client) answer() (*http.Response, string) {
	c.t.Helper()
	r := c.response()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r, string(content)
}

// expect reads content until it ends with want.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, 0, len(want))
	for !bytes.HasSuffix(got, []byte(want)) {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			t.Fatalf("%v after %q, want %q", err, got, want)
		}
		got = append(got, b[0])
	}
	if string(got) != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}
