package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// line is a weir and its successors: all write to one file.
type line struct {
	t    *testing.T
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the first one has ended
	at   []string      // addresses
}

// serves is what a weir says when it serves.
var serves = regexp.MustCompile(`weir serves .* at (.*) with \d+ loops?, pid (\d+)\n`)

// startLine starts the first one and waits until it serves.
func startLine(t *testing.T, path string, args ...string) *line {
	t.Helper()
	return startLineWith(t, nil, path, args...)
}

// startLineWith starts it with descriptors from 3 on.
func startLineWith(t *testing.T, files []*os.File, path string, args ...string) *line {
	t.Helper()
	l := &line{t: t, log: filepath.Join(t.TempDir(), "log"), cmd: exec.Command(path, args...), done: make(chan struct{})}
	out, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	l.cmd.Stdout, l.cmd.Stderr = out, out
	l.cmd.ExtraFiles = files
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // its successors are in the group, and there is no terminal
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = l.cmd.Wait()
		close(l.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-l.cmd.Process.Pid, syscall.SIGKILL)
		<-l.done
		if t.Failed() {
			t.Logf("%s", l.text())
		}
	})
	l.until("to serve", func() bool { return len(l.pids()) == 1 })
	for _, url := range strings.Split(serves.FindStringSubmatch(l.text())[1], " and ") {
		l.at = append(l.at, strings.TrimPrefix(url, "http://"))
	}
	return l
}

func (l *line) text() string {
	text, err := os.ReadFile(l.log)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// pids are those that have served, in order.
func (l *line) pids() (pids []int) {
	for _, m := range serves.FindAllStringSubmatch(l.text(), -1) {
		pid, _ := strconv.Atoi(m[2])
		pids = append(pids, pid)
	}
	return pids
}

// newest is the one that has begun to serve last.
func (l *line) newest() int {
	pids := l.pids()
	return pids[len(pids)-1]
}

// until waits for a condition.
func (l *line) until(what string, done func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(2 * patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// logs waits until text was logged n times.
func (l *line) logs(n int, text string) {
	l.t.Helper()
	l.until(text, func() bool { return strings.Count(l.text(), text) >= n })
}

// signal sends a signal to the newest one.
func (l *line) signal(s syscall.Signal) {
	l.t.Helper()
	if err := syscall.Kill(l.newest(), s); err != nil {
		l.t.Fatal(err)
	}
}

// upgrade has a successor take over.
func (l *line) upgrade() {
	l.t.Helper()
	before, over := len(l.pids()), strings.Count(l.text(), "serves in its place):")
	l.signal(syscall.SIGUSR2)
	l.until("a successor", func() bool { return len(l.pids()) > before })
	l.logs(over+1, "serves in its place):")
}

// end ends the newest one, and waits until all have ended.
func (l *line) end() {
	l.t.Helper()
	l.signal(syscall.SIGTERM)
	l.until("the end of all", func() bool { return strings.Count(l.text(), "weir has ended by") == len(l.pids()) })
	for _, pid := range l.pids() {
		wantGone(l.t, pid)
	}
}

// ask sends a request to the i'th address.
func (l *line) ask(i int, target string) reply {
	l.t.Helper()
	return askAt(l.t, l.at[i], "GET", target)
}
