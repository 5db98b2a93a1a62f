package python_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/weirhttp/weir/python"
)

var pss = regexp.MustCompile(`(?m)^Pss: +(\d+) kB$`)

// proportional is the memory of a process in MiB, its part of what it shares with others (PSS).
func proportional(t testing.TB, pid int) float64 {
	t.Helper()
	found := pss.FindStringSubmatch(read(fmt.Sprintf("/proc/%d/smaps_rollup", pid)))
	if found == nil {
		t.Fatalf("process %d has no Pss", pid)
	}
	kib, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kib) / 1024
}

// BenchmarkMemory: the memory of four workers that have served, and of their template. One operation is a request.
func BenchmarkMemory(b *testing.B) {
	dir, err := filepath.Abs("testdata/memory")
	if err != nil {
		b.Fatal(err)
	}
	for _, app := range []string{"flaskapp:app", "djangoapp:app"} {
		for _, preload := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/preload=%v", app, preload), func(b *testing.B) {
				h := host(b, python.Options{App: app, Chdir: dir, Workers: 4, Preload: preload, Python: "/usr/bin/python3"})
				served := func() (least int) {
					least = 1 << 30
					for _, w := range h.Stats().Workers {
						least = min(least, w.Requests)
					}
					return least
				}
				for i := 0; i < b.N || served() < 500; i++ {
					h.together(8, "/")
					h.together(8, "/json")
				}
				stats := h.Stats()
				workers := 0.0
				for _, w := range stats.Workers {
					workers += proportional(b, w.PID)
				}
				template := 0.0
				if stats.Template != 0 {
					template = proportional(b, stats.Template)
				}
				b.ReportMetric(workers/float64(len(stats.Workers)), "MiB/worker")
				b.ReportMetric(workers+template, "MiB-in-all")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
