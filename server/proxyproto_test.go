package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// whoAsks answers with who the environ says asks.
func whoAsks(environ *app.Environ, start app.StartResponse) app.Body {
	var b strings.Builder
	for _, key := range []string{"REMOTE_ADDR", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "HTTP_X_FORWARDED_FOR"} {
		if v, ok := environ.Lookup(key); ok {
			b.WriteString(v + " ")
		}
	}
	start("200 OK", nil)
	return app.String(strings.TrimSpace(b.String()))
}

const (
	prefaceV1    = "PROXY TCP4 192.0.2.1 203.0.113.5 50000 8443\r\n"
	prefaceV2    = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x1e\xc0\x00\x02\x01\xcb\x00\x71\x05\xc3\x50\x20\xfb\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
	prefaceLocal = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	request      = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
)

func TestProxyProtocol(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	r := serve(t, server.Config{
		Application: whoAsks, Bind: []string{"127.0.0.1:0", "unix:" + socket}, ProxyProtocol: []string{server.AllAddresses}, AcceptAtOnce: true,
	})
	_, port, _ := net.SplitHostPort(r.Addresses()[0])
	forged := "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n"
	for _, c := range []struct{ name, preface, request, want string }{
		{"version 1", prefaceV1, request, "192.0.2.1 http 203.0.113.5 8443"},
		{"version 2 with TLS", prefaceV2, request, "192.0.2.1 https 203.0.113.5 8443"},
		{"the proxy itself", prefaceLocal, request, "127.0.0.1 http 127.0.0.1 " + port},
		{"a client that is not named", "PROXY UNKNOWN\r\n", request, "127.0.0.1 http 127.0.0.1 " + port},
		{"what a client says of others", prefaceV1, forged, "192.0.2.1 http 203.0.113.5 8443"},
		{"what one says who is not named", "PROXY UNKNOWN\r\n", forged, "127.0.0.1 http 127.0.0.1 " + port},
		{"what the proxy says of its client", prefaceLocal, forged, "198.51.100.1 http 127.0.0.1 " + port + " 198.51.100.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cut := range []int{len(c.preface + c.request), len(c.preface), 1} { // in how large pieces it comes
				conn := r.dial()
				for piece := []byte(c.preface + c.request); len(piece) > 0; piece = piece[min(cut, len(piece)):] {
					if _, err := conn.Write(piece[:min(cut, len(piece))]); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 { // and it is so for the next request
					_, body := receive(t, bufio.NewReader(conn))
					if body != c.want {
						t.Fatalf("in pieces of %d: got %s, want %s", cut, body, c.want)
					}
					_, _ = io.WriteString(conn, c.request)
				}
			}
		})
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, body := ask(t, conn, prefaceV1+request); body != "192.0.2.1 http 203.0.113.5 8443" {
		t.Errorf("at a Unix socket: %s", body)
	}
}

// TestProxyProtocolRefusals: a connection without a preface is closed without an answer, and the log says why, but not for each.
func TestProxyProtocolRefusals(t *testing.T) {
	for _, c := range []struct {
		name, send, why string
		change          func(*server.Config)
	}{
		{"none", request, "does not begin with a PROXY preface", nil},
		{"malformed", "PROXY TCP4 a b c d\r\n" + request, "address", nil},
		{"not trusted", prefaceV1 + request, "does not come from a trusted proxy", func(c *server.Config) { c.ProxyAllowIPs = []string{"10.0.0.0/8"} }},
		{"too slow", "PROXY TCP4 192.", "took too long", func(c *server.Config) { c.HeadTimeout = 100 * time.Millisecond }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log lockedBuffer
			config := server.Config{
				Application: whoAsks, Bind: []string{"127.0.0.1:0"}, ProxyProtocol: []string{"127.0.0.1:0"}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}
			if c.change != nil {
				c.change(&config)
			}
			r := serve(t, config)
			for range 3 {
				conn := r.dial()
				_, _ = io.WriteString(conn, c.send)
				if got, err := io.ReadAll(conn); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("got %q, %v", got, err)
				}
			}
			if got := log.String(); strings.Count(got, "connection closed") != 1 || !strings.Contains(got, c.why) {
				t.Errorf("want one line of %q:\n%s", c.why, got)
			}
		})
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestProxyProtocolCountsClients: the limit of connections of an address is that of the clients, not of the proxy.
func TestProxyProtocolCountsClients(t *testing.T) {
	r := serve(t, server.Config{
		Application: whoAsks, Bind: []string{"127.0.0.1:0"}, ProxyProtocol: []string{server.AllAddresses}, MaxPerAddress: 2,
	})
	of := func(client string) (net.Conn, int) {
		conn := r.dial()
		response, _ := ask(t, conn, "PROXY TCP4 "+client+" 203.0.113.5 50000 8443\r\n"+request)
		return conn, response.StatusCode
	}
	first, _ := of("192.0.2.1")
	for _, c := range []struct {
		client string
		want   int
	}{{"192.0.2.1", 200}, {"192.0.2.1", 503}, {"192.0.2.2", 200}, {"192.0.2.2", 200}, {"192.0.2.2", 503}} {
		if _, status := of(c.client); status != c.want {
			t.Errorf("%s: %d, want %d", c.client, status, c.want)
		}
	}
	_ = first.Close()
	until(t, "the client may come again", func() bool {
		_, status := of("192.0.2.1")
		return status == 200
	})
}

// TestProxyProtocolEnd: connections that have not sent their preface do not hold up the end of the server, and a request
// that runs is answered.
func TestProxyProtocolEnd(t *testing.T) {
	g := newGate()
	r := serve(t, server.Config{
		Application: g.application(), Bind: []string{"127.0.0.1:0"}, ProxyProtocol: []string{server.AllAddresses}, AcceptAtOnce: true,
	})
	half, silent, closed, runs := r.dial(), r.dial(), r.dial(), r.dial()
	_, _ = io.WriteString(runs, prefaceV1+request)
	until(t, "the application is called", func() bool { return g.calls.Load() == 1 })
	_, _ = io.WriteString(half, "PROXY TCP4 ")
	_ = closed.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(closed); len(got) > 0 || err != nil {
		t.Errorf("closed before the preface: %q, %v", got, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.stop() }()
	for _, c := range []net.Conn{half, silent} {
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %q, %v", got, err)
		}
	}
	close(g.release)
	if response, body := receive(t, bufio.NewReader(runs)); body != "finished" || !response.Close {
		t.Errorf("got %q, close: %v", body, response.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
