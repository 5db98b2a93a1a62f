package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHangup: what can be changed is changed at SIGHUP, on connections that are open too; what cannot is named.
func TestHangup(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "weir.toml")
	p := start(t, nil, "demo", "-c", writeFile(t, config, "server-header = 'first'\nloops = 1\n"), "-b", "127.0.0.1:0")
	c := p.keepAlive()
	answers := func(server string, status int) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // the Server field is rendered once a second
			r, err := c.ask("/plaintext?" + strings.Repeat("x", 200))
			if err != nil {
				t.Fatal(err)
			}
			if r.Header.Get("Server") == server && r.StatusCode == status {
				return
			}
			if time.Now().After(deadline) || r.Close {
				t.Fatalf("%s by %q, want %d by %q", r.Status, r.Header.Get("Server"), status, server)
			}
		}
	}
	reload := func(text string, log ...string) {
		t.Helper()
		writeFile(t, config, text)
		n := strings.Count(p.stderr.String(), "SIGHUP: the configuration ")
		p.signal(syscall.SIGHUP)
		until(t, "the end of the reload", func() bool { return strings.Count(p.stderr.String(), "SIGHUP: the configuration ") >= n+2 })
		for _, want := range log {
			p.logged(want)
		}
	}
	answers("first", 200)
	reload("server-header = 'second'\nloops = 2\naccess-log-format = 'common'\n", "--access-log-format --loops", "--server-header")
	answers("second", 200)
	reload("server-header = 'third'\nlimit-request-line = 'none'\n", "all stays as it was", "--limit-request-line")
	answers("second", 200)
	reload("server-header = 'third'\nlimit-request-line = 0\n", config+": --limit-request-line must be 1 or more")
	answers("second", 200)
	reload("server-header = 'third\n", "line 1")
	answers("second", 200)
	reload("limit-request-lines = 100\n", `no option \"limit-request-lines\"`, "is near")
	answers("second", 200)
	reload("server-header = 'second'\ncertfile = ['/nowhere']\n", "HTTPS cannot be begun")
	answers("second", 200)
	reload("server-header = 'second'\nlimit-request-line = 100\n", "--limit-request-line")
	if r, err := c.ask("/plaintext?" + strings.Repeat("x", 200)); err != nil || r.StatusCode != 414 {
		t.Errorf("%v, %v", r.Response, err)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d", status)
	}
}

// TestRunHangup: workers with other options take the place of those that there are; when they cannot serve, those go on.
func TestRunHangup(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "weir.toml")
	write := func(text, threads string) {
		writeFile(t, config, fmt.Sprintf("threads = %s\ntimeout = '20s'\n[env]\nTEXT = %q\n", threads, text))
	}
	write("one", "1")
	p := start(t, nil, "run", "app:app", "-c", config, "-b", "127.0.0.1:0", "-w", "1", "--chdir", applications(t))
	says := func(text string) bool { return strings.HasPrefix(p.ask("GET", "/getenv?TEXT").body, text+" ") }
	first, _ := strconv.Atoi(p.ask("GET", "/pid").body)
	slow := make(chan reply, 1)
	go func() { slow <- p.ask("GET", "/sleep?1") }()
	write("two", "2")
	p.signal(syscall.SIGHUP)
	until(t, "the workers with other options", func() bool { return says("two") })
	if r := <-slow; r.StatusCode != 200 {
		t.Errorf("the call that ran meanwhile: %s %q", r.Status, r.body)
	}
	wantGone(t, first)
	write("three", "-1")
	p.signal(syscall.SIGHUP)
	p.logged("all stays as it was")
	if !says("two") {
		t.Error("an option that is wrong has changed the workers")
	}
	for i, text := range []string{"env = ['TEXT']\n", "python = 'no-such-python'\n"} {
		writeFile(t, config, text)
		p.signal(syscall.SIGHUP)
		until(t, text+"to fail", func() bool { return strings.Count(p.stderr.String(), "all stays as it was") >= i+2 })
	}
	if !says("two") {
		t.Error("workers that cannot serve have taken the place of others")
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestHangupDocumented: docs/operations.md says of every option what becomes of it at SIGHUP, as the code has it.
func TestHangupDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	parser := newParser(new(cli), func(int) {})
	var names []string
	for _, command := range parser.Model.Children {
		for name := range flagsOf(command) {
			names = append(names, strings.TrimPrefix(name, "--"))
		}
	}
	for _, c := range []struct {
		row  string
		want []string
	}{{"count at once", countAtOnce}, {"new workers have them", countForWorkers}} {
		row := regexp.MustCompile(`(?m)^\| ` + c.row + ` \| (.*) \|$`).FindSubmatch(text)
		if row == nil {
			t.Errorf("there is no row %q", c.row)
			continue
		}
		var got []string
		for _, m := range regexp.MustCompile("`(?:--)?([a-z-]+)`").FindAllSubmatch(row[1], -1) {
			got = append(got, string(m[1]))
		}
		want := slices.Clone(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the page has\n%q, the code\n%q", c.row, got, want)
		}
		for _, name := range want {
			if name != appKey && !slices.Contains(names, name) {
				t.Errorf("there is no option %s", name)
			}
		}
	}
}

// TestRunResize: SIGTTIN and SIGTTOU change the number of workers, which is one at least. What a worker has begun it finishes.
func TestRunResize(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "run", "app:app", "-b", "127.0.0.1:0", "-w", "1", "--chdir", applications(t))
	workers := func(n int) {
		t.Helper()
		until(t, fmt.Sprintf("%d workers", n), func() bool { return len(childrenOf(t, p.cmd.Process.Pid)) == n })
	}
	workers(1)
	p.signal(syscall.SIGTTIN)
	workers(2)
	p.signal(syscall.SIGTTIN)
	workers(3)
	var calls []chan reply
	for range 3 {
		call := make(chan reply, 1)
		go func() { call <- p.ask("GET", "/sleep?0.5") }()
		calls = append(calls, call)
	}
	for n := 1; n <= 3; n++ {
		p.signal(syscall.SIGTTOU)
		until(t, "the signal to be seen", func() bool { return strings.Count(p.stderr.String(), "SIGTTOU") == n })
	}
	for _, call := range calls {
		if r := <-call; r.StatusCode != 200 {
			t.Errorf("%s %q", r.Status, r.body)
		}
	}
	workers(1)
	p.signal(syscall.SIGHUP)
	p.logged("worker is replaced")
	workers(1)
	if r := p.ask("GET", "/"); r.StatusCode != 200 {
		t.Errorf("%s %q", r.Status, r.body)
	}
	p.signal(syscall.SIGUSR1)
	p.logged("SIGUSR1")
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
