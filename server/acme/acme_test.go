package acme_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/acme"
	"github.com/weirhttp/weir/server/acme/pebble"
)

// TestFields: what makes no sense is refused, with the name of the field, before anything is asked of anybody.
func TestFields(t *testing.T) {
	for _, c := range []struct {
		field  string
		word   string
		change func(*acme.Config)
	}{
		{"Domains", "none", func(c *acme.Config) { c.Domains = nil }},
		{"Domains", "wildcard", func(c *acme.Config) { c.Domains = []string{"a.example", "*.a.example"} }},
		{"Domains", "a b", func(c *acme.Config) { c.Domains = []string{"a b"} }},
		{"Domains", "https://a.example", func(c *acme.Config) { c.Domains = []string{"https://a.example"} }},
		{"Domains", "a.example:443", func(c *acme.Config) { c.Domains = []string{"a.example:443"} }},
		{"Domains", `""`, func(c *acme.Config) { c.Domains = []string{""} }},
		{"Agreed", "terms of service", func(c *acme.Config) { c.Agreed = false }},
		{"Email", "nobody", func(c *acme.Config) { c.Email = "nobody" }},
		{"CA", "http://a.example", func(c *acme.Config) { c.CA = "http://a.example" }},
		{"CA", "a.example", func(c *acme.Config) { c.CA = "a.example" }},
		{"Dir", "empty", func(c *acme.Config) { c.Dir = "" }},
	} {
		config := acme.Config{Domains: []string{"a.example"}, Agreed: true, Email: "me@a.example", CA: acme.LetsEncryptStaging, Dir: t.TempDir()}
		c.change(&config)
		m, err := acme.New(config)
		var wrong *acme.FieldError
		if !errors.As(err, &wrong) || wrong.Field != c.field || !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s, %s: got %v", c.field, c.word, err)
		}
		if m != nil {
			t.Errorf("%s, %s: a manager", c.field, c.word)
		}
	}
}

// TestDir: keys are not for others to read, and a folder that is none is told of. No file is touched before Start.
func TestDir(t *testing.T) {
	place, err := os.MkdirTemp("", "acme")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for deadline := time.Now().Add(30 * time.Second); os.RemoveAll(place) != nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		} // the manager may be writing still
	}()
	dir := filepath.Join(place, "a", "b")
	start := func() error {
		m, err := acme.New(acme.Config{Domains: []string{"a.example"}, Agreed: true, CA: "https://127.0.0.1:1/", Dir: dir, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is there before Start", dir)
		}
		return m.Start(443)
	}
	if err := start(); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(place, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(place, "file", "c")
	var wrong *acme.FieldError
	if err := start(); !errors.As(err, &wrong) || wrong.Field != "Dir" {
		t.Error(err)
	}
}

// logged is a log that a test reads while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) await(t *testing.T, word string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			if strings.Contains(line, word) {
				return line
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q is not in the log:\n%s", word, text)
		}
	}
}

// handshake is the name and the issuer of the certificate that a client sees which asks for name.
func handshake(t *testing.T, address string, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", address, config)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// TestHTTP01: an authority that comes by HTTP is answered by the handler, which leaves other requests alone. The certificate is
// taken from the folder by the next manager, when the authority is gone.
func TestHTTP01(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	handler := make(chan http.Handler, 1)
	var serve http.Handler
	var once sync.Once
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { serve = <-handler })
		serve.ServeHTTP(w, r)
	}))
	defer plain.Close()
	port := plain.Listener.Addr().(*net.TCPAddr).Port
	ca := pebble.Start(t, pebble.Port(t), port)
	log := &logged{}
	config := acme.Config{Domains: []string{"a.example", "b.example"}, Agreed: true, CA: ca.Directory, CARoots: ca.Trusted, Dir: t.TempDir(),
		HTTP: true, Log: slog.New(slog.NewTextHandler(log, nil))}
	m, err := acme.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	handler <- m.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "mine") }))
	if err := m.Start(port); err != nil {
		t.Fatal(err)
	}
	log.await(t, "domain=a.example")
	log.await(t, "domain=b.example")
	response, err := http.Get(plain.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(response.Body)
	response.Body.Close()
	if body.String() != "mine" {
		t.Errorf("another request is answered with %q", body.String())
	}
	if len(m.TLSConfig().NextProtos) > 0 {
		t.Errorf("protocols %q, and proofs are by HTTP", m.TLSConfig().NextProtos)
	}
	ca.Stop()
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}

	again, err := acme.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Start(port); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", again.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go acceptAll(l)
	for asked, want := range map[string]string{"a.example": "a.example", "b.example": "b.example", "c.example": "a.example", "": "a.example"} {
		conn, err := handshake(t, l.Addr().String(), &tls.Config{RootCAs: ca.Roots, ServerName: asked, InsecureSkipVerify: asked != want})
		if err != nil {
			t.Fatalf("%q: %v", asked, err)
		}
		if names := conn.ConnectionState().PeerCertificates[0].DNSNames; len(names) != 1 || names[0] != want {
			t.Errorf("%q: the certificate is of %q, want %q", asked, names, want)
		}
	}
	again.Close()
	l.Close()
	plain.Close()
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines+2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) { // pebble's two outlive this: they wait for programs
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// manage makes a manager for a.example, until the end of the test.
func manage(t *testing.T, ca *pebble.Authority) (*acme.Manager, *logged) {
	t.Helper()
	log := &logged{}
	m, err := acme.New(acme.Config{Domains: []string{"a.example"}, Agreed: true, CA: ca.Directory, CARoots: ca.Trusted, Dir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, log
}

// TestRenewal: a certificate that will soon be over is replaced while the server runs, and handshakes have the new one.
func TestRenewal(t *testing.T) {
	acme.CheckEvery(t, 200*time.Millisecond)
	port := pebble.Port(t)
	ca := pebble.StartWith(t, port, pebble.Port(t), 6*time.Second)
	m, log := manage(t, ca)
	l, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port), m.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go acceptAll(l)
	if err := m.Start(port); err != nil {
		t.Fatal(err)
	}
	log.await(t, "renewal=false")
	// It is logged a moment before handshakes have it. A slow machine may see it expire.
	served := func(old string) (serial string) {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			conn, err := handshake(t, l.Addr().String(), &tls.Config{ServerName: "a.example", InsecureSkipVerify: true})
			if err == nil {
				if serial = conn.ConnectionState().PeerCertificates[0].SerialNumber.String(); serial != old {
					return serial
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("handshakes end with %v and the certificate %q", err, serial)
			}
		}
	}
	first := served("")
	log.await(t, "renewal=true")
	served(first)
}

// acceptAll makes the server's part of handshakes, until l is closed.
func acceptAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.(*tls.Conn).Handshake() // the client tells
		conn.Close()
	}
}

// TestRefused: an authority that cannot reach the server is told in one line, with the name and the cause.
func TestRefused(t *testing.T) {
	ca := pebble.Start(t, pebble.Port(t), pebble.Port(t))
	m, log := manage(t, ca)
	if err := m.Start(pebble.Port(t)); err != nil {
		t.Fatal(err)
	}
	line := log.await(t, "no certificate")
	for _, want := range []string{"domain=a.example", "level=ERROR", "Failed to connect", ca.Directory} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %q", want, line)
		}
	}
	_, conn := net.Pipe() // which certmagic asks for its address
	defer conn.Close()
	if _, err := m.TLSConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "a.example", Conn: conn}); err == nil {
		t.Error("there is a certificate")
	}
}
