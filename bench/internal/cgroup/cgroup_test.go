package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	hybrid = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n" +
		"33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
	part = "41 31 0:38 /user.slice /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
)

func TestFolder(t *testing.T) {
	for _, c := range []struct{ mounts, own, want string }{
		{hybrid, "2:cpuacct:/x\n0::/\n", "/sys/fs/cgroup/unified"},
		{hybrid, "0::/user.slice/a b.scope\n", "/sys/fs/cgroup/unified/user.slice/a b.scope"},
		{part, "0::/user.slice/mine\n", "/sys/fs/cgroup/mine"},
		{part, "0::/system.slice/mine\n", ""},
		{hybrid, "0::/../elsewhere\n", ""},
		{hybrid, "2:cpuacct:/x\n", ""},
		{"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", "0::/\n", ""},
	} {
		got, err := folder([]byte(c.mounts), []byte(c.own))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q in %q: got %q, %v, want %q", c.own, c.mounts, got, err, c.want)
		}
	}
}

func TestUsage(t *testing.T) {
	if got, err := usage([]byte("usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n")); got != 1500*time.Microsecond || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "user_usec 3\n", "usage_usec many\n"} {
		if got, err := usage([]byte(bad)); err == nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}

// TestStale: what the groups of runners that are gone are called is known; others stay. A folder stands for a group.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	for name, stays := range map[string]bool{"weir-bench-2147483647-3": false, fmt.Sprintf(pattern, os.Getpid(), 1): true, "weir-bench-x": true, "other-1-2": true} {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		removeStale(dir)
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGroup: the time of processes that have ended counts, and what still runs ends with the group. Where there are no groups, New says
// why in one line: that is what the report falls back from.
func TestGroup(t *testing.T) {
	g, err := New()
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is not one line", err)
		}
		return
	}
	shell := exec.Command("/bin/sh", "-c", "(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done); sleep 60 & wait")
	shell.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for cpu := time.Duration(0); cpu < time.Millisecond; time.Sleep(5 * time.Millisecond) {
		if cpu, err = g.CPU(); err != nil || time.Now().After(deadline) {
			t.Fatalf("CPU %v, %v", cpu, err)
		}
	}
	if err := g.Close(); err != nil {
		_ = shell.Process.Kill()
		t.Error(err)
	}
	_ = shell.Wait() // it was killed
	if _, err := os.Stat(g.path); err == nil {
		t.Errorf("%s is still there", g.path)
	}
}
