package python_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if _, err := exec.LookPath("python3"); err != nil {
		fmt.Fprintln(os.Stderr, "there is no python3: install Debian's package python3")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// record is a log that tests look into.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// hosted is a server whose application is a supervisor.
type hosted struct {
	*python.Supervisor
	t      testing.TB
	server *server.Server
	log    *record
	client *http.Client
}

// host serves testdata/apps/app.py until the test ends, at sockets too, and sees then that nothing is left.
func host(t testing.TB, options python.Options, sockets ...string) *hosted {
	t.Helper()
	h := &hosted{t: t, log: &record{}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	if options.App == "" {
		options.App = "app:app"
	}
	if options.Chdir == "" {
		options.Chdir = apps(t)
	}
	if options.Logger == nil {
		options.Logger = log
	}
	before := children(t)
	descriptors := openDescriptors(t)
	var err error
	if h.Supervisor, err = python.New(options); err != nil {
		t.Fatal(err)
	}
	bind := []string{"127.0.0.1:0"}
	for _, path := range sockets {
		bind = append(bind, "unix:"+path)
	}
	if h.server, err = server.New(server.Config{
		Application: h.Application, Bind: bind, Logger: log, Loops: 2, Inline: true,
	}); err != nil {
		_ = h.Close()
		t.Fatal(err)
	}
	h.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(ctx) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		h.eventually("no processes are left", func() bool { return len(children(t)) <= len(before) })
		h.eventually("descriptors are closed", func() bool { return openDescriptors(t) <= descriptors })
		if t.Failed() {
			t.Logf("log:\n%s", h.log)
		}
	})
	return h
}

func apps(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("testdata/apps")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// children are the processes of this one, zombies included.
func children(t testing.TB) (pids []string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Fatal("no /proc/self/task/*/children", err)
	}
	for _, path := range tasks {
		text, _ := os.ReadFile(path) // a thread may have ended
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// eventually waits until f is true.
func (h *hosted) eventually(what string, f func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("it did not come to this: %s\n%s", what, h.log)
		}
	}
}

// reply is an answer, read whole.
type reply struct {
	code   int
	header http.Header
	body   string
	err    error // with which the body ended
}

func (h *hosted) get(target string) reply {
	h.t.Helper()
	return h.do("GET", target, nil, nil)
}

func (h *hosted) do(method, target string, body io.Reader, header http.Header) reply {
	h.t.Helper()
	r, err := h.try(method, target, body, header)
	if err != nil {
		h.t.Fatalf("%s %s: %v\n%s", method, target, err, h.log)
	}
	return r
}

// try is do for any goroutine.
func (h *hosted) try(method, target string, body io.Reader, header http.Header) (reply, error) {
	request, err := http.NewRequest(method, "http://"+h.server.Addresses()[0]+target, body)
	if err != nil {
		return reply{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := h.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text), err}, nil
}

// want fails the test when the answer is another.
func (h *hosted) want(r reply, code int, body string) {
	h.t.Helper()
	if r.code != code || r.body != body || r.err != nil {
		h.t.Fatalf("got %d %q (%v), want %d %q\n%s", r.code, r.body, r.err, code, body, h.log)
	}
}

// leave sends a request, and returns what has its client leave.
func (h *hosted) leave(target string) (leave func()) {
	h.t.Helper()
	c, err := net.Dial("tcp", h.server.Addresses()[0])
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return func() { _ = c.Close() }
}

// read is the content of a file; "" when there is none.
func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}
