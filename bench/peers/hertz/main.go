// Command hertz serves the cases with github.com/cloudwego/hertz, on netpoll.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network/netpoll"
)

// mostBytes bounds GET /bytes.
const mostBytes = 1 << 20

var (
	hello = []byte("Hello, World!")
	block = []byte(strings.Repeat("0123456789abcdef", mostBytes/16))
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8084", "address to listen on")
	flag.Parse()
	hlog.SetOutput(io.Discard)

	h := server.New(server.WithHostPorts(*addr), server.WithTransport(netpoll.NewTransporter),
		server.WithMaxRequestBodySize(2*mostBytes), server.WithExitWaitTime(0))
	h.GET("/plaintext", func(_ context.Context, c *app.RequestContext) {
		c.Data(200, "text/plain", hello)
	})
	h.GET("/json", func(_ context.Context, c *app.RequestContext) {
		message, err := json.Marshal(struct {
			Message string `json:"message"`
		}{"Hello, World!"})
		if err != nil {
			panic(err)
		}
		c.Data(200, "application/json", message)
	})
	h.POST("/echo", func(_ context.Context, c *app.RequestContext) {
		c.Data(200, "application/octet-stream", c.Request.Body())
	})
	h.GET("/bytes", func(_ context.Context, c *app.RequestContext) {
		n, err := strconv.Atoi(c.Query("n"))
		if err != nil || n < 0 || n > mostBytes {
			c.SetStatusCode(400)
			return
		}
		c.Data(200, "application/octet-stream", block[:n])
	})
	h.GET("/sleep", func(_ context.Context, c *app.RequestContext) {
		ms, err := strconv.Atoi(c.Query("ms"))
		if err != nil || ms < 0 {
			c.SetStatusCode(400)
			return
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		c.Data(200, "text/plain", []byte("slept "+strconv.Itoa(ms)+" ms\n"))
	})
	h.Spin()
}
