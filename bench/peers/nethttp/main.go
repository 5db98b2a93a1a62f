// Command nethttp serves the cases with the standard library.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// mostBytes bounds GET /bytes.
const mostBytes = 1 << 20

var (
	hello = []byte("Hello, World!")
	block = []byte(strings.Repeat("0123456789abcdef", mostBytes/16))
)

func write(w http.ResponseWriter, kind string, content []byte) {
	header := w.Header()
	header.Set("Server", "net/http")
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content)
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8083", "address to listen on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		write(w, "text/plain", hello)
	})
	mux.HandleFunc("GET /json", func(w http.ResponseWriter, _ *http.Request) {
		message, err := json.Marshal(struct {
			Message string `json:"message"`
		}{"Hello, World!"})
		if err != nil {
			panic(err)
		}
		write(w, "application/json", message)
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		write(w, "application/octet-stream", content)
	})
	mux.HandleFunc("GET /bytes", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || n < 0 || n > mostBytes {
			http.Error(w, "n", http.StatusBadRequest)
			return
		}
		write(w, "application/octet-stream", block[:n])
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.FormValue("ms"))
		if err != nil || ms < 0 {
			http.Error(w, "ms", http.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		write(w, "text/plain", fmt.Appendf(nil, "slept %d ms\n", ms))
	})
	if err := http.ListenAndServe(*addr, mux); err != nil {
		fmt.Fprintln(os.Stderr, "net/http:", err)
		os.Exit(1)
	}
}
