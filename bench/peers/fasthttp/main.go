// Command fasthttp serves the cases with github.com/valyala/fasthttp.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// mostBytes bounds GET /bytes.
const mostBytes = 1 << 20

var (
	hello = []byte("Hello, World!")
	block = []byte(strings.Repeat("0123456789abcdef", mostBytes/16))
)

func handle(ctx *fasthttp.RequestCtx) {
	switch string(ctx.Path()) {
	case "/plaintext":
		ctx.SetContentType("text/plain")
		ctx.Response.SetBodyRaw(hello)
	case "/json":
		message, err := json.Marshal(struct {
			Message string `json:"message"`
		}{"Hello, World!"})
		if err != nil {
			panic(err)
		}
		ctx.SetContentType("application/json")
		ctx.Response.SetBodyRaw(message)
	case "/echo":
		ctx.SetContentType("application/octet-stream")
		ctx.Response.SetBodyRaw(ctx.PostBody())
	case "/bytes":
		n, err := ctx.QueryArgs().GetUint("n")
		if err != nil || n > mostBytes {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		ctx.SetContentType("application/octet-stream")
		ctx.Response.SetBodyRaw(block[:n])
	case "/sleep":
		ms, err := ctx.QueryArgs().GetUint("ms")
		if err != nil {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		ctx.SetContentType("text/plain")
		fmt.Fprintf(ctx, "slept %d ms\n", ms)
	default:
		ctx.NotFound()
	}
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8082", "address to listen on")
	flag.Parse()

	server := &fasthttp.Server{Name: "fasthttp", Handler: handle}
	if err := server.ListenAndServe(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "fasthttp:", err)
		os.Exit(1)
	}
}
