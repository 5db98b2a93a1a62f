// Package cgroup puts a server into a control group of its own, so that its CPU time is that of all its processes, those that have ended
// among them. It takes the second version of control groups, and no controller: every group there counts CPU time.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Group is a control group. Any goroutine may use it.
type Group struct {
	path string
	dir  *os.File
}

// made numbers the groups of this process.
var made atomic.Int64

// New makes a group below that of this process. An error tells why groups cannot be had here: there is no second version, or no right.
func New() (*Group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	parent, err := folder(mounts, own)
	if err != nil {
		return nil, err
	}
	removeStale(parent)
	g := &Group{path: filepath.Join(parent, fmt.Sprintf(pattern, os.Getpid(), made.Add(1)))}
	if err := os.Mkdir(g.path, 0o755); err != nil {
		return nil, err
	}
	if _, err := g.CPU(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if g.dir, err = os.Open(g.path); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// pattern is of the names of groups: the process that makes one, and a number.
const pattern = "weir-bench-%d-%d"

// removeStale removes the groups of runners that were killed. What was in them is killed with the runner.
func removeStale(parent string) {
	names, _ := filepath.Glob(filepath.Join(parent, "weir-bench-*")) // the pattern is right
	for _, name := range names {
		var pid, number int
		if _, err := fmt.Sscanf(filepath.Base(name), pattern, &pid, &number); err != nil {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(name) // one in which something still runs stays
		}
	}
}

// folder is where the groups of the second version below the own one are: mounts is proc_pid_mountinfo(5), own is proc_pid_cgroup(5).
func folder(mounts, own []byte) (string, error) {
	path := ""
	for line := range bytes.Lines(own) {
		if rest, ok := bytes.CutPrefix(line, []byte("0::")); ok {
			path = string(bytes.TrimSpace(rest))
		}
	}
	if path == "" || strings.HasPrefix(path, "/..") { // outside of what this namespace sees
		return "", errors.New("this process is in no control group of version 2")
	}
	for line := range bytes.Lines(mounts) {
		before, after, ok := bytes.Cut(line, []byte(" - "))
		fields := bytes.Fields(before)
		if !ok || len(fields) < 5 || !bytes.HasPrefix(after, []byte("cgroup2 ")) {
			continue
		}
		root, at := string(fields[3]), string(fields[4])
		if below, err := filepath.Rel(root, path); err == nil && !strings.HasPrefix(below, "..") {
			return filepath.Join(at, below), nil
		}
	}
	return "", errors.New("control groups of version 2 are not mounted")
}

// FD is the group's folder, for syscall.SysProcAttr.CgroupFD. It is good until Close.
func (g *Group) FD() int { return int(g.dir.Fd()) }

// CPU is the user and system time of all processes that were ever in the group.
func (g *Group) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join(g.path, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	return usage(stat)
}

func usage(stat []byte) (time.Duration, error) {
	for line := range bytes.Lines(stat) {
		if value, ok := bytes.CutPrefix(line, []byte("usage_usec ")); ok {
			us, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("cpu.stat: %w", err)
			}
			return time.Duration(us) * time.Microsecond, nil
		}
	}
	return 0, errors.New("cpu.stat: no usage_usec")
}

// closeWithin bounds how long processes take to be gone that were killed.
const closeWithin = 3 * time.Second

// Close kills what is still in the group and removes it.
func (g *Group) Close() error {
	if g.dir != nil {
		_ = g.dir.Close()
	}
	_ = os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0) // kernels before 5.14 have none
	for deadline := time.Now().Add(closeWithin); ; time.Sleep(5 * time.Millisecond) {
		if err := os.Remove(g.path); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
