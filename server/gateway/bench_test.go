package gateway_test

import (
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/gateway"
)

// BenchmarkRequest is a request as nginx sends it, and a small answer, without a socket; that of FastCGI on a connection that is kept.
func BenchmarkRequest(b *testing.B) {
	for name, format := range formats {
		b.Run(name, func(b *testing.B) {
			h := newHouse(b)
			h.config.Application = func(environ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return app.String("Hello")
			}
			protocol := gateway.New(h.config, format, h.loop)
			request := requestOf(format, "/hello")
			connect := func() *loop.Memory {
				return h.loop.Connect(protocol.NewConn(), loop.NewMemoryListener("127.0.0.1", 8000), func(p []byte) int { return len(p) })
			}
			b.ReportAllocs()
			c := connect()
			for b.Loop() {
				if c.Closed() {
					c = connect()
				}
				c.Feed(request)
			}
		})
	}
}
