package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// running is a server that serves.
type running struct {
	*server.Server
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error // what Serve returns
	once   sync.Once
	err    error
	conns  []net.Conn // of dial
}

// serve runs a server on a port that the system chooses, until the test ends.
func serve(t *testing.T, config server.Config) *running {
	t.Helper()
	if config.Bind == nil {
		config.Bind = []string{"127.0.0.1:0"}
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.DrainIdle == 0 {
		config.DrainIdle = -1 // tests leave connections behind
	}
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Server: s, t: t, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		if err := r.stop(); err != nil && !t.Failed() && config.GracefulTimeout == 0 {
			t.Errorf("Serve returned %v", err)
		}
	})
	return r
}

// stop ends the server and returns what Serve returned.
func (r *running) stop() error {
	r.cancel()
	return r.wait()
}

func (r *running) wait() error {
	r.once.Do(func() {
		select {
		case r.err = <-r.ended:
		case <-time.After(patience):
			r.err = errors.New("Serve does not return")
		}
	})
	return r.err
}

func (r *running) url(path string) string { return "http://" + r.Addresses()[0] + path }

func (r *running) dial() net.Conn {
	r.t.Helper()
	network, address := "tcp", strings.TrimPrefix(r.Addresses()[0], "fastcgi:")
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	r.conns = append(r.conns, c)
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// untilRefusing waits until new connections are refused.
func (r *running) untilRefusing() {
	r.t.Helper()
	until(r.t, "new connections to be refused", func() bool {
		c, err := net.DialTimeout("tcp", r.Addresses()[0], patience)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

// hangUp closes what dial has opened: the server waits a while for clients to take note of its end.
func (r *running) hangUp() {
	for _, c := range r.conns {
		_ = c.Close()
	}
}

// until waits for a condition.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// noGoroutinesLeft compares with how many there were before.
func noGoroutinesLeft(t *testing.T, before int) {
	t.Helper()
	until(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func plain(content string) app.Application {
	return func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
		return app.String(content)
	}
}

// ask sends a request on c and returns the response, read whole.
func ask(t *testing.T, c net.Conn, request string) (response *http.Response, body string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return receive(t, bufio.NewReader(c))
}

func receive(t *testing.T, r *bufio.Reader) (response *http.Response, body string) {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(content)
}

func TestServe(t *testing.T) {
	for _, accept := range []server.Accept{server.ReusePort, server.Distribute} {
		t.Run(string(accept), func(t *testing.T) {
			before := runtime.NumGoroutine()
			s := serve(t, server.Config{Application: plain("hello"), Loops: 2, Accept: accept})
			if s.Loops() != 2 || len(s.Addresses()) != 1 || strings.HasSuffix(s.Addresses()[0], ":0") {
				t.Errorf("%d loops at %v", s.Loops(), s.Addresses())
			}
			transport := &http.Transport{}
			client := &http.Client{Transport: transport, Timeout: patience}
			var group sync.WaitGroup
			for range 16 {
				group.Go(func() {
					for range 20 {
						response, err := client.Get(s.url("/"))
						if err != nil {
							t.Error(err)
							return
						}
						content, err := io.ReadAll(response.Body)
						_ = response.Body.Close()
						if err != nil || string(content) != "hello" || response.Header.Get("Server") != "weir" {
							t.Errorf("%q, %v, %v", content, err, response.Header)
						}
					}
				})
			}
			group.Wait()
			transport.CloseIdleConnections()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			noGoroutinesLeft(t, before)
		})
	}
}

func TestNewErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	plain := plain("")
	for _, c := range []struct {
		name   string
		config server.Config
		want   string
	}{
		{"no application", server.Config{Bind: []string{"127.0.0.1:0"}}, "Application"},
		{"address in use", server.Config{Application: plain, Bind: []string{busy.Addr().String()}}, busy.Addr().String()},
		{"second address in use", server.Config{Application: plain, Bind: []string{"127.0.0.1:0", busy.Addr().String()}}, busy.Addr().String()},
		{"no port", server.Config{Application: plain, Bind: []string{"127.0.0.1"}}, "127.0.0.1"},
		{"port too large", server.Config{Application: plain, Bind: []string{"127.0.0.1:65536"}}, "65536"},
		{"port no number", server.Config{Application: plain, Bind: []string{"127.0.0.1:http"}}, "http"},
		{"not our address", server.Config{Application: plain, Bind: []string{"192.0.2.1:0"}}, "192.0.2.1"},
		{"unix without path", server.Config{Application: plain, Bind: []string{"unix:"}}, "path"},
		{"unix at a file", server.Config{Application: plain, Bind: []string{"unix:" + file}}, "not a socket"},
		{"unix in no directory", server.Config{Application: plain, Bind: []string{"unix:" + file + "/x"}}, file},
		{"no descriptor", server.Config{Application: plain, Bind: []string{"fd://999"}}, "999"},
		{"descriptor no number", server.Config{Application: plain, Bind: []string{"fd://x"}}, "x"},
		{"negative loops", server.Config{Application: plain, Loops: -1}, "Loops"},
		{"negative backlog", server.Config{Application: plain, Backlog: -1}, "Backlog"},
		{"unknown way to accept", server.Config{Application: plain, Accept: "magic"}, "magic"},
		{"control in Server", server.Config{Application: plain, ServerHeader: "a\r\nX: b"}, "ServerHeader"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			s, err := server.New(c.config)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("New returned %v, want one line with %q", err, c.want)
			}
			if err2 := s.Serve(t.Context()); err2 != err {
				t.Errorf("Serve returned %v, want %v", err2, err)
			}
			noGoroutinesLeft(t, before)
		})
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file that was no socket is gone")
	}
	if err := server.MakeServer("127.0.0.1", busy.Addr().(*net.TCPAddr).Port, plain).ServeForever(); err == nil {
		t.Error("ServeForever returned nil with an address in use")
	}
}

// TestNewListens: clients may connect from New on, and are served when Serve runs.
func TestNewListens(t *testing.T) {
	s, err := server.New(server.Config{Application: plain("hello"), Bind: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: s, t: t, ended: make(chan error, 1)}
	c := r.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.ended <- s.Serve(ctx) }()
	if _, body := receive(t, bufio.NewReader(c)); body != "hello" {
		t.Errorf("received %q", body)
	}
	if err := s.Serve(ctx); err == nil {
		t.Error("a second Serve returned nil")
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := s.Serve(t.Context()); err == nil {
		t.Error("Serve behind the end returned nil")
	}
}

// TestShutdownBeforeServe: a server that never served gives its address back.
func TestShutdownBeforeServe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	s, err := server.New(server.Config{Application: plain(""), Bind: []string{"127.0.0.1:0", "unix:" + path}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(t.Context()); !errors.Is(err, server.ErrServerClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket's file is left")
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	// One that a server left behind which is gone.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()

	config := server.Config{Bind: []string{"unix:" + path}, SocketMode: 0o620}
	config.Application = func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		address, hasAddress := environ.Lookup("REMOTE_ADDR")
		return app.String(fmt.Sprintf("%s %s %v %q", environ.Get("SERVER_NAME"), environ.Get("SERVER_PORT"), hasAddress, address))
	}
	s := serve(t, config)
	if s.Addresses()[0] != "unix:"+path {
		t.Errorf("the address is %s", s.Addresses()[0])
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o620 {
		t.Errorf("%v, %v; want mode 620", info, err)
	}
	_, body := ask(t, s.dial(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if body != `localhost 80 true ""` {
		t.Errorf("SERVER_NAME, SERVER_PORT, whether there is REMOTE_ADDR, and that: %s", body)
	}
	if _, err := server.New(config); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("New at a live socket returned %v", err)
	}
	if _, body := ask(t, s.dial(), "GET / HTTP/1.0\r\n\r\n"); body == "" {
		t.Error("the live socket was taken away")
	}
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket's file is left")
	}
}

// TestTwoServers: servers in one process do not know of each other.
func TestTwoServers(t *testing.T) {
	first := serve(t, server.Config{Application: plain("first"), ServerHeader: "one"})
	second := serve(t, server.Config{Application: plain("second"), NoServerHeader: true})
	c := second.dial()
	for range 2 {
		response, body := ask(t, first.dial(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if body != "first" || response.Header.Get("Server") != "one" {
			t.Errorf("%q, %v", body, response.Header)
		}
		response, body = ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if body != "second" || len(response.Header["Server"]) > 0 {
			t.Errorf("%q, %v", body, response.Header)
		}
	}
	first.hangUp()
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	if _, body := ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); body != "second" {
		t.Error("the end of one server ended the other")
	}
}
