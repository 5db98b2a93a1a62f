package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"version", "--version", "-v"} {
		status, stdout, stderr := runToEnd(t, word)
		if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "weir ") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%s: exit %d, %q, %q", word, status, stdout, stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"demo", "--help"}, {"help"}, {"help", "run"}} {
		status, stdout, _ := runToEnd(t, args...)
		if status != 0 || !strings.Contains(stdout, "Usage: weir") {
			t.Errorf("weir %q: exit %d, %q", args, status, stdout)
		}
	}
}

// TestUsageErrors: one line that names what is wrong, and exit status 2.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"demo", nil},
		{"nonsense", []string{"nonsense"}},
		{"--nonsense", []string{"demo", "--nonsense"}},
		{"nonsense", []string{"demo", "nonsense"}},
		{"--loops", []string{"demo", "--loops=-1"}},
		{"--loops", []string{"demo", "--loops=many"}},
		{"--loops must be 1 or more", []string{"demo", "--loops", "-1"}},
		{"--workers must be 0 or more", []string{"a:b", "-w", "-1"}},
		{"--max-requests must be 0 or more", []string{"a:b", "--max-requests", "-5"}},
		{"--timeout must be 0 or more", []string{"a:b", "--timeout", "-1s"}},
		{"--timeout must be 0 or more", []string{"a:b", "-t", "-.5"}},
		{`--threads: want a whole number, not "-1.5"`, []string{"a:b", "--threads", "-1.5"}},
		{"--loops: the value is missing", []string{"demo", "--loops"}},
		{"--admin: the value is missing", []string{"demo", "--admin"}},
		{`--loops: want a whole number, not "x"`, []string{"demo", "--loops", "x"}},
		{"weir run nomodule", []string{"nomodule"}},
		{`did you mean "run"`, []string{"rnu", "a:b"}},
		{"--check-config is gunicorn's: weir check", []string{"a:b", "--check-config"}},
		{"--statsd-prefix is gunicorn's: metrics are collected at --admin", []string{"a:b", "--statsd-prefix", "x"}},
		{"--worker-class eventlet is gunicorn's: give gevent", []string{"a:b", "-k", "eventlet"}},
		{"--accept reuseport", []string{"a:b", "--reuse-port"}},
		{"--backlog", []string{"demo", "--backlog=-1"}},
		{"--backlog", []string{"demo", "--backlog=x"}},
		{"--accept", []string{"demo", "--accept=magic"}},
		{"--access-log-format", []string{"demo", "--access-log-format=xml"}},
		{"%(x)s", []string{"demo", "--access-logformat", `%(h)s %(x)s`}},
		{"--access-log-sample", []string{"demo", "--access-log-sample=0"}},
		{"--log-level", []string{"demo", "--log-level", "loud"}},
		{"--log-format", []string{"demo", "--log-format", "xml"}},
		{"systemd", []string{"run", "a:b", "--daemon"}},
		{"systemd", []string{"a:b", "-D"}},
		{"--socket-mode", []string{"demo", "--socket-mode=999"}},
		{"--socket-mode", []string{"demo", "--socket-mode=7777"}},
		{"--umask", []string{"demo", "--umask=0x1"}},
		{"--forwarded-allow-ips", []string{"demo", "--forwarded-allow-ips=localhost"}},
		{"--forwarded-allow-ips", []string{"demo", "--forwarded-allow-ips=none,127.0.0.1"}},
		{"--proxy-protocol", []string{"demo", "--proxy-protocol=127.0.0.1:9000"}},
		{"--proxy-allow-ips", []string{"demo", "--proxy-allow-ips=haproxy"}},
		{"--forwarded-headers", []string{"demo", "--forwarded-headers=x-real-ip"}},
		{"--server-header", []string{"demo", "--server-header=a\r\nb"}},
		{"--graceful-timeout", []string{"demo", "--graceful-timeout=soon"}},
		{"--bind", []string{"demo", "--bind"}},
		{"--admin", []string{"demo", "--admin=nonsense"}},
		{"--bind: cannot listen on http://127.0.0.1:8000: want HOST:PORT, unix:PATH or fd://N, such as 127.0.0.1:8000", []string{"demo", "-b", "http://127.0.0.1:8000"}},
		{"--bind: cannot listen on *:8000: want HOST:PORT, unix:PATH or fd://N, such as 0.0.0.0:8000", []string{"demo", "-b", "*:8000"}},
		{"such as fd://3", []string{"demo", "-b", "fd:3"}},
		{"such as 127.0.0.1:9", []string{"demo", "--admin", "http://127.0.0.1:9/"}},
		{"--bind: 127.0.0.1:8 and 127.0.0.1:8 are the same", []string{"demo", "-b", "127.0.0.1:8", "-b", "127.0.0.1:8"}},
		{"--bind: 127.0.0.1:8 and 0.0.0.0:8 are the same address, or", []string{"demo", "-b", "127.0.0.1:8", "-b", "0.0.0.0:8"}},
		{"--admin 127.0.0.1:8000: --bind has this address", []string{"demo", "--admin", "127.0.0.1:8000"}},
		{"--admin", []string{"demo", "--grip"}},
		{"--grip,", []string{"demo", "--grip-key=a"}},
		{"base64", []string{"demo", "--grip", "--admin=127.0.0.1:0", "--grip-key=base64:?"}},
		{"--grip-key", []string{"demo", "--grip", "--admin=127.0.0.1:0", "--grip-require-token"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, stdout, stderr := runToEnd(t, c.args...)
			if status != 2 || stdout != "" {
				t.Errorf("exit %d, stdout %q; want 2 and nothing", status, stdout)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "weir: ") || !strings.Contains(stderr, c.want) {
				t.Errorf("stderr is %q, want one line with %s", stderr, c.want)
			}
		})
	}
}

// TestUmask: the mask holds for Unix sockets and for the files that the server makes.
func TestUmask(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket, log := filepath.Join(dir, "socket"), filepath.Join(dir, "log")
	p := start(t, nil, "demo", "--bind", "unix:"+socket, "--access-log", log, "--umask", "027")
	defer p.stop()
	for path, want := range map[string]os.FileMode{socket: 0o750, log: 0o640} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has %o, want %o", path, got, want)
		}
	}
}

// TestCannotListen: the command line was right, and yet it cannot be done.
func TestCannotListen(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	address := busy.Addr().String()
	status, stdout, stderr := runToEnd(t, "demo", "--bind", address)
	last := stderr[strings.LastIndexByte(strings.TrimSuffix(stderr, "\n"), '\n')+1:]
	if status != 1 || stdout != "" || !strings.HasPrefix(last, "weir: ") || !strings.Contains(last, address) || !strings.Contains(last, "in use") {
		t.Errorf("exit %d, %q, %q", status, stdout, stderr)
	}
	for _, c := range []struct{ want, option, value string }{
		{"the directory must be there", "--bind", "unix:/nowhere/at/all"},
		{"the directory must be there", "--pid", "/nowhere/at/all"},
		{"no interface of this machine has it", "--bind", "192.0.2.1:0"}, // RFC 5737
	} {
		if status, _, stderr := runToEnd(t, "demo", "--bind", "127.0.0.1:0", c.option, c.value); status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s %s: exit %d, %q", c.option, c.value, status, stderr)
		}
	}
	for _, bind := range []string{"nonsense", "127.0.0.1:99999", "fd://77", "unix:"} {
		status, stdout, stderr := runToEnd(t, "demo", "--bind", bind)
		if status == 0 || stdout != "" || !strings.Contains(stderr, bind) {
			t.Errorf("--bind %s: exit %d, %q, %q", bind, status, stdout, stderr)
		}
	}
}

// TestReadyLine: one line with the addresses, the number of loops and the pid.
func TestReadyLine(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--loops", "3")
	for _, want := range []string{"http://127.0.0.1:", "3 loops", "pid " + strconv.Itoa(p.cmd.Process.Pid)} {
		if !strings.Contains(p.line, want) {
			t.Errorf("it said %q, without %q", p.line, want)
		}
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	inherited, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	file, err := inherited.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "socket")
	args := []string{"demo", "--bind", "127.0.0.1:0", "--bind", "unix:" + path, "--bind", "fd://3", "-b", "127.0.0.1:0", "--socket-mode", "600"}
	ipv6 := false
	if probe, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = probe.Close()
		ipv6 = true
		args = append(args, "--bind", "[::]:0")
	}
	p := start(t, []*os.File{file}, args...)
	_ = file.Close()
	want := 4
	if ipv6 {
		want = 5
	}
	if len(p.at) != want || p.at[1] != "unix:"+path || p.at[2] != inherited.Addr().String() {
		t.Fatalf("it said %q", p.line)
	}
	for _, address := range p.at {
		if r := askAt(t, strings.Replace(address, "[::]", "127.0.0.1", 1), "GET", "/plaintext"); r.body != "Hello, World!" {
			t.Errorf("at %s: %q", address, r.body)
		}
	}
	if ipv6 {
		if r := askAt(t, strings.Replace(p.at[4], "[::]", "[::1]", 1), "GET", "/environ"); !strings.Contains(r.body, `"REMOTE_ADDR": "::1"`) {
			t.Errorf("at [::1]: %s", r.body)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 600", info, err)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket's file is left")
	}
}

func TestServerHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"weir"}},
		{[]string{"--server-header", "something else"}, []string{"something else"}},
		{[]string{"--server-header", ""}, nil},
		{[]string{"--server-header="}, nil},
	} {
		p := start(t, nil, append([]string{"demo", "--bind", "127.0.0.1:0"}, c.args...)...)
		for _, target := range []string{"/plaintext", "/missing", "/stream?chunks=1", "//%"} {
			if r := p.ask("GET", target); strings.Join(r.Header["Server"], "|") != strings.Join(c.want, "|") || r.Header.Get("Date") == "" {
				t.Errorf("%q: GET %s has Server %q and Date %q", c.args, target, r.Header["Server"], r.Header["Date"])
			}
		}
		p.stop()
	}
}

// TestTerminateUnderLoad: SIGTERM ends with exit status 0, and no request that was taken loses its answer.
func TestTerminateUnderLoad(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--loops", "2")
	var answered atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		c := p.dial()
		target := "/plaintext"
		if i%2 == 0 {
			target = "/sleep?ms=1"
		}
		group.Go(func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					return // closed between two requests
				}
				response, err := http.ReadResponse(r, nil)
				if err != nil {
					return
				}
				if _, err := io.ReadAll(response.Body); err != nil {
					t.Errorf("a response was cut off: %v", err)
					return
				}
				answered.Add(1)
				if response.Close {
					return
				}
			}
		})
	}
	slow := p.dial() // a request that certainly runs when the signal comes
	if _, err := io.WriteString(slow, "GET /stream?chunks=4&ms=50 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(slow)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); answered.Load() < 100; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests were answered", answered.Load())
		}
	}
	ended := make(chan int)
	go func() { ended <- p.stop() }()
	rest, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasSuffix(string(rest), "chunk 4 of 4\n") {
		t.Errorf("the running request got %q, %v", rest, err)
	}
	_ = slow.Close()
	if status := <-ended; status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	group.Wait()
}

// TestGracefulTimeoutFlag: requests that run for longer are cut off, and the exit status says so.
func TestGracefulTimeoutFlag(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--graceful-timeout", "0s")
	c := p.dial()
	if _, err := io.WriteString(c, "GET /stream?chunks=1000&ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if status := p.stop(); status != 1 || !strings.Contains(p.stderr.String(), "cut off") {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
