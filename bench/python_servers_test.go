package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/launch"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/registry"
)

// TestPythonServers starts the servers of Python's applications that are installed, and wants the right answers: of all of them for the
// raw application, and of weir for the others. `.ci/packages` installs
// the servers that must be there.
func TestPythonServers(t *testing.T) {
	runtime.LockOSThread() // see start
	defer runtime.UnlockOSThread()
	module, err := program.Module()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := loadEntries(module, "")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(filepath.Join(module, "..", ".ci", "packages"))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := chooseCases("python-raw,python-flask,python-django,python-bottle,python-blocking")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	var all []*launch.Server
	defer func() { launch.Stop(all...) }()
	for _, e := range entries {
		if s := serverOf(registry.Prepared{Entry: e}); !s.hostsApps() {
			continue
		}
		p, err := e.Prepare(t.Context(), bin)
		if err != nil {
			if e.Find.Module == "" || strings.Contains(string(ci), e.Find.Module+":") || !strings.Contains(err.Error(), "Debian's package") {
				t.Errorf("%s: %v", e.Name, err)
			}
			continue
		}
		if p.VersionText == "" || strings.Contains(p.VersionText, "unknown") || strings.Contains(p.VersionText, "Traceback") {
			t.Errorf("%s: version %q", e.Name, p.VersionText)
		}
		for _, c := range cases {
			if c.App != "raw" && e.Name != pythonSubject {
				continue
			}
			if started := answersRightly(t, p, c, filepath.Join(module, "python", "apps")); started != nil {
				all = append(all, started.Server)
			}
		}
	}
}

// answersRightly starts a server for a case, and has it loaded for a moment.
func answersRightly(t *testing.T, p registry.Prepared, c benchCase, apps string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := serverOf(p)
	s.apps = apps
	m := &measurer{opts: &options{duration: time.Second}, capacity: map[string]float64{}}
	started, err := m.prepare(ctx, s, c)
	if err != nil {
		t.Errorf("%s, %s: %v", s.Name, c.Name, err)
		return nil
	}
	if pids := started.Pids(); len(pids) < len(started.Processes) || slices.Contains(pids, os.Getpid()) {
		t.Errorf("%s: processes %v", s.Name, pids)
	}
	if cpu, err := started.CPU(); err != nil || cpu <= 0 {
		t.Errorf("%s: CPU %v, %v", s.Name, cpu, err)
	}
	return started
}

// TestMissingFramework: a case whose framework is not there is left out, and says so.
func TestMissingFramework(t *testing.T) {
	was := registry.Python
	defer func() { registry.Python = was }()
	registry.Python = "/nowhere/python3"
	there, left := installedCases(allCases)
	if len(there) != len(allCases)-4 || len(left) != 4 || left[0].Name != "python-flask" || !strings.Contains(left[0].Why, "Debian's package is python3-flask") {
		t.Errorf("%d cases, left %+v", len(there), left)
	}
	if names := packages(nil); !slices.Contains(names, "python3-bottle") {
		t.Errorf("python3-bottle is not in %q", names)
	}
}

// TestReportOfPythonCase: its table is beside weir run, whose variants are no other servers; the floor is in no column.
func TestReportOfPythonCase(t *testing.T) {
	c := allCases[slices.IndexFunc(allCases, func(c benchCase) bool { return c.Name == "python-raw" })]
	r := &results{Cases: []benchCase{c}, CPUBy: "somewhere", Servers: []server{
		{Name: "weir run", Family: "weir", Kind: "python"}, {Name: "weir run threads", Family: "weir", Kind: "python"},
		{Name: "quick", Family: "quick", Kind: "python"}, {Name: "gunicorn sync", Family: "gunicorn sync", Kind: "python", Closes: true},
	}}
	for round := range 6 {
		for i, s := range r.Servers {
			cpu := []float64{10, 5, 8, 50}[i]
			r.Runs = append(r.Runs, runRecord{Case: c.Name, Server: s.Name, Round: round + 1, CPUPer: cpu, CPU: time.Second,
				Load: &loadResult{Requests: 100, PerSecond: 60_000 / cpu}})
		}
	}
	var text strings.Builder
	markdown(&text, r)
	for _, want := range []string{"| server | beside weir run | x weir run | requests/s | p50 | p99 | CPU us a request | good runs |",
		"| gunicorn sync | slower | 5.00 ", "python-raw: quick has 0.80 x weir run's CPU a request\n", "CPU time is from somewhere.",
		"weir run: requests/s at least 6.00 x gunicorn sync | 5.00 | **missed** |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "weir run threads has") || strings.Contains(text.String(), "x floor") {
		t.Errorf("a variant is told as another server, or there is a floor:\n%s", text.String())
	}
}
