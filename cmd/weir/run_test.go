package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// applications is where the Python applications of tests are.
func applications(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("there is no python3: install Debian's package python3")
	}
	dir, err := filepath.Abs("../../python/testdata/apps")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := applications(t)
	for _, args := range [][]string{
		{"run", "app:app", "-b", "127.0.0.1:0", "-w", "2", "--chdir", dir},
		{"app:app", "-b", "127.0.0.1:0", "-w2", "--chdir", dir, "--timeout", "20", "--keep-alive", "5"},
		{"-w", "2", "--bind=127.0.0.1:0", "--chdir", dir, "-k", "gthread", "--threads", "4", "app:app"},
		{"run", "app:factory()", "-b", "127.0.0.1:0", "--pythonpath", dir, "--threads=2"},
		{"run", "app:app", "-b", "127.0.0.1:0", "--chdir", dir, "-w2", "--preload"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := start(t, nil, args...)
			if r := p.ask("GET", "/"); r.StatusCode != 200 || r.body != "Hello, World!" {
				t.Errorf("%d %q", r.StatusCode, r.body)
			}
			if status := p.stop(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
		})
	}
}

// TestRunEnvironment: what gunicorn's users have in their environment counts, the command line more.
func TestRunEnvironment(t *testing.T) {
	dir := applications(t)
	t.Setenv("WEB_CONCURRENCY", "3")
	t.Setenv("GUNICORN_CMD_ARGS", `--chdir "`+dir+`" -b 127.0.0.1:1 --env 'TEXT=a b'`)
	p := start(t, nil, "app:app", "-b", "127.0.0.1:0")
	if r := p.ask("GET", "/getenv?TEXT"); r.body != "a b "+dir {
		t.Errorf("%q", r.body)
	}
	if p.stop(); !strings.Contains(p.stderr.String(), `"workers":3`) {
		t.Errorf("stderr is %s", p.stderr.String())
	}
	if len(p.at) != 1 {
		t.Errorf("it serves at %q", p.at)
	}
}

// TestRunLogLevel: what workers print is logged whatever the level, by the workers of a reload too.
func TestRunLogLevel(t *testing.T) {
	t.Parallel()
	dir := applications(t)
	for _, level := range []string{"warning", "critical"} {
		for _, format := range []string{"json", "text"} {
			t.Run(level+" "+format, func(t *testing.T) {
				t.Parallel()
				p := start(t, nil, "app:app", "-b", "127.0.0.1:0", "-w", "1", "--chdir", dir, "--log-level", level, "--log-format", format)
				first := p.ask("GET", "/pid").body
				p.ask("GET", "/print?once")
				_ = p.cmd.Process.Signal(syscall.SIGHUP)
				until(t, "another worker to answer", func() bool { return p.ask("GET", "/pid").body != first })
				p.ask("GET", "/print?again")
				p.stop()
				for _, want := range []string{"printed once", "complained once", "reported once", "printed again"} {
					line := regexp.MustCompile(`.*\b` + want + `\b.*`).FindString(p.stderr.String())
					if !strings.Contains(line, "INFO") || !strings.Contains(line, "/print") {
						t.Errorf("%q is logged as %q", want, line)
					}
				}
				if strings.Contains(p.stderr.String(), "workers are ready") {
					t.Errorf("stderr is %s", p.stderr.String())
				}
			})
		}
	}
}

// TestRunGracefulTimeout: a request that is not finished in time is cut off, and the log does not say otherwise.
func TestRunGracefulTimeout(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "app:app", "-b", "127.0.0.1:0", "-w", "1", "--chdir", applications(t), "--graceful-timeout", "1", "--log-format", "text")
	c := p.dial()
	if _, err := io.WriteString(c, "GET /begun?60 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "the call to begin", func() bool { return strings.Contains(p.stderr.String(), "begun 60") })
	p.stop()
	if answer, _ := io.ReadAll(c); len(answer) > 0 {
		t.Errorf("got %q", answer)
	}
	line := regexp.MustCompile(`msg="worker was killed by weir in a request, cut off" .* request\.method=GET request\.path=/begun\n`)
	if stderr := p.stderr.String(); !line.MatchString(stderr) || strings.Contains(stderr, "answered") {
		t.Errorf("stderr is\n%s", stderr)
	}
}

// TestRunPort: PORT is where it listens, at all addresses.
func TestRunPort(t *testing.T) {
	dir := applications(t)
	t.Setenv("PORT", "1") // which only root may listen at
	p := start(t, nil, "run", "app:app", "-b", "127.0.0.1:0", "--chdir", dir)
	if strings.Contains(p.line, ":1 ") {
		t.Errorf("it said %q", p.line)
	}
	p.stop()
	t.Setenv("PORT", "many")
	if status, _, stderr := runToEnd(t, "app:app"); status != 2 || !strings.Contains(stderr, "PORT") {
		t.Errorf("exit %d, %q", status, stderr)
	}
}

// TestRunBodyBuffer: content waits in memory up to so many octets, and in a file above: 0 is no exception.
func TestRunBodyBuffer(t *testing.T) {
	dir := applications(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing")) // files cannot be made
	for buffer, want := range map[string]int{"0": 500, "100000": 500, "1000000": 200} {
		p := start(t, nil, "run", "app:app", "-b", "127.0.0.1:0", "--chdir", dir, "-w", "1", "--body-buffer", buffer)
		response, err := http.Post("http://"+p.at[0]+"/", "application/octet-stream", bytes.NewReader(make([]byte, 200_000)))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("--body-buffer %s: %s, want %d", buffer, response.Status, want)
		}
		p.stop()
	}
}

// TestRunCannotStart: the traceback, one line that says what to do, and exit status 1.
func TestRunCannotStart(t *testing.T) {
	t.Parallel()
	dir := applications(t)
	old, err := filepath.Abs("testdata/python3.7")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args      []string
		want      string
		traceback bool
	}{
		{[]string{"broken:app"}, "no_such_module_anywhere", true},
		{[]string{"broken:app", "--preload"}, "no_such_module_anywhere", true},
		{[]string{"missing:app"}, "missing", true},
		{[]string{"app:nothing"}, "nothing", true},
		{[]string{"app:asynchronous"}, "weir: app:asynchronous is not a WSGI application: it is asynchronous (ASGI)", false},
		{[]string{"app:app", "--python", old}, "3.7.9", false},
		{[]string{"app:app", "--python", "no-such-python"}, "no-such-python", false},
		{[]string{"app:app", "--virtualenv", dir}, "virtualenv", false},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, stdout, stderr := runToEnd(t, append([]string{"run", "--chdir", dir, "-b", "127.0.0.1:0"}, c.args...)...)
			lines := strings.Split(strings.TrimRight(stderr, "\n"), "\n")
			last := lines[len(lines)-1]
			if status != 1 || stdout != "" || !strings.HasPrefix(last, "weir: ") || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, %q, %q", status, stdout, stderr)
			}
			if c.traceback == !strings.Contains(stderr, "Traceback") && c.args[0] == "broken:app" {
				t.Errorf("traceback: %q", stderr)
			}
		})
	}
}

func TestRunUsageErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"module:callable", []string{"run"}},
		{"--worker-class", []string{"run", "a:b", "-k", "tornado"}},
		{"--workers", []string{"a:b", "-w", "-1"}},
		{"--timeout", []string{"a:b", "-t", "soon"}},
		{"--env", []string{"a:b", "-e", "X"}},
		{"--max-requests", []string{"a:b", "--max-requests=-1"}},
		{"--bind", []string{"run", "a:b", "--bind"}},
		{"--loops", []string{"run", "a:b", "--loops=-1"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, stdout, stderr := runToEnd(t, c.args...)
			if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, stdout %q, stderr %q", status, stdout, stderr)
			}
		})
	}
}

// TestRunGunicornConfig: a file that is not read is told of.
func TestRunGunicornConfig(t *testing.T) {
	t.Parallel()
	applications(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"gunicorn.conf.py": "import os\nbind = '0.0.0.0:80'\nmax_requests: int = 5\ndef post_fork(a, b):\n    x = 1\n",
		"small.py":         "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'small']\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, nil, "run", "small", "--chdir", dir, "-b", "127.0.0.1:0", "-w", "1")
	if r := p.ask("GET", "/"); r.body != "small" {
		t.Errorf("%q", r.body)
	}
	p.stop()
	if text := p.stderr.String(); !strings.Contains(text, `"--bind --max-requests"`) {
		t.Errorf("stderr is %s", text)
	}
}

// TestRunHolds: an application holds requests and publishes to them; the hub has no routes of its own. SIGTERM ends what is held.
func TestRunHolds(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "run", "app:app", "--chdir", applications(t), "-b", "127.0.0.1:0", "-w", "1", "--graceful-timeout", "20s")
	poll := p.get("/hold?" + url.PathEscape(`{"topics":"topic","timeout":60,"format":"data"}`))
	for deadline := time.Now().Add(patience); !strings.HasSuffix(p.ask("GET", "/publish?news").body, " 1"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	if r := <-poll; r.StatusCode != 200 || r.body != "news" {
		t.Errorf("the poll got %s %q", r.Status, r.body)
	}
	for _, path := range []string{"/poll/topic?timeout=0", "/events/topic"} {
		if r := p.ask("GET", path); r.body != "no such page\n" {
			t.Errorf("%s: %s %q", path, r.Status, r.body)
		}
	}
	stream, err := http.Get("http://" + p.at[0] + "/hold?" + url.PathEscape(`{"topics":"topic","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	ended := make(chan int)
	go func() { ended <- p.stop() }()
	if text, err := io.ReadAll(stream.Body); err != nil || !strings.HasPrefix(string(text), "retry: ") {
		t.Errorf("the stream got %q, %v", text, err)
	}
	if status := <-ended; status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestRunSignals: SIGHUP replaces workers. SIGTERM lets a call end; workers do not outlive weir, however that ends.
func TestRunSignals(t *testing.T) {
	t.Parallel()
	dir := applications(t)
	p := start(t, nil, "run", "app:app", "--chdir", dir, "-b", "127.0.0.1:0", "-w", "1")
	slow := p.dial()
	if _, err := io.WriteString(slow, "GET /sleep?0.5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // it runs, or is about to
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if text, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 ") {
		t.Errorf("%q, %v", text, err)
	}

	p = start(t, nil, "run", "app:app", "--chdir", dir, "-b", "127.0.0.1:0", "-w", "1")
	first := p.ask("GET", "/pid").body
	_ = p.cmd.Process.Signal(syscall.SIGHUP)
	for deadline := time.Now().Add(patience); p.ask("GET", "/pid").body == first; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("SIGHUP has not replaced the worker")
		}
	}
	worker, err := strconv.Atoi(p.ask("GET", "/pid").body)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Kill()
	p.wait()
	wantGone(t, worker)
}

// TestRunPreloadEnds: neither the template nor workers outlive weir when that is killed, not even in a call that keeps Python's lock.
func TestRunPreloadEnds(t *testing.T) {
	t.Parallel()
	marks := filepath.Join(t.TempDir(), "marks")
	p := start(t, nil, "run", "app:app", "--chdir", applications(t), "-b", "127.0.0.1:0", "-w", "2", "--preload", "-e", "MARKS="+marks)
	pids := childrenOf(t, p.cmd.Process.Pid)
	if len(pids) != 3 {
		t.Fatalf("there are %v", pids)
	}
	c := p.dial()
	defer c.Close()
	if _, err := io.WriteString(c, "GET /markspin?begun HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if text, _ := os.ReadFile(marks); len(text) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the call has not begun")
		}
	}
	_ = p.cmd.Process.Kill()
	p.wait()
	for _, pid := range pids {
		wantGone(t, pid)
	}
}

// childrenOf are the processes that pid has started or adopted.
func childrenOf(t *testing.T, pid int) (pids []int) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		text, _ := os.ReadFile(path) // a thread may have ended
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}

func wantGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(patience); syscall.Kill(pid, 0) == nil && !isZombie(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// isZombie tells whether a process is dead, and nobody has waited for it: what is init in a container may not.
func isZombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(text), ") Z ")
}
