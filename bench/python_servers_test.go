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
	"github.com/weirhttp/weir/bench/internal/registry"
)

// TestPythonServers starts the servers of Python's applications that are installed, and wants the right answers: of all of them for the
// raw application, and of weir for the others. `.ci/python` installs
// the servers that must be there.
func TestPythonServers(t *testing.T) {
	runtime.LockOSThread() // see start
	defer runtime.UnlockOSThread()
	module, err := findModule()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := loadEntries(module, "")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(filepath.Join(module, "..", ".ci", "python"))
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
		if e.Kind != "python" {
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
