package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
)

// localhost makes a certificate for localhost.
func localhost(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

// encrypted is a server that speaks HTTPS.
type encrypted struct {
	*running
	client *tls.Config // what its clients need
}

func serveTLS(t *testing.T, config server.Config) *encrypted {
	t.Helper()
	certificate, roots := localhost(t)
	if config.TLS == nil {
		config.TLS = &server.TLS{}
	}
	config.TLS.Config = &tls.Config{Certificates: []tls.Certificate{certificate}}
	return &encrypted{serve(t, config), &tls.Config{RootCAs: roots, ServerName: "localhost"}}
}

// socket is a TCP connection to the server.
func (e *encrypted) socket() *net.TCPConn {
	e.t.Helper()
	c, err := net.DialTimeout("tcp", e.Addresses()[0], patience)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// connect is a TLS connection to the server, over c.
func (e *encrypted) connect(c net.Conn) *tls.Conn {
	e.t.Helper()
	s := tls.Client(c, e.client)
	if err := s.Handshake(); err != nil {
		e.t.Fatal(err)
	}
	return s
}

// getOver sends a request and returns the text of the answer.
func getOver(t *testing.T, c net.Conn, target string) string {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tlsApplication answers in the ways that there are.
func tlsApplication(environ *app.Environ, start app.StartResponse) app.Body {
	n, _ := strconv.Atoi(string(environ.Query()))
	switch string(environ.Path()) {
	case "/sum": // of the content, which may stream
		h := sha256.New()
		if _, err := environ.Input().WriteTo(h); err != nil {
			return nil
		}
		start("200 OK", nil)
		return app.String(fmt.Sprintf("%x", h.Sum(nil)))
	case "/octets":
		start("200 OK", nil)
		return app.ReaderN(io.LimitReader(counting{}, int64(n)), int64(n))
	case "/file":
		f, err := os.Open(environ.Get("weir.test.file"))
		if err != nil {
			panic(err)
		}
		body, err := app.FileBody(f, 0, int64(n))
		if err != nil {
			panic(err)
		}
		start("200 OK", nil)
		return body
	case "/late":
		d := environ.Defer()
		time.AfterFunc(time.Duration(n)*time.Millisecond, func() {
			_ = d.Start("200 OK", nil)
			_, _ = d.Write([]byte("late"))
			_ = d.Close()
		})
		return nil
	case "/blocks":
		time.Sleep(time.Duration(n) * time.Millisecond)
	}
	start("200 OK", nil)
	return app.String(environ.Get("wsgi.url_scheme") + " " + environ.Get("HTTPS") + " " + environ.Get("SSL_PROTOCOL") + " " + environ.Get("REMOTE_ADDR"))
}

// counting reads as octets that differ.
type counting struct{}

func (counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 7)
	}
	return len(p), nil
}

func TestTLS(t *testing.T) {
	e := serveTLS(t, server.Config{Application: tlsApplication})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		e.client.MinVersion, e.client.MaxVersion = version, version
		c := e.connect(e.socket())
		want := "https on " + strings.Replace(tls.VersionName(version), "TLS ", "TLSv", 1) + " 127.0.0.1"
		for range 3 { // kept alive
			if got := getOver(t, c, "/"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if got := getOver(t, c, "/blocks?50"); got != want {
			t.Errorf("after a call that blocks: %q", got)
		}
		if got := getOver(t, c, "/late?20"); got != "late" {
			t.Errorf("deferred: %q", got)
		}
		if got := getOver(t, c, "/"); got != want {
			t.Errorf("at last: %q, want %q", got, want)
		}
	}
}

// slowly passes octets on one at a time, and splits what is sent into single octets too.
type slowly struct{ net.Conn }

func (s slowly) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// Neither records nor the greeting need come at once.
func TestTLSOctetByOctet(t *testing.T) {
	e := serveTLS(t, server.Config{Application: tlsApplication, AcceptAtOnce: true})
	c := e.connect(slowly{e.socket()})
	for range 2 {
		if got := getOver(t, c, "/"); !strings.HasPrefix(got, "https on") {
			t.Error(got)
		}
	}
}

// All that a client sends behind its part of the handshake at once reaches the application, whichever way it is cut.
func TestTLSContent(t *testing.T) {
	e := serveTLS(t, server.Config{Application: tlsApplication})
	for _, size := range []int{0, 1, 100, 16 << 10, 64 << 10, 64<<10 + 1, 1 << 20, 20 << 20} {
		content := make([]byte, size)
		_, _ = rand.Read(content)
		want := fmt.Sprintf("%x", sha256.Sum256(content))
		c := e.connect(e.socket())
		for range 2 {
			go func() {
				_, _ = fmt.Fprintf(c, "POST /sum HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", size)
				_, _ = c.Write(content)
			}()
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(size, err)
			}
			if got, _ := io.ReadAll(response.Body); string(got) != want {
				t.Errorf("%d octets: %s, want %s", size, got, want)
			}
		}
	}
}

// Requests that come at once, and are held meanwhile, are all answered, in order.
func TestTLSPipelined(t *testing.T) {
	const n = 2000
	e := serveTLS(t, server.Config{Application: tlsApplication})
	c := e.connect(e.socket())
	go func() {
		var b bytes.Buffer
		for i := range n {
			target := fmt.Sprint("/octets?", i)
			if i%500 == 250 {
				target = "/late?5"
			}
			fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: localhost\r\nPadding: %s\r\n\r\n", target, strings.Repeat("x", i%100))
		}
		_, _ = c.Write(b.Bytes())
	}()
	in := bufio.NewReader(c)
	for i := range n {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		size, err := io.Copy(io.Discard, response.Body)
		if want := int64(i); err != nil || size != want && i%500 != 250 {
			t.Fatalf("answer %d: %d octets, %v", i, size, err)
		}
	}
}

// Large answers arrive as they were sent, from memory and from files, at clients that read late too.
func TestTLSDownload(t *testing.T) {
	const size = 24 << 20
	file := filepath.Join(t.TempDir(), "file")
	content := make([]byte, size)
	_, _ = counting{}.Read(content)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	e := serveTLS(t, server.Config{Application: tlsApplication, Environ: map[string]any{"weir.test.file": file}})
	for _, path := range []string{"/octets", "/file"} {
		c := e.connect(e.socket())
		for range 2 {
			if _, err := fmt.Fprintf(c, "GET %s?%d HTTP/1.1\r\nHost: localhost\r\n\r\n", path, size); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond) // the server meets a full socket
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			h := sha256.New()
			n, err := io.Copy(h, response.Body)
			if want := sha256.Sum256(content); path == "/file" && !bytes.Equal(h.Sum(nil), want[:]) {
				t.Error("the file has changed on its way")
			}
			if n != size || err != nil {
				t.Errorf("%s: %d octets, %v", path, n, err)
			}
		}
	}
}

// A client that ends its sending with close_notify is answered, and told by close_notify that this was all; what was cut off ends
// without it.
func TestTLSEnds(t *testing.T) {
	waits, left := make(chan struct{}, 1), make(chan struct{}, 1)
	e := serveTLS(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		switch string(environ.Path()) {
		case "/waits":
			d := environ.Defer()
			waits <- struct{}{}
			go func() { <-d.Done(); left <- struct{}{} }()
			return nil
		case "/fails":
			start("200 OK", nil)
			return app.Seq(func(yield func([]byte) bool) {
				yield([]byte("some"))
				panic(http.ErrAbortHandler)
			})
		}
		start("200 OK", nil)
		return app.Seq(func(yield func([]byte) bool) { yield([]byte("all of it")) })
	}})
	ask := func(path string) *tls.Conn {
		c := e.connect(e.socket())
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := ask("/")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.HasSuffix(got, []byte("all of it")) {
		t.Errorf("%q, %v", got, err)
	}
	c = ask("/fails")
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("an answer that was cut off ends as if it were whole: %q", got)
	}
	for name, leave := range map[string]func(*tls.Conn){
		"close_notify": func(c *tls.Conn) { _ = c.CloseWrite() },
		"end of TCP":   func(c *tls.Conn) { _ = c.NetConn().(*net.TCPConn).CloseWrite() },
		"reset":        func(c *tls.Conn) { s := c.NetConn().(*net.TCPConn); _ = s.SetLinger(0); _ = s.Close() },
	} {
		c := ask("/waits")
		<-waits
		leave(c)
		select {
		case <-left:
		case <-time.After(patience):
			t.Errorf("%s is not noticed", name)
		}
	}
}

// What is no greeting ends the connection: with a word that the client understands, where there is one.
func TestTLSGarbage(t *testing.T) {
	e := serveTLS(t, server.Config{Application: tlsApplication})
	start := func(length int) string { return string([]byte{22, 3, 1, byte(length >> 8), byte(length)}) }
	for _, tt := range []struct{ name, send, want string }{
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
		{"HTTP, one octet", "G", "HTTP/1.1 400 "},
		{"old TLS", "\x80\x2e\x01\x00\x02", "\x15\x03\x01\x00\x02\x02\x46"},
		{"a record too long", start(20000), "\x15\x03\x01\x00\x02\x02\x46"},
		{"octets", "\x00\x01\x02", ""},
		{"an empty record", start(0), "\x15"},
		{"garbage in a greeting", start(5) + "hello", "\x15"},
		{"half a greeting, and the end", start(500) + "hello", ""},
	} {
		c := e.socket()
		if _, err := io.WriteString(c, tt.send); err != nil {
			t.Fatal(err)
		}
		if tt.want == "" {
			_ = c.CloseWrite()
		}
		got, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") || !strings.HasPrefix(string(got), tt.want) || tt.want == "" && len(got) > 0 {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	c := e.connect(e.socket())
	if _, err := c.NetConn().Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32))); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("a record that is forged: %q", got)
	}
}

// Handshakes are limited in time, and in number; those whose clients are slow with the first message cost nothing, and hold up nobody.
func TestTLSSlowHandshakes(t *testing.T) {
	e := serveTLS(t, server.Config{
		Application:  tlsApplication,
		AcceptAtOnce: true,
		TLS:          &server.TLS{HandshakeTimeout: 2 * time.Second, MaxHandshakes: 1},
	})
	var slow []net.Conn
	for range 20 {
		c := e.socket()
		_, _ = c.Write([]byte{22, 3, 1, 2})
		slow = append(slow, c)
	}
	if got := getOver(t, e.connect(e.socket()), "/"); !strings.HasPrefix(got, "https on") {
		t.Error(got)
	}
	stuck := e.socket() // has the one place
	_, _ = stuck.Write(greeting(t))
	if _, err := io.ReadFull(stuck, make([]byte, 5)); err != nil { // the server's part
		t.Fatal(err)
	}
	for _, c := range append(slow, stuck) {
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("a slow client: %v", err)
		}
	}
	if got := getOver(t, e.connect(e.socket()), "/"); !strings.HasPrefix(got, "https on") {
		t.Error(got)
	}
	e.stop()
}

// greeting is the greeting of a client that says no more.
func greeting(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() { _ = tls.Client(client, &tls.Config{ServerName: "localhost"}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// Connections that negotiate another protocol are its, and are waited for.
func TestTLSProtocols(t *testing.T) {
	addresses := make(chan string, 1)
	e := serveTLS(t, server.Config{Application: tlsApplication, TLS: &server.TLS{
		Protocols: map[string]func(*tls.Conn, *loop.Detached){"shout": func(c *tls.Conn, d *loop.Detached) {
			defer c.Close()
			addresses <- c.RemoteAddr().String()
			line, err := bufio.NewReader(c).ReadString('\n')
			if err == nil {
				_, _ = io.WriteString(c, strings.ToUpper(line))
			}
		}},
	}})
	e.client.NextProtos = []string{"shout"}
	c := e.connect(e.socket())
	if got := c.ConnectionState().NegotiatedProtocol; got != "shout" {
		t.Fatalf("negotiated %q", got)
	}
	if got, want := <-addresses, c.LocalAddr().String(); got != want {
		t.Errorf("the client's address is %s, want %s", got, want)
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "HELLO\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	e.client.NextProtos = []string{"http/1.1"}
	if got := getOver(t, e.connect(e.socket()), "/"); !strings.HasPrefix(got, "https on") {
		t.Error(got)
	}
	e.client.NextProtos = []string{"unheard-of"}
	if err := tls.Client(e.socket(), e.client).Handshake(); err == nil {
		t.Error("a protocol that nobody speaks was agreed upon")
	}
}

// A client that has more connections than it may is closed before a handshake, and one that has closed its own has room again.
func TestTLSPerAddress(t *testing.T) {
	e := serveTLS(t, server.Config{Application: tlsApplication, MaxPerAddress: 1, AcceptAtOnce: true})
	first := e.connect(e.socket())
	getOver(t, first, "/")
	if got, err := io.ReadAll(e.socket()); len(got) > 0 || err != nil {
		t.Errorf("one too many: %q, %v", got, err)
	}
	_ = first.Close()
	until(t, "there is room again", func() bool {
		c := tls.Client(e.socket(), e.client)
		defer c.Close()
		return c.Handshake() == nil
	})
}

// Clients that vanish at any moment leave neither a goroutine nor a descriptor.
func TestTLSVanish(t *testing.T) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	e := serveTLS(t, server.Config{Application: tlsApplication, AcceptAtOnce: true})
	hello := greeting(t)
	for i := range 120 {
		raw := e.socket()
		switch i % 6 {
		case 0: // at once
		case 1: // in the middle of the greeting
			_, _ = raw.Write(hello[:len(hello)/2])
		case 2: // behind it
			_, _ = raw.Write(hello)
		case 3: // in the middle of the handshake
			_, _ = raw.Write(hello)
			_, _ = io.ReadFull(raw, make([]byte, 5))
		case 4: // in the middle of a download
			c := e.connect(raw)
			_, _ = io.WriteString(c, "GET /octets?50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
			_, _ = io.ReadFull(c, make([]byte, 1000))
		case 5: // in the middle of an upload
			c := e.connect(raw)
			_, _ = io.WriteString(c, "POST /sum HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\nsome")
		}
		if i%12 < 6 {
			_ = raw.SetLinger(0)
		}
		_ = raw.Close()
	}
	if got := getOver(t, e.connect(e.socket()), "/"); !strings.HasPrefix(got, "https on") {
		t.Error(got)
	}
	if err := e.stop(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, goroutines)
	until(t, "descriptors to be closed", func() bool { return openDescriptors(t) <= descriptors+1 }) // the client's last
}

// Shutdown answers what runs, says goodbye, and leaves nothing.
func TestTLSShutdown(t *testing.T) {
	e := serveTLS(t, server.Config{Application: tlsApplication})
	idle, busy := e.connect(e.socket()), e.connect(e.socket())
	getOver(t, idle, "/")
	if _, err := io.WriteString(busy, "GET /late?300 HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	greeted := e.socket() // in the middle of a handshake
	_, _ = greeted.Write(greeting(t))
	_, _ = io.ReadFull(greeted, make([]byte, 5))
	time.AfterFunc(100*time.Millisecond, func() { _ = greeted.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Shutdown(ctx) }()
	if got, err := io.ReadAll(idle); len(got) > 0 || err != nil {
		t.Errorf("idle: %q, %v; want the end by close_notify", got, err)
	}
	if got, err := io.ReadAll(busy); !strings.Contains(string(got), "late") || err != nil {
		t.Errorf("busy: %q, %v", got, err)
	}
	_, _ = idle.NetConn().Close(), busy.NetConn().Close() // the server waits a while for clients to take note of its end
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
