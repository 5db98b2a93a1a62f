// Command fasthttp is a peer in the cases of abuse: github.com/valyala/fasthttp with its default settings.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/valyala/fasthttp"
)

var (
	hello = []byte("Hello, World!")
	block = []byte(strings.Repeat("0123456789abcdef", 4096))
)

func handle(ctx *fasthttp.RequestCtx) {
	switch string(ctx.Path()) {
	case "/plaintext":
		ctx.SetContentType("text/plain")
		ctx.Response.SetBodyRaw(hello)
	case "/bytes":
		n, err := ctx.QueryArgs().GetUint("n")
		if err != nil {
			ctx.Error("n must be a number", fasthttp.StatusBadRequest)
			return
		}
		ctx.SetContentType("application/octet-stream")
		ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
			for left := n; left > 0; left -= len(block) {
				if _, err := w.Write(block[:min(left, len(block))]); err != nil {
					return
				}
			}
		})
	default:
		ctx.NotFound()
	}
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8082", "address to listen on")
	flag.Parse()
	if err := fasthttp.ListenAndServe(*addr, handle); err != nil {
		fmt.Fprintln(os.Stderr, "fasthttp:", err)
		os.Exit(1)
	}
}
