// Command nethttp serves the plaintext case with the standard library.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
)

var hello = []byte("Hello, World!")

func plaintext(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Server", "net/http")
	header.Set("Content-Type", "text/plain")
	header.Set("Content-Length", "13")
	w.Write(hello)
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8083", "address to listen on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", plaintext)
	if err := http.ListenAndServe(*addr, mux); err != nil {
		fmt.Fprintln(os.Stderr, "net/http:", err)
		os.Exit(1)
	}
}
