package python_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/weirhttp/weir/python"
)

// TestPreload: the application is imported once, and workers that were forked do what others do. They are children of weir.
func TestPreload(t *testing.T) {
	for _, class := range []python.Class{python.Sync, python.Threads, python.Gevent} {
		t.Run(string(class), func(t *testing.T) {
			imports := filepath.Join(t.TempDir(), "imports")
			h := host(t, python.Options{
				Workers: 3, Class: class, Threads: 4, Preload: true, Python: "/usr/bin/python3", Env: []string{"IMPORTS=" + imports}, MaxRequests: 40,
			})
			pids := map[string]bool{}
			for _, w := range h.Stats().Workers {
				pids[strconv.Itoa(w.PID)] = true
				text := read(fmt.Sprintf("/proc/%d/status", w.PID))
				if want := fmt.Sprintf("\nPPid:\t%d\n", os.Getpid()); !strings.Contains(text, want) {
					t.Errorf("worker %d has another parent:\n%s", w.PID, text)
				}
			}
			if len(pids) != 3 {
				t.Errorf("the workers are %v", pids)
			}
			if pid := h.get("/sleep?0.01").body; !pids[pid] {
				t.Errorf("%s has answered", pid)
			}
			h.want(h.do("POST", "/echo", strings.NewReader("four"), nil), 200,
				"4 04efaf080f5a3e74e1c29d1ca6a48569382cbbcd324e8d59d2b83ef21c039f00 4 None")
			if r := h.get("/stream?64"); r.code != 200 || len(r.body) != 64*65536 || r.err != nil {
				t.Errorf("%d, %d octets, %v", r.code, len(r.body), r.err)
			}
			h.want(h.get("/raise"), 500, "Internal Server Error\n")
			h.get("/print?this")
			h.eventually("what it prints is logged", func() bool { return strings.Contains(h.log.String(), "printed this") })
			h.eventually("others have taken their places", func() bool {
				h.together(8, "/")
				pid := h.get("/pid").body
				return !pids[pid]
			})
			if text := read(imports); text != strconv.Itoa(h.Stats().Template)+"\n" {
				t.Errorf("imported by %q, the template is %d", text, h.Stats().Template)
			}
			if died := h.Stats().Died; died != 0 {
				t.Errorf("%d have died", died)
			}
		})
	}
}

// TestPreloadThreads: a thread that importing the application has started is in no worker, which is told.
func TestPreloadThreads(t *testing.T) {
	h := host(t, python.Options{App: "threaded:app", Preload: true})
	h.want(h.get("/"), 200, "stands still")
	h.eventually("that is logged", func() bool { return strings.Contains(h.log.String(), "heart") })
}

// TestPreloadReplacedOutput: a template forks whatever the application has made of sys.stdout and sys.stderr.
func TestPreloadReplacedOutput(t *testing.T) {
	h := host(t, python.Options{App: "replaced:app", Preload: true, Workers: 2})
	h.want(h.get("/"), 200, "served")
	h.eventually("what it prints is logged", func() bool { return strings.Contains(h.log.String(), "printed") })
}

// TestTemplateDeath: workers do not notice, and a new template forks those that come later.
func TestTemplateDeath(t *testing.T) {
	h := host(t, python.Options{Workers: 2, Preload: true})
	before := h.Stats()
	for range 2 {
		template := h.Stats().Template
		if err := syscall.Kill(template, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		h.eventually("there is another template", func() bool { return h.Stats().Template != template })
	}
	after := h.Stats()
	if fmt.Sprint(pidsOf(before)) != fmt.Sprint(pidsOf(after)) || after.Died != 0 {
		t.Errorf("before: %+v, after: %+v", before, after)
	}
	h.want(h.get("/kill"), 502, "Bad Gateway\n")
	h.want(h.get("/"), 200, "Hello, World!")
	h.eventually("there are two workers again", func() bool { return len(h.Stats().Workers) == 2 })
}

func pidsOf(stats python.Stats) (pids []int) {
	for _, w := range stats.Workers {
		pids = append(pids, w.PID)
	}
	return pids
}

// TestTemplateCannotStart: as long as a new template cannot, the workers that there are go on.
func TestTemplateCannotStart(t *testing.T) {
	dir := t.TempDir()
	const program = "def app(environ, start):\n    start('200 OK', [])\n    return [b'here']\n"
	write := func(text string) {
		if err := os.WriteFile(dir+"/changing.py", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(program)
	h := host(t, python.Options{Chdir: dir, App: "changing:app", Preload: true, Env: []string{"PYTHONDONTWRITEBYTECODE=1"}})
	write("this is no Python")
	template := h.Stats().Template
	if err := syscall.Kill(template, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.eventually("that is logged", func() bool { return strings.Contains(h.log.String(), "SyntaxError") })
	h.want(h.get("/"), 200, "here")
	write(program)
	h.eventually("there is another template", func() bool { return h.Stats().Template != template })
	h.want(h.get("/"), 200, "here")
}

// TestReplaceUnderLoad: workers are replaced, under Preload by those of a new template, while nobody notices.
func TestReplaceUnderLoad(t *testing.T) {
	for _, preload := range []bool{false, true} {
		t.Run(fmt.Sprint("preload ", preload), func(t *testing.T) {
			h := host(t, python.Options{Workers: 2, Preload: preload})
			var done atomic.Bool
			var served atomic.Int64
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for !done.Load() {
						if r, err := h.try("GET", "/", nil, nil); err != nil || r.code != 200 || r.err != nil {
							t.Errorf("%+v, %v", r, err)
							return
						}
						served.Add(1)
					}
				})
			}
			for range 3 {
				before := h.Stats()
				n := served.Load()
				h.Replace()
				h.eventually("all are others", func() bool {
					stats := h.Stats()
					for _, pid := range pidsOf(stats) {
						for _, old := range pidsOf(before) {
							if pid == old {
								return false
							}
						}
					}
					return len(stats.Workers) == 2 && stats.Leaving == 0 && (stats.Template != before.Template) == preload
				})
				if served.Load() == n {
					t.Error("nobody was served meanwhile")
				}
			}
			done.Store(true)
			group.Wait()
			if died := h.Stats().Died; died != 0 {
				t.Errorf("%d have died", died)
			}
		})
	}
}
