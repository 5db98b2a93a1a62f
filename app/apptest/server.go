package apptest

import (
	"log"
	"net/http"
	"sync"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// Server is an application behind an http.Server, on a Listener of its own: what goes over the connection is
// real, and several clients may be there at a time.
type Server struct {
	// URL leads to the server, for Client only.
	URL string
	// Client is connected to the server, whatever host its requests name. It follows redirects, as clients do.
	Client   *http.Client
	Listener *Listener
}

// NewServer starts a server that ends with the test. Breaches of the contract are reported to tb as errors; why other
// requests failed, and what the application writes to wsgi.errors, goes to tb's log.
func NewServer(tb testing.TB, application app.Application) *Server {
	listener := Listen()
	out := &testLog{tb: tb}
	server := &http.Server{
		Handler: &nethttp.ApplicationHandler{
			Application: app.Validator(application),
			Failed: func(environ *app.Environ, err error) {
				out.report(broken(err), "%s %s: %v", environ.Method(), environ.Path(), err)
			},
		},
		ErrorLog: log.New(out, "", 0),
	}
	transport := &http.Transport{DialContext: listener.DialContext}
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		out.end()
	})
	return &Server{
		URL:      "http://example.com",
		Client:   &http.Client{Transport: transport},
		Listener: listener,
	}
}

// testLog passes on to a test what comes while it runs: afterwards the test would panic.
type testLog struct {
	mu    sync.Mutex
	tb    testing.TB
	ended bool
}

func (l *testLog) report(failed bool, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
	case failed:
		l.tb.Errorf(format, args...)
	default:
		l.tb.Logf(format, args...)
	}
}

func (l *testLog) Write(p []byte) (int, error) {
	l.report(false, "%s", p)
	return len(p), nil
}

func (l *testLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}
