package h1_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/h1"
)

var (
	hello        = []byte("Hello, World!")
	plainHeaders = []app.Header{{Name: "Content-Type", Value: "text/plain"}}
)

func plaintext(environ *app.Environ, start app.StartResponse) app.Body {
	if string(environ.Path()) != "/plaintext" {
		start("404 Not Found", nil)
		return nil
	}
	start("200 OK", plainHeaders)
	return environ.Bytes(hello)
}

// client is the far end of a connection in memory to a server that runs in the test's goroutine.
type client struct {
	*loop.Memory
	loop *loop.Loop
	out  bytes.Buffer
	room int // octets that the client takes before it stops reading; < 0: all
}

// dial connects a client to application. The loop is not started: the caller is its goroutine.
func dial(t testing.TB, application app.Application, change func(*h1.Config)) *client {
	t.Helper()
	reactor, err := loop.New(loop.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	config := &h1.Config{
		Application:   application,
		Exchange:      &exchange.Config{Log: slog.New(slog.DiscardHandler), MaxBlocking: 100},
		Limits:        httpparse.DefaultLimits(),
		Server:        "weir",
		ContentBuffer: 64 << 10,
	}
	if change != nil {
		change(config)
	}
	c := &client{loop: reactor.Loops()[0], room: -1}
	p := h1.New(config, c.loop)
	c.Memory = c.loop.Connect(p.NewConn(), loop.NewMemoryListener("127.0.0.1", 8000), c.take)
	return c
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

func benchmarkPlaintext(b *testing.B, pipelined int) {
	request := bytes.Repeat([]byte("GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"), pipelined)
	c := dial(b, plaintext, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(request)
		c.out.Reset()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pipelined), "ns/request")
}

func BenchmarkPlaintext(b *testing.B)            { benchmarkPlaintext(b, 1) }
func BenchmarkPlaintextPipelined16(b *testing.B) { benchmarkPlaintext(b, 16) }
