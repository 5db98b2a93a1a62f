package admin_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/admin"
)

// TestUnixSocket: the file goes with the listener, and no goroutine stays.
func TestUnixSocket(t *testing.T) {
	before := runtime.NumGoroutine()
	path := filepath.Join(t.TempDir(), "admin")
	a, client := listen(t, admin.Options{Address: "unix:" + path})
	if status, body := get(t, client, "/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("%d %q", status, body)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestListenErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		address, want string
		usage         bool
	}{
		{"nonsense", "want HOST:PORT", true},
		{busy.Addr().String(), "in use", false},
	} {
		_, err := admin.Listen(admin.Options{Address: c.address})
		var usage *loop.AddressError
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage {
			t.Errorf("%s: %v", c.address, err)
		}
	}
}

// TestExposed: who opens it to others is told so.
func TestExposed(t *testing.T) {
	for address, want := range map[string]bool{
		"0.0.0.0:0": true, "[::]:0": true, "127.0.0.1:0": false, "unix:" + filepath.Join(t.TempDir(), "admin"): false,
	} {
		var log lockedBuffer
		listen(t, admin.Options{Address: address, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if got := strings.Contains(log.String(), "level=WARN"); got != want {
			t.Errorf("%s: it is warned: %v; log %q", address, got, log.String())
		}
	}
}

// TestReadiness: it goes with the server's life, and with what else has been said to be needed.
func TestReadiness(t *testing.T) {
	a, client := listen(t, admin.Options{Address: "127.0.0.1:0"})
	check := func(path string, status int, want string) {
		t.Helper()
		if got, body := get(t, client, path); got != status || body != want {
			t.Errorf("%s: %d %q, want %d %q", path, got, body, status, want)
		}
	}
	check("/readyz", 503, "starting\n")
	check("/healthz", 200, "ok\n")
	release := make(chan struct{})
	running := make(chan struct{})
	s := serve(t, server.Config{Loops: 2, Application: app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		close(running)
		<-release
		return hello(environ, start)
	})})
	a.Watch(s.Server)
	check("/readyz", 200, "ok\n")
	broken := errors.New("not connected")
	a.AddReadiness("hub", func() error { return broken })
	check("/readyz", 503, "hub: not connected\n")
	check("/healthz", 200, "ok\n")
	broken = nil
	check("/readyz", 200, "ok\n")
	answered := make(chan int, 1)
	go func() {
		status, _ := s.ask(t, "/")
		answered <- status
	}()
	<-running
	s.end()
	until(t, "the server to drain", func() bool { return s.State() != server.Serving })
	check("/readyz", 503, "draining\n")
	check("/healthz", 200, "ok\n")
	close(release)
	if status := <-answered; status != 200 {
		t.Errorf("the request that was running got %d", status)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	check("/readyz", 503, "stopped\n")
	check("/healthz", 200, "ok\n")
}

// TestHealthOfStuckLoop: an application that has promised not to block, and blocks, is what health is for.
func TestHealthOfStuckLoop(t *testing.T) {
	release, running := make(chan struct{}), make(chan struct{})
	s := serve(t, server.Config{Loops: 1, Inline: true, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		close(running)
		<-release
		return hello(environ, start)
	}})
	s.admin.SetAlive(patience / 300)
	answered := make(chan int, 1)
	go func() {
		status, _ := s.ask(t, "/")
		answered <- status
	}()
	<-running
	if status, body := get(t, s.client, "/healthz"); status != 503 || !strings.HasPrefix(body, "loop 0 has not answered") {
		t.Errorf("%d %q", status, body)
	}
	close(release)
	<-answered
	s.admin.SetAlive(patience)
	if status, body := get(t, s.client, "/healthz"); status != 200 {
		t.Errorf("%d %q", status, body)
	}
}

// TestHandle: others may hang handlers in, and a browser on another site's page does not reach them.
func TestHandle(t *testing.T) {
	a, client := listen(t, admin.Options{Address: "127.0.0.1:0"})
	a.Handle("POST /publish/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	for _, c := range []struct {
		site string
		want int
	}{{"", 202}, {"same-origin", 202}, {"cross-site", 403}} {
		r, err := http.NewRequest("POST", "http://localhost/publish/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("from %q: %d, want %d", c.site, answer.StatusCode, c.want)
		}
	}
	for host, want := range map[string]int{
		"localhost": 200, "localhost:9000": 200, "weir.localhost": 200, "127.0.0.1:9000": 200, "[::1]": 200, "[::1]:9000": 200,
		"evil.example": 403, "evil.example:9000": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
	} {
		r, err := http.NewRequest("GET", "http://localhost/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("Host %s: %d, want %d", host, answer.StatusCode, want)
		}
	}
	for path, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/nothing": 404} {
		if got, _ := get(t, client, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}
