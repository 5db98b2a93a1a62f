package python_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
)

// TestWindow: it is wide for an application that is quick, 1 for one that is slow.
func TestWindow(t *testing.T) {
	h := host(t, python.Options{})
	h.eventually("the window is wide", func() bool {
		h.together(16, "/")
		return h.Stats().Workers[0].Window > 3
	})
	h.eventually("the window is narrow", func() bool {
		h.want(h.get("/spin?0.005"), 200, fmt.Sprint(h.Stats().Workers[0].PID))
		return h.Stats().Workers[0].Window == 1
	})
}

// together sends n requests at a time.
func (h *hosted) together(n int, target string) {
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			if r, err := h.try("GET", target, nil, nil); err != nil || r.code != 200 {
				h.t.Errorf("%+v, %v", r, err)
			}
		})
	}
	group.Wait()
}

// TestTakeBack: what waits behind a call that takes long goes to another worker.
func TestTakeBack(t *testing.T) {
	for _, slow := range []string{"/sleep?0.05", "/spin?0.05"} {
		t.Run(slow, func(t *testing.T) {
			h := host(t, python.Options{Workers: 2})
			var done atomic.Bool
			var group sync.WaitGroup
			group.Go(func() {
				for !done.Load() {
					if r, err := h.try("GET", slow, nil, nil); err != nil || r.code != 200 {
						t.Errorf("%+v, %v", r, err)
					}
				}
			})
			for range 16 {
				group.Go(func() {
					for !done.Load() {
						if r, err := h.try("GET", "/", nil, nil); err != nil || r.code != 200 {
							t.Errorf("%+v, %v", r, err)
						}
					}
				})
			}
			h.eventually("requests are taken back", func() bool { return h.Stats().TakenBack > 3 })
			done.Store(true)
			group.Wait()
		})
	}
}

// TestAsleep: a worker that does not read, because it was stopped, gets nothing, and is killed when that lasts.
func TestAsleep(t *testing.T) {
	h := host(t, python.Options{Workers: 2, Timeout: 500 * time.Millisecond})
	pid := h.Stats().Workers[0].PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		h.want(h.get("/"), 200, "Hello, World!")
	}
	h.eventually("it is replaced", func() bool {
		h.get("/")
		workers := h.Stats().Workers
		return len(workers) == 2 && workers[0].PID != pid && workers[1].PID != pid
	})
}

// TestAsleepWithRequest: one that was stopped when it had read a request, and not begun it, is killed too, and another worker answers.
func TestAsleepWithRequest(t *testing.T) {
	source, err := os.ReadFile("testdata/stub/worker.py")
	if err != nil {
		t.Fatal(err)
	}
	options := python.Options{Workers: 2, Timeout: 300 * time.Millisecond, Env: []string{"MARKS=" + t.TempDir() + "/marks"}}
	options.SetScript(source)
	h := host(t, options)
	h.want(h.get("/stand?"+t.TempDir()+"/first"), 200, "Hello, World!")
}

// TestQueue: more requests than may wait, and such that wait for too long, get 503.
func TestQueue(t *testing.T) {
	h := host(t, python.Options{Queue: 2, QueueTime: 200 * time.Millisecond})
	answers := make(chan reply, 6)
	var group sync.WaitGroup
	ask := func(target string) {
		group.Go(func() {
			r, err := h.try("GET", target, nil, nil)
			if err != nil {
				t.Error(err)
			}
			answers <- r
		})
	}
	ask("/sleep?0.6")
	h.eventually("the worker is busy", func() bool { return h.Stats().Workers[0].InFlight == 1 })
	ask("/")
	ask("/")
	h.eventually("two wait", func() bool { return h.Stats().Waiting == 2 })
	r := h.get("/")
	if r.code != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("%+v", r)
	}
	for range 2 { // and those that wait for too long
		if r := <-answers; r.code != 503 || r.header.Get("Retry-After") == "" {
			t.Errorf("%+v", r)
		}
	}
	group.Wait()
	if r := <-answers; r.code != 200 {
		t.Errorf("%+v", r)
	}
	h.want(h.get("/"), 200, "Hello, World!")
	for _, line := range []string{`--queue allows were waiting for a worker" requests=1 queue=2`, `--queue-timeout" requests=2 timeout=200ms`} {
		h.eventually("the log tells of it", func() bool { return strings.Contains(h.log.String(), line) })
	}
}

// TestQueueIsExact: as many requests wait as may, whoever comes first to whom, and the log tells of the others.
func TestQueueIsExact(t *testing.T) {
	for _, c := range []struct {
		options python.Options
		busy    int // calls at a time
	}{
		{python.Options{Queue: 1}, 1},
		{python.Options{Queue: 2}, 1},
		{python.Options{Queue: 4}, 1},
		{python.Options{Queue: 3, Workers: 2}, 2},
		{python.Options{Queue: 3, Class: python.Threads, Threads: 3}, 3},
	} {
		t.Run(fmt.Sprintf("%d, %d calls at a time", c.options.Queue, c.busy), func(t *testing.T) {
			h := host(t, c.options)
			var group sync.WaitGroup
			var answered, refused atomic.Int64
			for range 12 {
				group.Go(func() {
					r, err := h.try("GET", "/sleep?0.4", nil, nil)
					switch {
					case err == nil && r.code == 200:
						answered.Add(1)
					case err == nil && r.code == 503:
						refused.Add(1)
					default:
						t.Errorf("%+v, %v", r, err)
					}
				})
			}
			group.Wait()
			if want := int64(c.options.Queue + c.busy); answered.Load() != want || refused.Load() != 12-want {
				t.Errorf("%d were answered, %d refused; want %d answered", answered.Load(), refused.Load(), want)
			}
			h.eventually("the log tells of it", func() bool {
				return strings.Contains(h.log.String(), fmt.Sprintf(`waiting for a worker" requests=%d queue=%d`, refused.Load(), c.options.Queue))
			})
		})
	}
}

// TestPace: the monitor looks more often when a request waits for another, and not at all when nothing goes on.
func TestPace(t *testing.T) {
	h := host(t, python.Options{})
	pace := func(what string, want int) {
		t.Helper()
		h.eventually(what, func() bool { return h.Pace() == want })
	}
	for range 2 {
		pace("the monitor rests", 0)
		var group sync.WaitGroup
		group.Go(func() { h.get("/sleep?0.5") })
		pace("it looks after a call", 1)
		h.eventually("the worker is busy", func() bool { return h.Stats().Workers[0].InFlight == 1 })
		group.Go(func() { h.get("/") })
		pace("it looks after what waits", 2)
		group.Wait()
	}
	pace("the monitor rests", 0)
}

// TestClientLeaves: one that waits is forgotten; the iterable of one that is answered is closed.
func TestClientLeaves(t *testing.T) {
	closed := t.TempDir() + "/closed"
	h := host(t, python.Options{Env: []string{"CLOSED=" + closed}})
	slow := h.leave("/sleep?0.4")
	h.eventually("the worker is busy", func() bool { return h.Stats().Workers[0].InFlight == 1 })
	waits := h.leave("/mark")
	h.eventually("one waits", func() bool { return h.Stats().Waiting == 1 })
	waits()
	h.eventually("none waits", func() bool { return h.Stats().Waiting == 0 })
	slow()
	h.eventually("the worker is free", func() bool { return h.Stats().Workers[0].InFlight == 0 })

	stream := h.leave("/stream?1000000,0.001")
	h.eventually("it streams", func() bool { return h.Stats().Workers[0].InFlight == 1 })
	time.Sleep(50 * time.Millisecond)
	stream()
	h.eventually("the iterable is closed", func() bool { return strings.Contains(read(closed), "closed") })

	silent := h.leave("/stream?1000000,0.001,0") // yields nothing but empty blocks
	h.eventually("it is called", func() bool { return h.Stats().Workers[0].InFlight == 1 })
	silent()
	h.eventually("its iterable is closed", func() bool { return strings.Count(read(closed), "closed") == 2 })
	h.want(h.get("/"), 200, "Hello, World!")

	large := t.TempDir() + "/large"
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<30); err != nil {
		t.Fatal(err)
	}
	file := h.leave("/file?" + large)
	h.eventually("the worker is free", func() bool { w := h.Stats().Workers[0]; return w.Requests > 0 && w.InFlight == 0 })
	file() // that its descriptor is closed is looked at in the end
}

// TestReplacement: after so many requests a worker makes room for another, and nobody notices.
func TestReplacement(t *testing.T) {
	for _, class := range []python.Class{python.Sync, python.Threads} {
		t.Run(string(class), func(t *testing.T) {
			h := host(t, python.Options{Workers: 2, Class: class, Threads: 4, MaxRequests: 30, MaxRequestsJitter: 10})
			pids := map[string]bool{}
			h.eventually("four have served", func() bool {
				h.together(8, "/")
				pids[h.get("/pid").body] = true
				return len(pids) >= 4
			})
			if died := h.Stats().Died; died != 0 {
				t.Errorf("%d died", died)
			}
		})
	}
}

// TestReplacementMuchLater: any number of requests is one that a worker may serve.
func TestReplacementMuchLater(t *testing.T) {
	h := host(t, python.Options{MaxRequests: 1, MaxRequestsJitter: math.MaxInt})
	h.want(h.get("/"), 200, "Hello, World!")
}

// TestReplacementForMemory: the same for one that has grown.
func TestReplacementForMemory(t *testing.T) {
	h := host(t, python.Options{MaxRSS: 1 << 20})
	pid := h.get("/pid").body
	h.eventually("it is replaced", func() bool { return h.get("/pid").body != pid })
	if log := h.log.String(); !regexp.MustCompile(`worker is replaced" .*because="it takes \d+ MiB of memory, more than --max-worker-rss 1"`).MatchString(log) {
		t.Error("the log does not say why")
	}
}

// TestReplacementForMemoryOfNone: one that has served nothing yet is not replaced, however large it is: the next would be no smaller.
func TestReplacementForMemoryOfNone(t *testing.T) {
	h := host(t, python.Options{MaxRSS: 1 << 20, Workers: 2})
	h.eventually("it is known how large they are", func() bool {
		for _, w := range h.Stats().Workers {
			if w.RSS == 0 {
				return false
			}
		}
		return true
	})
	for range 100 {
		time.Sleep(5 * time.Millisecond)
		if n := h.Stats().Replaced; n > 0 {
			t.Fatalf("%d were replaced", n)
		}
	}
	if n := strings.Count(h.log.String(), "before its first request"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}

// TestReplace: new workers import the application as it is now; when they cannot, the old go on.
func TestReplace(t *testing.T) {
	for _, preload := range []bool{false, true} {
		t.Run(fmt.Sprint("preload ", preload), func(t *testing.T) { replace(t, preload) })
	}
}

func replace(t *testing.T, preload bool) {
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(dir+"/changing.py", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	version := func(text string) string {
		return "def app(environ, start):\n    start('200 OK', [])\n    return [b'" + text + "']\n"
	}
	write(version("one"))
	h := host(t, python.Options{Workers: 2, Chdir: dir, App: "changing:app", Preload: preload, Env: []string{"PYTHONDONTWRITEBYTECODE=1"}})
	h.want(h.get("/"), 200, "one")
	write("this is no Python")
	h.Replace()
	h.eventually("the log says so", func() bool { return strings.Contains(h.log.String(), "SyntaxError") })
	h.want(h.get("/"), 200, "one")
	write(version("three"))
	h.Replace()
	h.eventually("the new one answers", func() bool { return h.get("/").body == "three" })
	h.eventually("the old are gone", func() bool { s := h.Stats(); return s.Leaving == 0 && len(s.Workers) == 2 })
	all := func(want string) {
		h.eventually("all are "+want, func() bool {
			for range 8 {
				if h.get("/").body != want {
					return false
				}
			}
			return true
		})
	}
	all("three")
	// While others are at an import that does not end.
	write("import time\nopen('" + dir + "/begun', 'w')\ntime.sleep(1000)\n")
	h.Replace()
	h.eventually("an import has begun", func() bool { _, err := os.Stat(dir + "/begun"); return err == nil })
	h.want(h.get("/"), 200, "three")
	write(version("five"))
	h.Replace()
	all("five")
}
