// Command fasthttp serves the plaintext case with github.com/valyala/fasthttp.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/valyala/fasthttp"
)

var hello = []byte("Hello, World!")

func handle(ctx *fasthttp.RequestCtx) {
	if string(ctx.Path()) != "/plaintext" {
		ctx.NotFound()
		return
	}
	ctx.SetContentType("text/plain")
	ctx.Response.SetBodyRaw(hello)
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
