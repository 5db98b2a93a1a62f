package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain: the runner starts itself as a load generator, and the test starts itself as a server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			os.Exit(child(os.Args[2:]))
		}
		if os.Args[1] == "test-server" {
			os.Exit(serveTest(os.Args[2], os.Args[3], os.Args[4]))
		}
	}
	os.Exit(m.Run())
}

// serveTest answers as a server should, or with "breaks", as it should for so many requests.
func serveTest(port, manner, count string) int {
	good, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var asked atomic.Int64
	err = http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if manner == "breaks" && asked.Add(1) > good {
			http.Error(w, "no more", http.StatusServiceUnavailable)
			return
		}
		rightHandler(w, r)
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

const testServerEntry = `
name = %q
kind = "go"
find.program = %q
start.command = ["{binary}", "test-server", "{port}", %q, "1000"]
start.ready = "/plaintext"
[version]
command = ["echo", "test 1"]
[routes]
plaintext = "/plaintext"
json = "/json"
sleep = "/sleep"
`

// TestRun measures small servers of its own from beginning to end: one is right, one breaks after a thousand requests, one is not there.
func TestRun(t *testing.T) {
	runtime.LockOSThread() // see start
	defer runtime.UnlockOSThread()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	registry, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for _, c := range []struct{ name, program, manner string }{{"right", self, "right"}, {"broken", self, "breaks"}, {"absent", "/nowhere/server", "right"}} {
		text := fmt.Sprintf(testServerEntry, c.name, c.program, c.manner)
		if err := os.WriteFile(filepath.Join(registry, c.name+".toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err = runCommand(context.Background(), strings.Fields("-registry "+registry+" -servers right,broken,absent -load go"+
		" -cases json,blocking -rounds 1 -duration 1s -out "+out))
	if err == nil || !strings.Contains(err.Error(), "FAILED") {
		t.Errorf("got %v", err)
	}
	r, err := readResults(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Servers) != 2 || len(r.Missing) != 1 || r.Missing[0].Name != "absent" || r.Servers[0].Version != "test 1" {
		t.Errorf("servers %+v, missing %+v", r.Servers, r.Missing)
	}
	if len(r.Runs) != 4 {
		t.Fatalf("%d runs", len(r.Runs))
	}
	for _, run := range r.Runs {
		if run.Server == "broken" {
			if !strings.Contains(run.FailedWith, "503") {
				t.Errorf("the broken one: %+v", run)
			}
			continue
		}
		if run.FailedWith != "" || run.Load.Requests == 0 || run.CPUPer <= 0 || run.Load.P99 <= 0 {
			text, _ := json.Marshal(run)
			t.Errorf("the right one: %s", text)
		}
		if run.Case == "blocking" && (run.Load.Rate == nil || run.Load.Rate.Blocking != 50 || run.Load.Requests != mixedRate) {
			t.Errorf("the right one: %+v", run.Load)
		}
	}
	for _, name := range []string{"report.md", "report.html"} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || !strings.Contains(string(text), "absent") || !strings.Contains(string(text), "FAILED") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTrickle: each slow client begins a request and does not end it.
func TestTrickle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stop, err := trickle(l.Addr().String(), 3)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		const begin = "GET /plaintext HTTP/1.1\r\nHost: "
		head := make([]byte, len(begin)+len(l.Addr().String())+len("\r\nX-Slow: x"))
		if _, err := io.ReadFull(conn, head); err != nil || !strings.HasPrefix(string(head), begin) || !strings.HasSuffix(string(head), ": x") {
			t.Errorf("got %q, %v", head, err)
		}
	}
	stop()
	if _, err := trickle("127.0.0.1:1", 1); err == nil {
		t.Error("nobody listens: no error")
	}
}

func TestDispatch(t *testing.T) {
	for line, want := range map[string]int{"": exitUsage, "help": 0, "-h": 0, "run -h": 0, "longpoll -h": 0, "handover -h": 0, "python -h": 0, "longpoll -cases x": exitUsage, "handover -x": exitUsage, "compare -h": 0, "report -h": 0, "list -h": 0, "nonsense": exitUsage, "-nonsense": exitUsage,
		"run more": exitUsage, "compare one": exitUsage, "report": exitUsage, "report /nowhere": exitFailed, "list more": exitUsage} {
		if got := dispatch(strings.Fields(line)); got != want {
			t.Errorf("%q: got %d, want %d", line, got, want)
		}
	}
}
