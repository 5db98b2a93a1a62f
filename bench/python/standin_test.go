package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// The test program is also weir, wrk and Python: it is started again with the arguments that these get.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "run":
			addr := os.Args[slices.Index(os.Args, "-b")+1]
			fmt.Println(http.ListenAndServe(addr, newStandIn(os.Getenv("STANDIN_FAULT"))))
			os.Exit(exitFailed)
		case "-t2":
			os.Exit(standInWrk(os.Args[len(os.Args)-1]))
		case "-B":
			fmt.Println("2.5")
			os.Exit(0)
		case "-c": // nothing can be imported
			os.Exit(exitFailed)
		}
	}
	os.Exit(m.Run())
}

// standInWrk makes some requests and prints what wrk prints.
func standInWrk(url string) int {
	const count = 20
	for range count {
		response, err := http.Get(url)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return exitFailed
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	fmt.Printf("     50%%  148.00us\n     99%%    3.68ms\n  %d requests in 1.00s, 1KB read\nRequests/sec:      %d.00\n   99.9%%   4000us\n", count, count)
	if problem := os.Getenv("STANDIN_WRK"); problem != "" {
		fmt.Println("  " + problem)
	}
	return 0
}

// newStandIn answers as the applications do, and has a fault when it is told to: "wrong" and "die" after some requests.
func newStandIn(fault string) http.Handler {
	count := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		count++
		switch {
		case fault == "wrong" && count > 10:
			fmt.Fprint(w, "Hello, Wrong!")
		case fault == "die" && count > 10:
			fmt.Println("last words")
			os.Exit(exitFailed)
		default:
			fmt.Fprint(w, greeting)
		}
	})
	return mux
}

func smallOptions(t *testing.T, cases string, more ...string) *options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions(append([]string{"--weir", self, "--wrk", self, "--python", self, "--dir", "..", "--cases", cases,
		"--rounds", "2", "--seconds", "1"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	o.sizes = small
	return o
}

// standInRows are weir, and a peer that is the same program.
func standInRows(o *options) []row {
	weirRow := simple(weir, "", func(app, addr string) []string { return []string{o.weir, "run", app, "-b", addr} })
	peer := weirRow
	peer.name = gunicornSync
	return []row{weirRow, peer, {name: uwsgiRouter, missing: "not installed"}}
}

func oneLine(lines []string) string { return strings.Join(lines, "; ") }
