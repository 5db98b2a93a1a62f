package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestAccessLogFile: lines are appended, and all are there when the process has ended.
func TestAccessLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for run := range 2 {
		p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-log", path, "--access-log-format", "common")
		p.ask("GET", "/plaintext?a", "User-Agent: u\r\n")
		if status := p.stop(); status != 0 {
			t.Errorf("exit %d: %s", status, p.stderr.String())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		line := `127\.0\.0\.1 - - \[[^]]+\] "GET /plaintext\?a HTTP/1\.1" 200 13\n`
		if !regexp.MustCompile("^" + strings.Repeat(line, run+1) + "$").Match(text) {
			t.Errorf("got %q", text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o644 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAccessLogCannotOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "access.log")
	status, stdout, stderr := runToEnd(t, "demo", "--bind", "127.0.0.1:0", "--access-log", path)
	if status != 1 || stdout != "" || !strings.Contains(stderr, path) {
		t.Errorf("exit %d, %q, %q", status, stdout, stderr)
	}
}

// TestAccessLogFullDisk: the server goes on, and says so once.
func TestAccessLogFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-log", "/dev/full")
	for range 2 {
		p.ask("GET", "/plaintext")
		time.Sleep(700 * time.Millisecond) // until it was written, or not
	}
	if r := p.ask("GET", "/plaintext"); r.body != "Hello, World!" {
		t.Errorf("got %q", r.body)
	}
	if status := p.stop(); status != 0 || strings.Count(p.stderr.String(), "no space left") != 1 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestAccessLogStandardOutput: lines follow the first one of the server. When nobody reads them any more, it goes on.
func TestAccessLogStandardOutput(t *testing.T) {
	cmd := exec.Command(binary, "demo", "--bind", "127.0.0.1:0", "--access-log", "-")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(first)[1]
	askAt(t, address, "GET", "/plaintext", "Referer: r\r\nUser-Agent: \"u\r\n")
	line, err := lines.ReadString('\n')
	if err != nil || !strings.HasSuffix(line, "] \"GET /plaintext HTTP/1.1\" 200 13 \"r\" \"\\x22u\"\n") {
		t.Errorf("got %q, %v", line, err)
	}
	_ = out.Close()
	for range 2 {
		askAt(t, address, "GET", "/plaintext")
		time.Sleep(700 * time.Millisecond)
	}
	if r := askAt(t, address, "GET", "/plaintext"); r.body != "Hello, World!" {
		t.Errorf("got %q", r.body)
	}
}
