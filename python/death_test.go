package python_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
)

// TestDeath: whatever ends a worker, the request that it was called for gets 502, and another worker comes.
func TestDeath(t *testing.T) {
	for _, path := range []string{"/exit", "/kill", "/segfault"} {
		t.Run(path, func(t *testing.T) {
			h := host(t, python.Options{})
			pid := h.get("/pid").body
			h.want(h.get(path), 502, "Bad Gateway\n")
			if again := h.get("/pid"); again.code != 200 || again.body == pid {
				t.Errorf("%+v, before it was %s", again, pid)
			}
			if died := h.Stats().Died; died != 1 {
				t.Errorf("%d have died", died)
			}
		})
	}
}

// TestDeathInStream: a response that has begun is cut off, not ended.
func TestDeathInStream(t *testing.T) {
	h := host(t, python.Options{})
	if r := h.get("/streamexit"); r.code != 200 || r.body != "begun" || r.err == nil {
		t.Errorf("%+v", r)
	}
	h.want(h.get("/"), 200, "Hello, World!")
}

// TestDeathLeavesOthers: a program that the application has started goes on when its worker ends, and what it prints is logged.
func TestDeathLeavesOthers(t *testing.T) {
	dir := t.TempDir()
	application := `import subprocess, os
def app(environ, start):
    if environ["PATH_INFO"] == "/spawn":
        subprocess.Popen(["sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.01; done; echo from it; echo > done"])
    if environ["PATH_INFO"] == "/exit":
        os._exit(3)
    start("200 OK", [])
    return [b"content"]
`
	if err := os.WriteFile(dir+"/spawning.py", []byte(application), 0o600); err != nil {
		t.Fatal(err)
	}
	h := host(t, python.Options{Chdir: dir, App: "spawning:app"})
	h.want(h.get("/spawn"), 200, "content")
	h.eventually("it runs", func() bool { return strings.Contains(h.log.String(), "begun") })
	h.want(h.get("/exit"), 502, "Bad Gateway\n")
	h.eventually("the worker's end is logged", func() bool { return strings.Contains(h.log.String(), "exit status 3") })
	h.want(h.get("/"), 200, "content")
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.eventually("it has ended", func() bool { _, err := os.Stat(dir + "/done"); return err == nil })
	h.eventually("what it has printed is logged", func() bool { return strings.Contains(h.log.String(), "from it") })
}

// TestDeathIdle: a worker that dies while nobody wants anything is replaced, and no request sees it.
func TestDeathIdle(t *testing.T) {
	h := host(t, python.Options{Workers: 2})
	for _, w := range h.Stats().Workers {
		if err := syscall.Kill(w.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	h.want(h.get("/"), 200, "Hello, World!")
	h.eventually("two workers", func() bool { return len(h.Stats().Workers) == 2 })
}

// marks is a file in which the application leaves a trace of each call.
type marks struct{ path string }

func newMarks(t *testing.T) marks { return marks{filepath.Join(t.TempDir(), "marks")} }

func (m marks) env() []string { return []string{"MARKS=" + m.path} }

// count tells how often the application was called for each mark.
func (m marks) count(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		calls[strings.TrimSpace(line)]++
	}
	return calls
}

// TestDeathSparesTheRest: requests that a dead worker had not begun are answered, and none is begun twice.
func TestDeathSparesTheRest(t *testing.T) {
	m := newMarks(t)
	h := host(t, python.Options{Env: m.env()})
	for range 20 { // so that its window is wide
		h.get("/")
	}
	var group sync.WaitGroup
	codes := make([]int, 64)
	for i := range codes {
		group.Go(func() {
			path := "/mark"
			if i%20 == 7 {
				path = "/markexit"
			}
			r, err := h.try("GET", fmt.Sprintf("%s?%d", path, i), nil, nil)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			codes[i] = r.code
		})
	}
	group.Wait()
	calls := m.count(t)
	answered := 0
	for i, code := range codes {
		if code == 200 {
			answered++
		}
		if n := calls[strconv.Itoa(i)]; n != 1 || code != 200 && code != 502 {
			t.Errorf("request %d was answered %d, after %d calls", i, code, n)
		}
	}
	t.Logf("%d of %d were answered", answered, len(codes))
}

// TestRetryIdempotent: a GET goes to another worker, once; a POST does not.
func TestRetryIdempotent(t *testing.T) {
	h := host(t, python.Options{RetryIdempotent: true})
	mark := func(name string) string { return "/once?" + filepath.Join(t.TempDir(), name) }
	h.want(h.get(mark("get")), 200, "second")
	h.want(h.do("POST", mark("post"), strings.NewReader("x"), nil), 502, "Bad Gateway\n")
	h.want(h.get("/exit"), 502, "Bad Gateway\n")
	if r := h.get("/streamexit"); r.code != 200 || r.err == nil {
		t.Errorf("%+v", r)
	}
}

// TestDeathAtBirth: workers that die as soon as they serve come back after a while, and new ones that cannot start leave the old alone.
func TestDeathAtBirth(t *testing.T) {
	h := host(t, python.Options{})
	for range 3 {
		h.want(h.get("/exit"), 502, "Bad Gateway\n")
	}
	h.want(h.get("/"), 200, "Hello, World!")
}

var killTime = flag.Duration("kill", 2*time.Second, "how long TestRandomDeaths kills processes")

// TestRandomDeaths: requests that had not begun survive any number of deaths, and none is begun twice.
func TestRandomDeaths(t *testing.T) {
	for name, options := range map[string]python.Options{
		"sync":               {},
		"preloaded":          {Preload: true},
		"threads, preloaded": {Class: python.Threads, Threads: 4, Preload: true},
	} {
		t.Run(name, func(t *testing.T) { killAtRandom(t, options) })
	}
}

func killAtRandom(t *testing.T, options python.Options) {
	m := newMarks(t)
	options.Workers, options.Env = 2, m.env()
	h := host(t, options)
	end := time.Now().Add(*killTime)
	var group sync.WaitGroup
	var answered, next atomic.Int64
	var mu sync.Mutex
	var lost []string
	for range 8 {
		group.Go(func() {
			for time.Now().Before(end) {
				mark := strconv.FormatInt(next.Add(1), 10)
				r, err := h.try("GET", "/mark?"+mark, nil, nil)
				switch {
				case err == nil && r.code == 200 && r.err == nil:
					answered.Add(1)
				case err == nil && r.code == 502:
					mu.Lock()
					lost = append(lost, mark)
					mu.Unlock()
				default:
					t.Errorf("%+v, %v", r, err)
					return
				}
			}
		})
	}
	templates := 0
	for time.Now().Before(end) {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		stats := h.Stats()
		if stats.Template != 0 && rand.IntN(4) == 0 && syscall.Kill(stats.Template, syscall.SIGKILL) == nil {
			templates++
		}
		if n := len(stats.Workers); n > 0 {
			_ = syscall.Kill(stats.Workers[rand.IntN(n)].PID, syscall.SIGKILL)
		}
	}
	group.Wait()
	calls := m.count(t)
	for mark, n := range calls {
		if n != 1 {
			t.Errorf("request %s was begun %d times", mark, n)
		}
	}
	traceless := 0
	for _, mark := range lost {
		if calls[mark] == 0 {
			traceless++
		}
	}
	died := int(h.Stats().Died)
	// A worker may be killed in the call, before the application has written its trace.
	if most := options.Threads*died/3 + died/3 + 1; traceless > most {
		t.Errorf("%d requests were lost that have left no trace, %d at most may have been called", traceless, most)
	}
	t.Logf("%v: %d answered, %d lost in a call, %d of them without a trace; %d workers died, a template was killed %d times",
		*killTime, answered.Load(), len(lost), traceless, died, templates)
	if answered.Load() < 100 || died < 3 {
		t.Error("that is not what was expected")
	}
}

// TestTimeout: a call that takes too long ends with its worker, 504 for the client, and the stack in the log.
func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		path    string
		options python.Options
	}{
		{"/stuck_in_a_view", python.Options{}},
		{"/spin?60", python.Options{}}, // no other thread runs there
		{"/stuck_in_a_view", python.Options{Class: python.Threads, Threads: 4}},
	} {
		t.Run(fmt.Sprint(c.options.Class, c.path), func(t *testing.T) {
			c.options.Timeout = 300 * time.Millisecond
			c.options.GracefulTimeout = time.Second
			h := host(t, c.options)
			pid := h.get("/pid").body
			h.want(h.get(c.path), 504, "Gateway Timeout\n")
			h.eventually("the stack is logged", func() bool { return strings.Contains(h.log.String(), "app.py") })
			h.eventually("another worker serves", func() bool { r := h.get("/pid"); return r.code == 200 && r.body != pid })
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			h.eventually("the old one is dead", func() bool { return syscall.Kill(n, 0) != nil })
		})
	}
}

// TestTimeoutSparesStreams: what goes on is not stuck, and neither is what waits for its client.
func TestTimeoutSparesStreams(t *testing.T) {
	h := host(t, python.Options{Timeout: 300 * time.Millisecond})
	if r := h.get("/stream?8,0.1"); r.code != 200 || len(r.body) != 8*65536 || r.err != nil {
		t.Errorf("%d, %d octets, %v", r.code, len(r.body), r.err)
	}
	response, err := h.client.Get("http://" + h.server.Addresses()[0] + "/stream?400")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	time.Sleep(time.Second)
	n := 0
	buf := make([]byte, 1<<20)
	for {
		m, err := response.Body.Read(buf)
		n += m
		if err != nil {
			break
		}
	}
	if n != 400*65536 {
		t.Errorf("%d octets", n)
	}
}

// TestTimeoutSparesUploads: what waits for content that its client sends late is not stuck, however much of it the worker has asked for ahead.
func TestTimeoutSparesUploads(t *testing.T) {
	for _, class := range []python.Class{python.Sync, python.Threads} {
		t.Run(string(class), func(t *testing.T) {
			h := host(t, python.Options{Class: class, Threads: 2, StreamBodies: true, Timeout: 300 * time.Millisecond})
			const size, first = 400_000, 50_000
			c, err := net.Dial("tcp", h.server.Addresses()[0])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(c, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", size)
			asked := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
			if _, err := io.ReadFull(c, asked); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, strings.Repeat("x", first))
			time.Sleep(time.Second)
			fmt.Fprint(c, strings.Repeat("x", size-first))
			answer, _ := io.ReadAll(c)
			if !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
				t.Errorf("%q", answer)
			}
			if died := h.Stats().Died; died != 0 {
				t.Errorf("%d have died", died)
			}
		})
	}
}
