package gateway_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/gateway"
	"github.com/weirhttp/weir/server/settings"
)

// patience is how long a test waits for what a goroutine does. It is met long before, on slow machines too.
const patience = 20 * time.Second

// house is a loop that is not started: the test's goroutine is the loop's.
type house struct {
	loop   *loop.Loop
	config *settings.Protocol
	calls  int // of tell
	left   int // deferred answers whose client has left
}

func newHouse(t testing.TB) *house {
	t.Helper()
	reactor, err := loop.New(loop.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // frees the poller
		reactor.Start()
		reactor.Stop()
	})
	h := &house{loop: reactor.Loops()[0]}
	h.config = &settings.Protocol{
		Application:   h.tell,
		Exchange:      &exchange.Config{Log: slog.New(slog.DiscardHandler), MaxBlocking: 100},
		Limits:        httpparse.DefaultLimits(),
		ContentBuffer: 64 << 10,
	}
	return h
}

// client is the far end of a connection in memory.
type client struct {
	*loop.Memory
	house   *house
	handler loop.Handler
	out     bytes.Buffer
}

func (h *house) dial(format gateway.Format) *client {
	c := &client{house: h, handler: gateway.New(h.config, format, h.loop).NewConn()}
	c.Memory = h.loop.Connect(c.handler, loop.NewMemoryListener("127.0.0.1", 8000), func(p []byte) int {
		c.out.Write(p)
		return len(p)
	})
	return c
}

func (c *client) isOpen() bool { return c.handler.(interface{ IsOpen() bool }).IsOpen() }

// event calls one of the handler's methods as the loop does.
func (c *client) event(f func()) {
	c.house.loop.Post(func(any) { f() }, nil)
	c.house.loop.RunPosted()
}

// until runs the loop until done, and tells whether it came to that.
func (h *house) until(done func() bool) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Microsecond) {
		h.loop.RunPosted()
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// watcher counts those who have left.
type watcher struct{ *house }

func (w watcher) Left()  { w.left++ }
func (watcher) Drained() {}

// tell answers with what the request is. What the path begins with makes it an answer of another kind.
func (h *house) tell(environ *app.Environ, start app.StartResponse) app.Body {
	h.calls++
	switch path := string(environ.Path()); {
	case strings.HasPrefix(path, "/parked"):
		d := environ.Defer()
		d.Watch(watcher{h})
		if path == "/parked/begun" {
			_ = d.Start("200 OK", nil)
			_, _ = d.Write([]byte("begun"))
		}
		return nil
	case path == "/chunks":
		start("200 OK", nil)
		return app.Seq(func(yield func([]byte) bool) {
			_ = yield([]byte("one")) && yield([]byte("two"))
		})
	case path == "/cut":
		start("200 OK", nil)
		return app.Seq(func(yield func([]byte) bool) {
			_ = yield([]byte("one"))
			panic(app.ErrAbort)
		})
	case path == "/short":
		start("200 OK", []app.Header{{Name: "Content-Length", Value: "5"}})
		return app.String("one")
	case path == "/empty":
		start("204 No Content", nil)
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%s][%s][%s]", environ.Method(), environ.Get("SCRIPT_NAME"), environ.Path(), environ.Query())
	for _, key := range []string{"REQUEST_URI", "wsgi.url_scheme", "SERVER_PROTOCOL", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "CONTENT_LENGTH", "CONTENT_TYPE"} {
		if v, ok := environ.Lookup(key); ok && v != map[string]string{
			"REQUEST_URI": string(environ.Path()), "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.0", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
		}[key] {
			fmt.Fprintf(&b, " %s=%s", key, v)
		}
	}
	var others []string
	seen := map[string]bool{}
	for name := range environ.Variables() {
		seen[string(name)] = true
	}
	for key, v := range environ.All() {
		if s, ok := v.(string); ok && (strings.HasPrefix(key, "HTTP_") || seen[key]) {
			others = append(others, fmt.Sprintf(" %s=%s", key, s))
		}
	}
	sort.Strings(others)
	b.WriteString(strings.Join(others, ""))
	content := make([]byte, 0, 64)
	buf := make([]byte, 7)
	for {
		n, err := environ.Input().Read(buf)
		content = append(content, buf[:n]...)
		if err != nil {
			if len(content) > 40 {
				content = fmt.Appendf(nil, "%d octets", len(content))
			}
			fmt.Fprintf(&b, " {%s} %v", content, err)
			break
		}
	}
	start("200 OK", []app.Header{{Name: "X", Value: "y"}})
	return app.String(b.String())
}
