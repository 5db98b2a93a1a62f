package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAccessLogFile: lines are appended, and all are there when the process has ended.
func TestAccessLogFile(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "access.log")
	status, stdout, stderr := runToEnd(t, "demo", "--bind", "127.0.0.1:0", "--access-log", path)
	if status != 1 || stdout != "" || !strings.Contains(stderr, path) {
		t.Errorf("exit %d, %q, %q", status, stdout, stderr)
	}
}

// TestAccessLogStandardOutput: lines follow the first one of the server. When nobody reads them any more, it goes on.
func TestAccessLogStandardOutput(t *testing.T) {
	t.Parallel()
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

// TestAccessLogForms: JSON, and gunicorn's form under gunicorn's name of the option.
func TestAccessLogForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-logfile", path, "--access-log-format", "json")
	p.ask("GET", "/plaintext?a", "User-Agent: \"u\r\n")
	p.stop()
	var object map[string]any
	text, _ := os.ReadFile(path)
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for key, want := range map[string]any{
		"remote": "127.0.0.1", "method": "GET", "path": "/plaintext", "query": "a", "protocol": "HTTP/1.1", "status": 200.0, "bytes": 13.0, "user_agent": `"u`,
	} {
		if object[key] != want {
			t.Errorf("%s is %v", key, object[key])
		}
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(object["time"])); err != nil || time.Since(at) > patience {
		t.Errorf("the time is %v", object["time"])
	}
	if took, ok := object["duration_us"].(float64); !ok || took > patience.Seconds()*1e6 {
		t.Errorf("the duration is %v", object["duration_us"])
	}
	t.Setenv("WEIR_ACCESS_LOGFORMAT", `%(m)s %(U)s %(s)s %({content-type}o)s %({host}i)s %({REMOTE_ADDR}e)s`)
	p = start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-logfile", path)
	p.ask("GET", "/plaintext?b")
	p.stop()
	after, _ := os.ReadFile(path)
	if got := string(after[len(text):]); got != "GET /plaintext 200 text/plain demo 127.0.0.1\n" {
		t.Errorf("got %q", got)
	}
}

// rotate moves a log away, as logrotate does, and waits until there is a new one.
func (p *process) rotate(path, moved string) {
	p.t.Helper()
	if err := os.Rename(path, moved); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGUSR1)
	for deadline := time.Now().Add(patience); !exists(path); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatal("there is no new log")
		}
	}
}

// TestRotation: logs are moved away again and again, and no line is lost.
func TestRotation(t *testing.T) {
	t.Parallel()
	const rotations = 5
	access, errors := filepath.Join(t.TempDir(), "access.log"), filepath.Join(t.TempDir(), "error.log")
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-log", access, "--error-logfile", errors, "--access-log-format", "%(q)s")
	stop, asked := make(chan struct{}), make(chan int)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				asked <- i
				return
			default:
				askAt(t, p.at[0], "GET", fmt.Sprint("/plaintext?", i))
			}
		}
	}()
	all, messages := "", ""
	for i := range rotations {
		p.rotate(access, fmt.Sprint(access, i))
		time.Sleep(20 * time.Millisecond) // for lines in each file
	}
	p.rotate(errors, errors+".0")
	close(stop)
	n := <-asked
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d", status)
	}
	for i := range rotations {
		text, _ := os.ReadFile(fmt.Sprint(access, i))
		all += string(text)
	}
	text, _ := os.ReadFile(access)
	all += string(text)
	seen := make(map[string]int) // the lines of two loops come in any order
	for line := range strings.Lines(all) {
		seen[line]++
	}
	for i := range n {
		if seen[fmt.Sprintln(i)] != 1 {
			t.Errorf("request %d has %d lines", i, seen[fmt.Sprintln(i)])
		}
	}
	if len(seen) != n {
		t.Errorf("%d requests, %d lines", n, len(seen))
	}
	for _, path := range []string{errors + ".0", errors} {
		text, _ := os.ReadFile(path)
		messages += string(text)
	}
	if n := strings.Count(messages, "opened again"); n < 2 || n > rotations+1 { // signals that come at once are one
		t.Errorf("%d messages of %d rotations: %s", n, rotations+1, messages)
	}
	if p.stderr.String() != "" {
		t.Errorf("standard error has %q", p.stderr.String())
	}
}

// TestRotationOfOne: both logs may be one file.
func TestRotationOfOne(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-log", log, "--error-logfile", log)
	p.rotate(log, log+".0")
	until(t, "the signal to be answered", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "SIGUSR1")
	})
	p.ask("GET", "/plaintext")
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "GET /plaintext") {
		t.Errorf("the line of the request is not in %q, %v", text, err)
	}
}

// TestSIGUSR1WithoutLogs: it does not end the process.
func TestSIGUSR1WithoutLogs(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	_ = p.cmd.Process.Signal(syscall.SIGUSR1)
	for deadline := time.Now().Add(patience); !strings.Contains(p.stderr.String(), "SIGUSR1"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it says nothing")
		}
	}
	if r := p.ask("GET", "/plaintext"); r.StatusCode != 200 {
		t.Errorf("got %d", r.StatusCode)
	}
}

// TestLogForms: JSON where there is no terminal, text on demand; levels, by gunicorn's names too.
func TestLogForms(t *testing.T) {
	t.Setenv("WEIR_LOOPSS", "3") // one warning
	for _, c := range []struct {
		args, infos, warnings string // what they look like; "": there are none
	}{
		{"", `{"time":"[^"]+","level":"INFO","msg":"RLIMIT_NOFILE`, `{"time":"[^"]+","level":"WARN","msg":"variable`},
		{"--log-format json", `{"time":"[^"]+","level":"INFO","msg":"RLIMIT_NOFILE`, `{"time":"[^"]+","level":"WARN","msg":"variable`},
		{"--log-format text", `time=\S+ level=INFO msg="RLIMIT_NOFILE`, `time=\S+ level=WARN msg="variable`},
		{"--log-level debug", `"INFO"`, `"WARN"`},
		{"--log-level warn", "", `"WARN"`},
		{"--log-level warning", "", `"WARN"`},
		{"--log-level error", "", ""},
		{"--log-level critical", "", ""},
	} {
		p := start(t, nil, append([]string{"demo", "--bind", "127.0.0.1:0"}, strings.Fields(c.args)...)...)
		p.stop()
		for kind, want := range map[string]string{"INFO": c.infos, "WARN": c.warnings} {
			has := strings.Contains(p.stderr.String(), kind)
			if has != (want != "") || has && !regexp.MustCompile(want).MatchString(p.stderr.String()) {
				t.Errorf("%s: want %q, stderr is\n%s", c.args, want, p.stderr.String())
			}
		}
	}
}

// TestErrorLogfile: the file is appended to, has the end of a command that fails, and what cannot be opened is named.
func TestErrorLogfile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "error.log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--log-file", path)
	status, _, stderr := runToEnd(t, "demo", "--bind", p.at[0], "--error-logfile", path)
	if status != 1 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d, %q", status, stderr)
	}
	p.stop()
	text, _ := os.ReadFile(path)
	if got := string(text); !strings.HasPrefix(got, "before\n{") || !strings.Contains(got, `"RLIMIT_NOFILE`) || !strings.Contains(got, `"level":"ERROR","msg":"weir ends"`) {
		t.Errorf("the log is %s", got)
	}
	missing := filepath.Join(t.TempDir(), "missing", "log")
	status, _, stderr = runToEnd(t, "demo", "--bind", "127.0.0.1:0", "--error-logfile", missing)
	if status != 1 || !strings.Contains(stderr, "--error-logfile") || !strings.Contains(stderr, missing) {
		t.Errorf("exit %d, %q", status, stderr)
	}
}

// TestAccessLogNobodyReads: weir ends although its access log is stuck.
func TestAccessLogNobodyReads(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-log", stuckPipe(t))
	for range 20 {
		p.ask("GET", "/plaintext?"+strings.Repeat("x", 8000))
	}
	if status := p.stop(); status != 0 || !strings.Contains(p.stderr.String(), "last lines are lost") {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// stuckPipe is the name of a pipe that somebody has opened and does not read.
func stuckPipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return path
}
