package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reachable is a folder that other users can reach, and root owns.
func reachable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wantRefusal checks that --user is refused when weir is not root.
func wantRefusal(t *testing.T, args ...string) {
	t.Helper()
	status, stdout, stderr := runToEnd(t, args...)
	if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "only root may become") {
		t.Errorf("exit %d, %q, %q", status, stdout, stderr)
	}
}

// identityOf are the users and groups of all threads of a process, as /proc has them, each different one once.
func identityOf(t *testing.T, pid int) (different []string) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	lines := regexp.MustCompile(`(?m)^(?:Uid|Gid|Groups):.*$`)
	seen := make(map[string]bool)
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		fields := strings.Fields(strings.Join(lines.FindAllString(string(text), -1), " "))
		if who := strings.Join(fields, " "); !seen[who] {
			seen[who] = true
			different = append(different, who)
		}
	}
	return different
}

func ownerOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d %d", st.Uid, st.Gid)
}

// TestUser: weir becomes another user in all its threads, and what it has made is that user's.
func TestUser(t *testing.T) {
	t.Parallel()
	dir := reachable(t)
	socket, log, pid := filepath.Join(dir, "socket"), filepath.Join(dir, "log"), filepath.Join(dir, "pid")
	args := []string{"demo", "-b", "unix:" + socket, "--user", "4321", "--group", "1234", "--access-log", log, "--pid", pid}
	if os.Getuid() != 0 {
		wantRefusal(t, args...)
		return
	}
	p := start(t, nil, args...)
	who := identityOf(t, p.cmd.Process.Pid)
	if want := "Uid: 4321 4321 4321 4321 Gid: 1234 1234 1234 1234 Groups: 1234"; len(who) != 1 || who[0] != want {
		t.Errorf("the threads are %q, want %q", who, want)
	}
	for _, path := range []string{socket, log, pid} {
		if owner := ownerOf(t, path); owner != "4321 1234" {
			t.Errorf("%s belongs to %s", path, owner)
		}
	}
	if r := p.ask("GET", "/plaintext"); r.StatusCode != 200 {
		t.Errorf("%s", r.Status)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if text, err := os.ReadFile(pid); err != nil || len(text) > 0 { // it may not be removed from root's folder
		t.Errorf("the pid file has %q, %v", text, err)
	}
}

// TestUserUpgrade: the successor is who its predecessor had become, and has the socket, the log and the pid file, which lie in root's folder.
func TestUserUpgrade(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		wantRefusal(t, "demo", "--user", "4321", "--group", "1234")
		return
	}
	dir := reachable(t)
	program, socket, log, pid := filepath.Join(dir, "weir"), filepath.Join(dir, "socket"), filepath.Join(dir, "log"), filepath.Join(dir, "pid")
	if out, err := exec.Command("cp", binary, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := startBy(t, nil, program, "demo", "-b", "unix:"+socket, "--user", "4321", "--group", "1234", "--access-log", log, "--pid", pid)
	_ = p.cmd.Process.Signal(syscall.SIGUSR2)
	next := 0
	t.Cleanup(func() {
		if next > 1 {
			_ = syscall.Kill(next, syscall.SIGKILL)
		}
	})
	until(t, "another process in the pid file", func() bool {
		if p.cmd.Process.Pid != readPID(pid) {
			next = readPID(pid)
		}
		return next != 0
	})
	if who := identityOf(t, next); len(who) != 1 || !strings.HasPrefix(who[0], "Uid: 4321") {
		t.Errorf("the successor is %q", who)
	}
	if r := askAt(t, "unix:"+socket, "GET", "/plaintext"); r.StatusCode != 200 {
		t.Error(r.Status)
	}
	_ = syscall.Kill(next, syscall.SIGTERM)
	wantGone(t, next)
	if status := p.wait(); status != 0 { // the other one has had its standard output
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if text, err := os.ReadFile(log); err != nil || strings.Count(string(text), "/plaintext") != 1 {
		t.Errorf("the log has %q, %v", text, err)
	}
}

// TestUserOfWorkers: Python's workers are that user from the start, with its groups and its home, and so are later ones.
func TestUserOfWorkers(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	groups, err := nobody.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	dir := reachable(t)
	text, err := os.ReadFile(filepath.Join(applications(t), "app.py"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "app.py"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "app:app", "-b", "127.0.0.1:0", "-w", "1", "-u", "nobody", "--chdir", dir, "--initgroups"}
	if os.Getuid() != 0 {
		wantRefusal(t, args...)
		return
	}
	p := start(t, nil, args...)
	defer p.stop()
	want := fmt.Sprintf("Uid: %[1]s %[1]s %[1]s %[1]s Gid: %[2]s %[2]s %[2]s %[2]s Groups: %[3]s", nobody.Uid, nobody.Gid, strings.Join(groups, " "))
	for first := ""; ; {
		pid := p.ask("GET", "/pid").body
		if pid != first {
			number, _ := strconv.Atoi(pid)
			if who := identityOf(t, number); len(who) != 1 || who[0] != want {
				t.Errorf("the worker is %q, want %q", who, want)
			}
			if first != "" {
				break
			}
			first = pid
			_ = p.cmd.Process.Signal(syscall.SIGHUP)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if r := p.ask("GET", "/getenv?HOME"); !strings.HasPrefix(r.body, nobody.HomeDir+" ") {
		t.Errorf("HOME is %q", r.body)
	}
}

// TestUserWrong: a line that names the option.
func TestUserWrong(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"--user nobody-has-this-name":  "--user nobody-has-this-name: there is no such user",
		"--group nobody-has-this-name": "--group nobody-has-this-name: there is no such group",
		"--user 4321":                  "--group",
		"--user -1":                    "--user",
	} {
		status, stdout, stderr := runToEnd(t, append([]string{"demo", "-b", "127.0.0.1:0"}, strings.Fields(line)...)...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %q, %q", line, status, stdout, stderr)
		}
	}
}

// TestUserCannotReadKey: a key that root alone may read is used, and the warning says what that means.
func TestUserCannotReadKey(t *testing.T) {
	t.Parallel()
	pair := certificate(t, "localhost")
	args := append([]string{"demo", "-b", "127.0.0.1:0", "--user", "4321", "--group", "1234"}, pair.flags()...)
	if os.Getuid() != 0 {
		wantRefusal(t, args...)
		return
	}
	p := start(t, nil, args...)
	p.stop()
	if text := p.stderr.String(); !strings.Contains(text, "weir must be restarted") || !strings.Contains(text, pair.key) {
		t.Errorf("stderr is %s", text)
	}
}

// TestPID: the file of a process that has ended is taken, that of one that lives is not, and at the end the file goes if it is weir's still.
func TestPID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pid")
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	write := func(pid int) {
		if err := os.WriteFile(path, []byte(strconv.Itoa(pid)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"demo", "-b", "127.0.0.1:0", "-p", path}
	write(ended.Process.Pid)
	for _, foreign := range []bool{false, true} {
		p := start(t, nil, args...)
		if text, _ := os.ReadFile(path); string(text) != strconv.Itoa(p.cmd.Process.Pid)+"\n" {
			t.Errorf("the file has %q", text)
		}
		if foreign {
			write(os.Getpid())
		}
		if status := p.stop(); status != 0 {
			t.Errorf("exit %d: %s", status, p.stderr.String())
		}
		if _, err := os.Stat(path); (err == nil) != foreign {
			t.Errorf("at the end: %v", err)
		}
	}
	status, stdout, stderr := runToEnd(t, args...)
	if status != 1 || stdout != "" || !strings.Contains(stderr, fmt.Sprintf("weir: --pid %s: process %d, which it names, is running", path, os.Getpid())) {
		t.Errorf("exit %d, %q, %q", status, stdout, stderr)
	}
	status, _, stderr = runToEnd(t, "demo", "-b", "127.0.0.1:0", "--pid", filepath.Join(path, "below"))
	if status != 1 || !strings.Contains(stderr, "weir: --pid ") {
		t.Errorf("exit %d, %q", status, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// TestUnusedPID: what cannot start leaves no pid file, and no socket.
func TestUnusedPID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	status, _, stderr := runToEnd(t, "run", "broken:app", "--chdir", applications(t), "-b", "unix:"+filepath.Join(dir, "socket"), "-p", filepath.Join(dir, "pid"))
	if status != 1 {
		t.Errorf("exit %d, %q", status, stderr)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// startUnder starts weir as systemd would, with sockets from descriptor 3 on and variables; $$ is the process of weir in them.
func startUnder(t *testing.T, files []*os.File, variables string, args ...string) *process {
	t.Helper()
	return startBy(t, files, append([]string{"sh", "-c", "export " + variables + `; exec "$@"`, "sh", binary}, args...)...)
}

// listenTwice are two sockets that listen.
func listenTwice(t *testing.T) (files []*os.File, addresses []string) {
	t.Helper()
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		files, addresses = append(files, f), append(addresses, ln.Addr().String())
	}
	return files, addresses
}

// TestPassedSockets: those of systemd take the place of --bind, unless that names descriptors. They are for the process that they were passed to.
func TestPassedSockets(t *testing.T) {
	t.Parallel()
	const given = "LISTEN_FDS=2 LISTEN_FDNAMES=web:back "
	files, at := listenTwice(t)
	for _, c := range []struct {
		variables string
		args      string
		want      string // "?": an address that weir has bound itself
	}{
		{given + "LISTEN_PID=$$", "", "0 1"},
		{given + "LISTEN_PID=$$", "-b 127.0.0.1:0", "0 1"},
		{given + "LISTEN_PID=$$", "-b fd://back", "1"},
		{given + "LISTEN_PID=$$", "-b 127.0.0.1:0 -b fd://back", "? 1"},
		{given + "LISTEN_PID=$$", "-b fd://4 -b uwsgi:fd://web", "1 uwsgi:0"},
		{"LISTEN_FDS=2 LISTEN_PID=$$", "-b fd://unknown", "0 1"},
		{given + "LISTEN_PID=$$", "--admin fd://back", "0"},
		{given + "LISTEN_PID=1", "-b 127.0.0.1:0", "?"},
	} {
		t.Run(c.variables+" "+c.args, func(t *testing.T) {
			p := startUnder(t, files, c.variables, append([]string{"demo"}, strings.Fields(c.args)...)...)
			var got []string
			for _, address := range p.at {
				name := "?"
				for i := range at {
					if bare, ok := strings.CutSuffix(address, at[i]); ok {
						name = bare + strconv.Itoa(i)
					}
				}
				got = append(got, name)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("it serves at %q: %s", p.at, p.stderr.String())
			}
			if !strings.Contains(c.want, "uwsgi") {
				if r := p.ask("GET", "/plaintext"); r.StatusCode != 200 {
					t.Error(r.Status)
				}
			}
			if status := p.stop(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
			if warned := strings.Contains(p.stderr.String(), "nobody serves these sockets"); warned != (c.args == "-b fd://back" || strings.HasPrefix(c.want, "?") && c.args != "-b 127.0.0.1:0") {
				t.Errorf("stderr is %s", p.stderr.String())
			}
		})
	}
	for _, option := range []string{"--bind", "--admin"} {
		status, _, stderr := runToEnd(t, "demo", option, "fd://web")
		if status != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, option+" fd://web") {
			t.Errorf("exit %d, %q", status, stderr)
		}
	}
}

// TestVariablesOfSystemd: workers do not inherit what was meant for weir.
func TestVariablesOfSystemd(t *testing.T) {
	t.Parallel()
	files, _ := listenTwice(t)
	socket, _ := notifySocket(t)
	p := startUnder(t, files, "LISTEN_FDS=2 LISTEN_FDNAMES=a:b LISTEN_PID=$$ WATCHDOG_USEC=60000000 WATCHDOG_PID=$$ NOTIFY_SOCKET="+socket,
		"run", "app:app", "--chdir", applications(t), "-w", "1")
	defer p.stop()
	worker, err := strconv.Atoi(p.ask("GET", "/pid").body)
	if err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", worker))
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(LISTEN_|NOTIFY_|WATCHDOG_)\w*`).FindAllString(string(environ), -1); len(found) > 0 {
		t.Errorf("a worker has %q", found)
	}
}

// notifySocket is one that systemd would listen at, and the messages that come.
func notifySocket(t *testing.T) (path string, messages <-chan string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	came := make(chan string, 1000)
	go func() {
		defer close(came)
		for buf := make([]byte, 4096); ; {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			came <- string(buf[:n])
		}
	}()
	return path, came
}

// await returns the next message with a line that begins so. Others come before it, except.
func await(t *testing.T, messages <-chan string, line string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-messages:
			if strings.HasPrefix(m, line) || strings.Contains(m, "\n"+line) {
				return m
			}
		case <-deadline:
			t.Fatalf("no %s has come", line)
		}
	}
}

// TestNotify: systemd is told of the beginning, of life, and of the end.
func TestNotify(t *testing.T) {
	t.Parallel()
	socket, messages := notifySocket(t)
	p := startUnder(t, nil, "NOTIFY_SOCKET="+socket+" WATCHDOG_USEC=100000 WATCHDOG_PID=$$", "demo", "-b", "127.0.0.1:0")
	if m := await(t, messages, "READY=1"); !strings.Contains(m, "\nSTATUS=weir serves the demo at http://"+p.at[0]) {
		t.Errorf("it said %q", m)
	}
	for range 3 {
		await(t, messages, "WATCHDOG=1")
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	await(t, messages, "STOPPING=1")
}

// TestNotifyReload: systemd is told of reloading, with the time at which it has begun, and of its end.
func TestNotifyReload(t *testing.T) {
	t.Parallel()
	socket, messages := notifySocket(t)
	p := startUnder(t, nil, "NOTIFY_SOCKET="+socket, "run", "app:app", "--chdir", applications(t), "-w", "1", "-b", "127.0.0.1:0")
	await(t, messages, "READY=1")
	before := monotonic()
	_ = p.cmd.Process.Signal(syscall.SIGHUP)
	m := await(t, messages, "RELOADING=1")
	_, usec, _ := strings.Cut(m, "\nMONOTONIC_USEC=")
	if at, err := strconv.ParseInt(usec, 10, 64); err != nil || at < before.Microseconds() || at > monotonic().Microseconds() {
		t.Errorf("it said %q at %v, %v", m, monotonic(), err)
	}
	await(t, messages, "READY=1")
	p.stop()
}

// TestWatchdog: when a loop is stuck, systemd hears nothing, until it is not.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	socket, messages := notifySocket(t)
	p := startUnder(t, nil, "NOTIFY_SOCKET="+socket+" WATCHDOG_USEC=100000", "demo", "-b", "127.0.0.1:0", "--inline", "--loops", "2", "--test-routes")
	await(t, messages, "WATCHDOG=1")
	c := p.dial()
	if _, err := io.WriteString(c, "GET /spin?ms=60000 HTTP/1.1\r\nHost: demo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "silence", func() bool {
		for len(messages) > 0 {
			<-messages
		}
		time.Sleep(500 * time.Millisecond) // in which ten messages come, while all is well
		return len(messages) == 0 && strings.Contains(p.stderr.String(), "does not answer")
	})
}

// TestNotifyUpgrade: systemd is told which process is the service from now on, and of no end.
func TestNotifyUpgrade(t *testing.T) {
	t.Parallel()
	socket, messages := notifySocket(t)
	p := startUnder(t, nil, "NOTIFY_SOCKET="+socket, "demo", "-b", "127.0.0.1:0")
	await(t, messages, "READY=1")
	_ = p.cmd.Process.Signal(syscall.SIGUSR2)
	await(t, messages, "READY=1") // the successor has the variable
	next, err := strconv.Atoi(strings.TrimPrefix(await(t, messages, "MAINPID="), "MAINPID="))
	if err != nil || next <= 1 || next == p.cmd.Process.Pid {
		t.Fatal(next, err)
	}
	t.Cleanup(func() { _ = syscall.Kill(next, syscall.SIGKILL) }) // or its output has no end
	wantGone(t, p.cmd.Process.Pid)
	for len(messages) > 0 {
		if m := <-messages; strings.Contains(m, "STOPPING=1") {
			t.Errorf("it said %q", m)
		}
	}
	_ = syscall.Kill(next, syscall.SIGTERM)
	await(t, messages, "STOPPING=1")
}
