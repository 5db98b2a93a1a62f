package child

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
)

func startShell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start("a shell", []string{"/bin/sh", "-c", script}, []string{"GREETING=hello"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Stop(p) })
	return p
}

// await returns when the process has written the file.
func await(t *testing.T, p *Process, file string) {
	t.Helper()
	if err := p.AwaitReady(t.Context(), func() error { _, err := os.Stat(file); return err }); err != nil {
		t.Fatal(err)
	}
}

// TestProcess: what a process has started counts as its own, and ends with it, although neither ends when it is asked.
func TestProcess(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	p := startShell(t, "trap '' TERM; (while :; do sleep 1; done) & echo >"+ready+"; while :; do sleep 1; done")
	await(t, p, ready)
	if err := p.Alive(); err != nil {
		t.Error(err)
	}
	tree := proc.Tree(p.Pid())
	if len(tree) < 2 || tree[0] != p.Pid() {
		t.Fatalf("the tree of %d: %v", p.Pid(), tree)
	}
	own, err := proc.ResidentBytes(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if all, err := p.Resident(); err != nil || all <= own {
		t.Errorf("resident: %d octets, %v; the first process has %d", all, err, own)
	}
	if cpu, err := p.CPU(); err != nil || cpu <= 0 {
		t.Errorf("CPU: %v, %v", cpu, err)
	}
	Stop(p)
	awaitGone(t, tree[:2])
	if p.Alive() == nil {
		t.Error("it is told to be alive")
	}
	if _, err := p.CPU(); err == nil {
		t.Error("it has CPU time")
	}
	Stop(p)
}

// gone tells whether the process has ended, and only nobody has asked how.
func gone(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	return err != nil || strings.Contains(string(status), "State:\tZ")
}

// TestLeftBehind: a process that ends when it is asked may leave others behind.
func TestLeftBehind(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	p := startShell(t, "sleep 60 & echo >"+ready+"; wait")
	await(t, p, ready)
	tree := proc.Tree(p.Pid())
	if len(tree) != 2 {
		t.Fatalf("the tree of %d: %v", p.Pid(), tree)
	}
	Stop(p)
	awaitGone(t, tree)
}

// awaitGone returns when the processes have ended.
func awaitGone(t *testing.T, pids []int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for _, pid := range pids {
		for !gone(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d still runs", pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// TestLastWords: a process that ends instead of becoming ready is told with what it wrote last.
func TestLastWords(t *testing.T) {
	p := startShell(t, "echo $GREETING and goodbye >&2; exit 3")
	err := p.AwaitReady(t.Context(), func() error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "a shell has ended: exit status 3: hello and goodbye") {
		t.Error(err)
	}
}

func TestAwaitReadyInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := startShell(t, "exec sleep 60")
	calls := 0
	err := p.AwaitReady(ctx, func() error {
		if calls++; calls == 2 {
			cancel()
		}
		return errors.New("not yet")
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
