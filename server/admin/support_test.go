package admin_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/admin"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// site is a server, and the listener for its operators.
type site struct {
	*server.Server
	admin  *admin.Server
	client *http.Client
	end    func() // ends Serve, and does not wait
	ended  chan error
}

// serve serves until the end of the test.
func serve(t *testing.T, config server.Config) *site {
	t.Helper()
	config.Bind = append(config.Bind, "127.0.0.1:0")
	config.Logger = slog.New(slog.DiscardHandler)
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	site := &site{Server: s, ended: make(chan error, 1)}
	site.admin, site.client = listen(t, admin.Options{Address: "127.0.0.1:0"})
	site.admin.Watch(s)
	ctx, cancel := context.WithCancel(context.Background())
	site.end = cancel
	go func() { site.ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		until(t, "the server to stop", func() bool { return s.State() == server.Stopped })
	})
	until(t, "the server to serve", func() bool { return s.State() == server.Serving })
	return site
}

// listen opens a listener until the end of the test. The client asks it, whatever the host of the URL.
func listen(t *testing.T, o admin.Options) (*admin.Server, *http.Client) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := admin.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	a.SetAlive(patience) // the machine may be slow
	a.SetScrape(patience)
	network, address := "tcp", a.Address()
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		DisableKeepAlives: true,
	}}
	return a, client
}

// get asks the listener for operators.
func get(t *testing.T, client *http.Client, path string) (status int, body string) {
	t.Helper()
	return fetch(t, client, "http://localhost"+path)
}

// ask asks the server itself, on a connection of its own.
func (s *site) ask(t *testing.T, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	return fetch(t, client, "http://"+s.Addresses()[0]+path)
}

func fetch(t *testing.T, client *http.Client, url string) (status int, body string) {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// hello is an application.
func hello(_ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
	return app.String("Hello, World!")
}

// lockedBuffer is what a logger has written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
