package handover

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/program"
)

// The test program is also weir and wrk: it is started again with the arguments that these get.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "demo":
			fmt.Println(http.ListenAndServe(os.Args[3], newStandIn(os.Getenv("STANDIN_FAULT"))))
			os.Exit(program.Failed)
		case "-t2":
			os.Exit(standInWrk(os.Args[1:]))
		}
	}
	os.Exit(m.Run())
}

// standInWrk makes some requests and prints what wrk prints. As wrk it goes on without its script.
func standInWrk(args []string) int {
	var url string
	for i, arg := range args {
		if strings.HasPrefix(arg, "http://") {
			url = arg
		}
		if arg == "-s" {
			if _, err := os.Stat(args[i+1]); err != nil {
				fmt.Fprintln(os.Stderr, "cannot open", args[i+1])
			}
		}
	}
	const count = 50
	for range count {
		response, err := http.Get(url)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return program.Failed
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	fmt.Printf("     50%%  148.00us\n     99%%    3.68ms\n  %d requests in 1.00s, 1KB read\nRequests/sec:      %d.00\n", count, count)
	if os.Getenv("STANDIN_WRK") == "errors" {
		fmt.Println("  Non-2xx or 3xx responses: 3")
	}
	return 0
}

// newStandIn has the routes of weir demo, and a fault when it is told to: "wrong" and "die" after some requests; "sleep" and
// "spin" that say something else; "stall", where all wait for a call that sleeps, as on a loop without a hand-over.
func newStandIn(fault string) http.Handler {
	var (
		mux   = http.NewServeMux()
		count atomic.Int64
		gate  sync.RWMutex
	)
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		late := count.Add(1) > 60
		switch {
		case fault == "die" && late:
			fmt.Println("last words")
			os.Exit(program.Failed)
		case fault == "wrong" && late:
			fmt.Fprint(w, "Hello, Wrong!")
			return
		}
		gate.RLock()
		defer gate.RUnlock()
		fmt.Fprint(w, greeting)
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		if fault == "stall" {
			gate.Lock()
			defer gate.Unlock()
		}
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		if fault == "sleep" {
			ms++
		}
		fmt.Fprintf(w, "slept %d ms\n", ms)
	})
	mux.HandleFunc("GET /spin", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond) // the machine of a test may be busy enough
		if fault == "spin" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "looked at the clock 17 times in %d ms\n", ms)
	})
	return mux
}

// stallingServer answers like weir, and once does not for a while.
func stallingServer(t *testing.T, after int, stall time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var gate sync.RWMutex
	var count atomic.Int64
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if count.Add(1) == int64(after) {
			gate.Lock()
			time.Sleep(stall)
			gate.Unlock()
		}
		gate.RLock()
		defer gate.RUnlock()
		fmt.Fprint(w, greeting)
	})}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close() })
	return listener.Addr().String()
}
