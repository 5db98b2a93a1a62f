package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUpgradeInherits: the successor has every socket, whatever number of loops it has for them, and the file of the Unix socket outlives the
// predecessor and not the line.
func TestUpgradeInherits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, socket := filepath.Join(dir, "weir.toml"), filepath.Join(dir, "socket")
	write := func(loops int, more string) {
		if err := os.WriteFile(config, fmt.Appendf(nil, "loops = %d\n%s", loops, more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(3, "")
	l := startLine(t, binary, "demo", "-c", config, "-b", "127.0.0.1:0", "-b", "unix:"+socket, "-b", "127.0.0.1:0")
	for _, loops := range []int{1, 4, 3} {
		write(loops, fmt.Sprintf("server-header = \"loops-%d\"\n", loops))
		l.upgrade()
		for range 16 { // the system spreads them over the sockets
			for i := range l.at {
				if r := l.ask(i, "/plaintext"); r.body != "Hello, World!" || r.Header.Get("Server") != fmt.Sprintf("loops-%d", loops) {
					t.Fatalf("%d loops, %s: %q of %q", loops, l.at[i], r.body, r.Header.Get("Server"))
				}
			}
		}
	}
	l.end()
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the file of the socket is there still")
	}
}

// TestUpgradeService: the pid file, the address for operators, what systemd has passed and what it is told go over to the successor.
func TestUpgradeService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid, admin, notify := filepath.Join(dir, "pid"), filepath.Join(dir, "admin"), filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	_ = manager.SetReadDeadline(time.Now().Add(2 * patience))
	told := func(want string) {
		t.Helper()
		message := make([]byte, 4096)
		for {
			n, err := manager.Read(message)
			if err != nil {
				t.Fatalf("systemd was not told %s: %v", want, err)
			}
			if slices.Contains(strings.Split(string(message[:n]), "\n"), want) {
				return
			}
		}
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := socket.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = socket.Close()
	defer file.Close()
	l := startLineWith(t, []*os.File{file}, "/bin/sh", "-c", `NOTIFY_SOCKET=$0 LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, notify,
		binary, "demo", "--pid", pid, "--admin", "unix:"+admin)
	if l.at[0] != socket.Addr().String() {
		t.Fatalf("it serves at %s, and was passed %s", l.at[0], socket.Addr())
	}
	for range 2 {
		l.upgrade()
		told(fmt.Sprintf("MAINPID=%d", l.newest()))
		if r := l.ask(0, "/plaintext"); r.body != "Hello, World!" {
			t.Errorf("%q", r.body)
		}
		until(t, "the pid file to name the successor", func() bool { return readPID(pid) == l.newest() })
		if r := askAt(t, "unix:"+admin, "GET", "/readyz"); r.StatusCode != 200 {
			t.Errorf("/readyz says %s %q", r.Status, r.body)
		}
	}
	l.end()
	for _, path := range []string{pid, admin} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is there still", path)
		}
	}
}

// TestUpgradeWithLess: addresses that the successor does not have are given up, with the files of their sockets. That its pid file cannot be written does
// not end a successor in whose place nobody would serve.
func TestUpgradeWithLess(t *testing.T) {
	dir := t.TempDir()
	config, socket, admin, folder := filepath.Join(dir, "weir.toml"), filepath.Join(dir, "socket"), filepath.Join(dir, "admin"), filepath.Join(dir, "run")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l := startLine(t, binary, "demo", "--pid", filepath.Join(folder, "pid"), "-c",
		writeFile(t, config, fmt.Sprintf("bind = ['127.0.0.1:0', 'unix:%s']\nadmin = 'unix:%s'\n", socket, admin)))
	writeFile(t, config, "bind = '127.0.0.1:0'\n")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	l.upgrade()
	l.logs(1, "the pid file still names")
	for _, path := range []string{socket, admin} {
		until(t, path+" to go", func() bool {
			_, err := os.Lstat(path)
			return err != nil
		})
	}
	if r := l.ask(0, "/plaintext"); r.body != "Hello, World!" {
		t.Errorf("%q", r.body)
	}
	l.upgrade()
	l.end()
}

// TestUpgradeKeepsQueue: connections that nobody has accepted when one process leaves the sockets, are accepted by the next. The first one is full: all
// but one wait in the queue.
func TestUpgradeKeepsQueue(t *testing.T) {
	t.Parallel()
	l := startLine(t, binary, "demo", "-b", "127.0.0.1:0", "--max-connections", "1", "--accept-at-once", "--drain-idle", "30s")
	dial := func() net.Conn { return dialTo(t, l.at[0]) }
	ask := func(c net.Conn) {
		t.Helper()
		if _, err := io.WriteString(c, "GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%v, %v", r, err)
		}
		_ = c.Close()
	}
	first := dial()
	if _, err := io.WriteString(first, "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(first)
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	var waiting []net.Conn
	for range 20 {
		waiting = append(waiting, dial())
	}
	l.upgrade()
	for _, c := range waiting {
		ask(c)
	}
	_ = first.Close()
	l.end()
}

// TestUpgradeFails: a successor that does not come to serve changes nothing.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, path := filepath.Join(dir, "weir.toml"), filepath.Join(dir, "weir")
	socket := filepath.Join(dir, "socket")
	if err := os.Symlink(binary, path); err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	l := startLine(t, path, "demo", "-c", writeFile(t, config, ""), "-b", "unix:"+socket, "--upgrade-timeout", "1s")
	goesOn := func(why string) {
		t.Helper()
		l.logs(1, why)
		if r := l.ask(0, "/plaintext"); r.body != "Hello, World!" {
			t.Errorf("%s: %q", why, r.body)
		}
		if n := len(l.pids()); n != 1 {
			t.Errorf("%s: %d have served", why, n)
		}
	}
	writeFile(t, config, "loops = \"none\"\n") // the successor refuses it
	l.signal(syscall.SIGUSR2)
	goesOn("it has ended: exit status 2")
	replace := func(program string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, path); err != nil {
			t.Fatal(err)
		}
	}
	replace(filepath.Join(folder, "idler"))
	l.signal(syscall.SIGUSR2)
	goesOn("it was not ready in 1s")
	replace(filepath.Join(folder, "noprogram"))
	l.signal(syscall.SIGUSR2)
	goesOn("cannot be started")
	replace(binary)
	writeFile(t, config, "")
	l.upgrade()
	if r := l.ask(0, "/plaintext"); r.body != "Hello, World!" {
		t.Errorf("%q", r.body)
	}
	l.end()
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUpgradeInheritedVariable: what is inherited is between two weirs.
func TestUpgradeInheritedVariable(t *testing.T) {
	t.Setenv(inheritVariable, "{")
	status, _, stderr := runToEnd(t, "demo", "-b", "127.0.0.1:0")
	if status != 1 || !strings.Contains(stderr, inheritVariable) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d: %s", status, stderr)
	}
}
