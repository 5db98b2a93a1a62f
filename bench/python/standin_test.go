package python

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/program"
)

// The test program is also weir, wrk and Python: it is started again with the arguments that these get.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case crowd.Command:
			if err := crowd.Main(os.Args[2:]); err != nil {
				os.Exit(program.Tell("crowd", err))
			}
			os.Exit(0)
		case "run":
			worker := exec.Command("sleep", "60")
			worker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			runtime.LockOSThread() // with whose end it would end
			if err := worker.Start(); err != nil {
				fmt.Println(err)
				os.Exit(program.Failed)
			}
			addr := os.Args[slices.Index(os.Args, "-b")+1]
			fmt.Println(http.ListenAndServe(addr, newStandIn(os.Getenv("STANDIN_FAULT"))))
			os.Exit(program.Failed)
		case "-t2":
			os.Exit(standInWrk(os.Args[len(os.Args)-1]))
		case "-B":
			fmt.Println("2.5")
			os.Exit(0)
		case "version":
			fmt.Println("a stand-in")
			os.Exit(0)
		case "-c": // nothing can be imported
			os.Exit(program.Failed)
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
			return program.Failed
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

// newStandIn answers as the applications do, and has a fault when it is told to: "wrong" and "die" after some requests; "sleep", "up" and
// "down" with something else there; "hold" where nobody is held; "hang" where nothing is answered any more when there are idle clients.
func newStandIn(fault string) http.Handler {
	var (
		mu      sync.Mutex // guards what follows
		count   int
		arrived = make(chan struct{})
		waiting int
		message string
		id      int
	)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		count++
		switch {
		case fault == "hang" && r.Host == "idle":
			time.Sleep(time.Hour)
		case fault == "wrong" && count > 10:
			fmt.Fprint(w, "Hello, Wrong!")
		case fault == "die" && count > 10:
			fmt.Println("last words")
			os.Exit(program.Failed)
		default:
			fmt.Fprint(w, greeting)
		}
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * time.Millisecond)
		if fault == "sleep" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, greeting)
	})
	mux.HandleFunc("POST /up", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if fault == "up" {
			n--
		}
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("GET /down", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.URL.RawQuery, 10, 64)
		if fault == "down" {
			n--
		}
		w.Header().Set("Content-Length", fmt.Sprint(n))
		_, _ = io.CopyN(w, zeros{}, n)
	})
	mux.HandleFunc("GET /poll/{topic}", func(w http.ResponseWriter, r *http.Request) {
		if fault == "hold" {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		if r.PathValue("topic") == "probe" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		mu.Lock()
		mine := arrived
		waiting++
		mu.Unlock()
		<-mine
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, `{"id":%d,"data":%q}`, id, message)
	})
	mux.HandleFunc("POST /publish/{topic}", func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		id, message = id+1, string(content)
		fmt.Fprintf(w, `{"id":%d,"reached":%d}`, id, waiting)
		close(arrived)
		arrived, waiting = make(chan struct{}), 0
	})
	return mux
}

func smallOptions(t *testing.T, cases string, more ...string) *options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions(append([]string{"--weir", self, "--wrk", self, "--python", self, "--cases", cases,
		"--rounds", "2", "--seconds", "1"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	o.sizes = small
	return o
}

// gunicornSync is a peer.
const gunicornSync = "gunicorn sync"

// standInRows are weir, a peer that is the same program, and one that is missing.
func standInRows(o *options) (rows []row) {
	for _, name := range []string{weir, gunicornSync, "uwsgi http router"} {
		var r row
		r.Name, r.Binary = name, o.weir
		r.Start.Command = []string{"{binary}", "run", "{app}", "-b", "127.0.0.1:{port}"}
		rows = append(rows, r)
	}
	rows[2].missing = "not installed"
	return rows
}

func oneLine(lines []string) string { return strings.Join(lines, "; ") }
