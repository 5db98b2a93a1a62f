//go:build unix

package loop

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/panjf2000/gnet/v2/pkg/socket"
)

func TestListenErrors(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := net.Listen("unix", filepath.Join(dir, "live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	plain, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	client, err := net.Dial("tcp", taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	connected, err := client.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()

	tests := []struct{ address, want string }{
		{"", "want HOST:PORT, unix:PATH or fd://N"},
		{"localhost", "want HOST:PORT"},
		{"127.0.0.1", "want HOST:PORT"},
		{"::1:8000", "want HOST:PORT"},
		{"http://127.0.0.1:8000/", "want HOST:PORT, unix:PATH or fd://N, such as 127.0.0.1:8000"},
		{"//127.0.0.1:8000", "such as 127.0.0.1:8000"},
		{"http://", "want HOST:PORT"},
		{"*:8000", "such as 0.0.0.0:8000"},
		{"fd:3", "such as fd://3"},
		{"8000", "such as 127.0.0.1:8000"},
		{"0.0.0.0", "such as 0.0.0.0:8000"},
		{"a b:8000", "want HOST:PORT"},
		{"127.0.0.1:", `port "" is not a number`},
		{"127.0.0.1:http", `port "http" is not a number`},
		{"127.0.0.1:65536", `port "65536" is not a number up to 65535`},
		{"127.0.0.1:-1", `port "-1" is not a number`},
		{taken.Addr().String(), "address already in use: stop the server that uses it"},
		{"192.0.2.1:8000", "cannot assign requested address"},
		{"unix:", "the path is missing"},
		{"unix:" + file, "the file exists and is not a socket"},
		{"unix:" + dir, "the file exists and is not a socket"},
		{"unix:" + live.Addr().String(), "a server is listening there already"},
		{"unix:" + filepath.Join(dir, "no", "such"), "no such file or directory"},
		{"unix:" + filepath.Join(dir, strings.Repeat("x", 200)), "the path is longer than"},
		{"fd://", `descriptor "" is not a number`},
		{"fd://three", `descriptor "three" is not a number`},
		{"fd://-1", `descriptor "-1" is not a number`},
		{"fd://9999", "descriptor 9999 is not an open socket: bad file descriptor"},
		{fmt.Sprintf("fd://%d", plain.Fd()), "is not an open socket"},
		{fmt.Sprintf("fd://%d", connected.Fd()), "is a socket that does not listen"},
	}
	for _, tt := range tests {
		for _, sockets := range []int{1, 2} {
			t.Run(fmt.Sprint(tt.address, ",", sockets), func(t *testing.T) {
				ln, err := Listen(tt.address, ListenOptions{Sockets: sockets})
				if err == nil {
					ln.Close()
					t.Fatal("no error")
				}
				if text := err.Error(); !strings.HasPrefix(text, "cannot listen on "+tt.address+": ") || !strings.Contains(text, tt.want) {
					t.Errorf("the error is %q, want %q", text, tt.want)
				}
			})
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file has %q, %v", got, err)
	}
}

func TestListenTCP(t *testing.T) {
	tests := []struct {
		address string
		sockets int
		host    string
		clients []string // hosts that can connect
	}{
		{"127.0.0.1:0", 0, "127.0.0.1", []string{"127.0.0.1"}},
		{"127.0.0.1:0", 1, "127.0.0.1", []string{"127.0.0.1"}},
		{"127.0.0.1:0", 4, "127.0.0.1", []string{"127.0.0.1"}},
		{"localhost:0", 2, "127.0.0.1", []string{"127.0.0.1"}},
		{"0.0.0.0:0", 1, "0.0.0.0", []string{"127.0.0.1"}},
		{"[::1]:0", 2, "::1", []string{"::1"}},
		{"[::]:0", 1, "::", []string{"::1", "127.0.0.1"}},
		{"[::]:0", 2, "::", []string{"::1", "127.0.0.1"}},
		{":0", 1, "::", []string{"::1", "127.0.0.1"}},
	}
	ipv6 := true
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		ipv6 = false
	} else {
		_ = l.Close()
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s,%d", tt.address, tt.sockets), func(t *testing.T) {
			if !ipv6 && strings.Contains(tt.host, "::") {
				t.Skip("no IPv6")
			}
			ln, err := Listen(tt.address, ListenOptions{Sockets: tt.sockets, Backlog: 16})
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			if ln.Network() != "tcp" || ln.Host() != tt.host || ln.Port() == 0 || len(ln.fds) != max(1, tt.sockets) {
				t.Errorf("network %s, host %s, port %d, %d sockets", ln.Network(), ln.Host(), ln.Port(), len(ln.fds))
			}
			if want := net.JoinHostPort(tt.host, fmt.Sprint(ln.Port())); ln.String() != want {
				t.Errorf("its name is %s, want %s", ln, want)
			}
			if want := tt.host == "0.0.0.0" || tt.host == "::"; ln.IsExposed() != want {
				t.Errorf("it is exposed: %v, want %v", ln.IsExposed(), want)
			}
			for _, host := range tt.clients {
				c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(ln.Port())))
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
			}
			// The last run's connections do not keep a new one from starting.
			address := ln.String()
			r := newReactor(t, 1)
			r.Listen(ln, func(*Loop) Handler {
				return &peer{do: hooks{opened: func(p *peer) { p.Finish(ReasonDone, false) }}} // in TIME_WAIT
			})
			r.Start()
			expectEOF(t, dial(t, ln))
			r.Stop()
			again, err := Listen(address, ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
		})
	}
}

func TestListenUnix(t *testing.T) {
	exists := func(path string) bool { _, err := os.Lstat(path); return err == nil }
	t.Run("file comes and goes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		for range 2 {
			ln, err := Listen("unix:"+path, ListenOptions{Backlog: 5})
			if err != nil {
				t.Fatal(err)
			}
			if ln.Network() != "unix" || ln.Host() != path || ln.Port() != 0 || ln.String() != "unix:"+path || !exists(path) {
				t.Errorf("network %s, host %s, port %d, name %s", ln.Network(), ln.Host(), ln.Port(), ln)
			}
			ln.Close()
			if exists(path) {
				t.Error("the file is still there")
			}
		}
	})
	t.Run("several at once", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		for range 50 {
			gone, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			gone.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = gone.Close()
			const n = 8
			listeners := make(chan *Listener, n)
			for range n {
				go func() {
					ln, _ := Listen("unix:"+path, ListenOptions{}) // an error: another one has it
					listeners <- ln
				}()
			}
			have := 0
			for range n {
				if ln := <-listeners; ln != nil {
					have++
					defer ln.Close()
				}
			}
			if have != 1 {
				t.Fatalf("%d listen at one path", have)
			}
			_ = os.Remove(path)
		}
	})
	t.Run("stale", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		gone, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		gone.(*net.UnixListener).SetUnlinkOnClose(false)
		_ = gone.Close()
		ln := serve(t, newReactor(t, 1), "unix:"+path, ListenOptions{}, hooks{})
		c := dial(t, ln)
		send(t, c, []byte("x"))
		expect(t, c, "x")
	})
	t.Run("mode", func(t *testing.T) {
		for _, mode := range []fs.FileMode{0o600, 0o660, 0o777} {
			path := filepath.Join(t.TempDir(), "s")
			ln, err := Listen("unix:"+path, ListenOptions{Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != mode {
				t.Errorf("mode %v, %v; want %v", info.Mode().Perm(), err, mode)
			}
			ln.Close()
		}
	})
	t.Run("replaced by another server", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := Listen("unix:"+path, ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		other, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		ln.Close()
		if !exists(path) {
			t.Error("the other server's file was removed")
		}
	})
}

// dup returns a descriptor of f that belongs to no os.File.
func dup(f *os.File) (int, error) { return socket.Dup(int(f.Fd())) }

func TestInherit(t *testing.T) {
	dir := t.TempDir()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(dir, "s")
			}
			parent, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer parent.Close()
			f, err := parent.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			fd, err := dup(f)
			if err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			r := newReactor(t, 2)
			ln := serve(t, r, fmt.Sprintf("fd://%d", fd), ListenOptions{Sockets: 2}, hooks{})
			if want := strings.TrimPrefix(parent.Addr().String(), "unix:"); strings.TrimPrefix(ln.String(), "unix:") != want || ln.Network() != network {
				t.Errorf("it listens on %s %s, want %s", ln.Network(), ln, want)
			}
			c := dial(t, ln)
			send(t, c, []byte("x"))
			expect(t, c, "x")
			r.Stop()
			if network == "unix" {
				if _, err := os.Lstat(address); err != nil {
					t.Errorf("the file is the parent's: %v", err)
				}
			}
		})
	}
}
