package h1_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/h1"
	"github.com/weirhttp/weir/server/settings"
)

// patience is how long a test waits for what a goroutine does. It is met long before, on slow machines too.
const patience = 20 * time.Second

// house is a loop that is not started: the test's goroutine is the loop's.
type house struct {
	t        testing.TB
	reactor  *loop.Reactor
	loop     *loop.Loop
	config   *h1.Config
	protocol *h1.Protocol
	logs     bytes.Buffer
}

func newHouse(t testing.TB, application app.Application, change func(*h1.Config)) *house {
	t.Helper()
	reactor, err := loop.New(loop.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // frees the poller
		reactor.Start()
		reactor.Stop()
	})
	h := &house{t: t, reactor: reactor, loop: reactor.Loops()[0]}
	h.config = &h1.Config{Server: "weir", Protocol: settings.Protocol{
		Application:   application,
		Exchange:      &exchange.Config{Log: slog.New(slog.DiscardHandler), MaxBlocking: 100},
		Limits:        httpparse.DefaultLimits(),
		ContentBuffer: 64 << 10,
	}}
	h.config.Exchange.Gateway.Errors = &h.logs
	if change != nil {
		change(h.config)
	}
	h.protocol = h1.New(h.config, h.loop)
	return h
}

// client is the far end of a connection in memory to a server that runs in the test's goroutine.
type client struct {
	*loop.Memory
	house   *house
	handler loop.Handler
	out     bytes.Buffer
	room    int // octets that the client takes before it stops reading; < 0: all
}

func (h *house) dial() *client {
	c := &client{house: h, handler: h.protocol.NewConn(), room: -1}
	c.Memory = h.loop.Connect(c.handler, loop.NewMemoryListener("127.0.0.1", 8000), c.take)
	return c
}

// dial connects a client to application, on a loop of its own.
func dial(t testing.TB, application app.Application, change func(*h1.Config)) *client {
	t.Helper()
	return newHouse(t, application, change).dial()
}

func (c *client) take(p []byte) int {
	n := len(p)
	if c.room >= 0 {
		n = min(n, c.room)
		c.room -= n
	}
	c.out.Write(p[:n])
	return n
}

// isOpen tells whether the server still takes requests on the connection.
func (c *client) isOpen() bool { return c.handler.(interface{ IsOpen() bool }).IsOpen() }

// unsent is how many octets the server keeps for the client.
func (c *client) unsent() int { return c.handler.(interface{ Unsent() int }).Unsent() }

// event calls one of the handler's methods as the loop does.
func (c *client) event(f func()) {
	c.house.loop.Post(func(any) { f() }, nil)
	c.house.loop.RunPosted()
}

func (c *client) timeout() { c.event(c.handler.Timeout) }

// until runs the loop until done, and tells whether it came to that.
func (h *house) until(done func() bool) bool {
	deadline := time.Now().Add(patience)
	for {
		h.loop.RunPosted()
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// text is s over and over, n octets of it.
func text(s string, n int) []byte {
	return bytes.Repeat([]byte(s), n/len(s)+1)[:n]
}
