package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// atTerminal runs weir at a terminal, until it has said that it serves and what belongs to that, and then sends SIGTERM. It returns what stood there.
func atTerminal(t *testing.T, dir string, environ []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	screen, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var text strings.Builder
	buffer := make([]byte, 4096)
	for told := false; ; {
		n, err := screen.Read(buffer)
		text.Write(buffer[:n])
		if !told && strings.Contains(text.String(), "with Ctrl-C") {
			told = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		if err != nil { // EIO: all have closed it
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%q: %v\n%s", args, err, text.String())
	}
	return strings.ReplaceAll(text.String(), "\r\n", "\n")
}

// TestRunSummary: at a terminal weir says what matters of how it serves, in colour where that is wanted, and ends with a line of its own.
func TestRunSummary(t *testing.T) {
	t.Parallel()
	apps := applications(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "weir.toml"), []byte("graceful-timeout = 7\nchdir = '"+apps+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		colour  bool
		want    []string
	}{
		{"colour", []string{"NO_COLOR=", "TERM=xterm"}, []string{"demo", "-b", "127.0.0.1:0"}, true,
			[]string{" at \x1b[1mhttp://127.0.0.1:", " with ", "\x1b[32mweir has ended by SIGTERM after "}},
		{"NO_COLOR", []string{"NO_COLOR=1", "TERM=xterm"}, []string{"demo", "-b", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, false,
			[]string{"weir serves the demo at http://127.0.0.1:", "\n  limits         ", "\n  operators      127.0.0.1:", "\n  access log     none\n", "\n  configuration  weir.toml\n", " and 0 requests: all that ran was finished\n"}},
		{"dumb", []string{"NO_COLOR=", "TERM=dumb"}, []string{"run", "app:app", "-b", "127.0.0.1:0", "-w", "1", "--threads", "3", "--access-log", "log"}, false,
			[]string{"\n  workers        1, class threads of 3 calls, Python 3.", "connections; at the end 7s for what runs", "\n  access log     log\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := atTerminal(t, dir, c.environ, c.args...)
			summary := text[strings.Index(text, "weir serves"):]
			if end := strings.Index(summary, "Ctrl-C"); strings.Count(summary[:end], "\n") > 7 {
				t.Error("it has more than 8 lines")
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("there is no %q", want)
				}
			}
			if coloured := strings.Contains(summary, "\x1b["); coloured != c.colour {
				t.Errorf("in colour: %v", coloured)
			}
			if last := text[strings.LastIndex(strings.TrimRight(text, "\n"), "\n")+1:]; !strings.Contains(last, "weir has ended by SIGTERM") {
				t.Errorf("the last line is %q", last)
			}
			if t.Failed() {
				t.Logf("%q", text)
			}
		})
	}
}

// TestFarewell: what has gone wrong is in the last line too.
func TestFarewell(t *testing.T) {
	l := &lifecycle{why: "SIGTERM", began: time.Now()}
	if line := l.lastLine(errors.New("2 requests have not ended")); !strings.HasSuffix(line, ": 2 requests have not ended") {
		t.Errorf("%q", line)
	}
}
