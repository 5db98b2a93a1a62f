package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal: what weir writes to theirs can be read from ours.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}

// TestTerminal: a terminal has text, in colour unless NO_COLOR is set or the terminal is dumb.
func TestTerminal(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d.*INF.* RLIMIT_NOFILE`)
	for _, c := range []struct {
		variable, option string
		line, colour     bool
	}{
		{"", "auto", true, true},
		{"", "text", true, true},
		{"NO_COLOR=1", "auto", true, false},
		{"NO_COLOR=", "auto", true, true},
		{"TERM=dumb", "auto", true, false},
		{"", "json", false, false},
	} {
		ours, theirs := terminal(t)
		cmd := exec.Command(binary, "demo", "--bind", "127.0.0.1:0", "--log-format", c.option)
		cmd.Env = append(os.Environ(), strings.Fields("NO_COLOR= TERM=xterm "+c.variable)...)
		cmd.Stderr = theirs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = theirs.Close()
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		var text bytes.Buffer
		buffer := make([]byte, 4096)
		for !strings.Contains(text.String(), "RLIMIT_NOFILE") {
			n, err := ours.Read(buffer)
			text.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		timer.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		got := text.String()
		if line.MatchString(got) != c.line || strings.Contains(got, "\x1b[") != c.colour || strings.Contains(got, `"msg"`) == c.line {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestFullOutput: a command whose output cannot be written has failed.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range []string{"version", "config", "man", "completion bash"} {
		cmd := exec.Command(binary, strings.Fields(args)...)
		cmd.Stdout = full
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: %v, %q", args, cmd.ProcessState, stderr.String())
		}
	}
}
