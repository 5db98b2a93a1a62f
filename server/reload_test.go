package server_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
)

// TestReload: another configuration counts for the next request of a connection that is open; what cannot change does not, and with an error nothing does.
func TestReload(t *testing.T) {
	s := serve(t, server.Config{Application: plain("first"), Loops: 2})
	c := s.dial()
	r := bufio.NewReader(c)
	says := func(want string) {
		t.Helper()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("x", 100)+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if response, body := receive(t, r); body != want && response.Status != want {
			t.Errorf("%s %q, want %q", response.Status, body, want)
		}
	}
	says("first")
	small := httpparse.DefaultLimits()
	small.FieldLine = 50
	for _, step := range []struct {
		config server.Config
		err    string
		want   string
	}{
		{server.Config{Application: plain("second"), Loops: 7, Bind: []string{"127.0.0.1:1"}}, "", "second"},
		{server.Config{}, "Application", "second"},
		{server.Config{Application: plain("third"), ServerHeader: "a\n"}, "ServerHeader", "second"},
		{server.Config{Application: plain("third"), ForwardedAllowIPs: []string{"x"}}, "ForwardedAllowIPs", "second"},
		{server.Config{Application: plain("third"), TLS: &server.TLS{}}, "TLS", "second"},
		{server.Config{Application: plain("third"), Limits: &small}, "", "431 Request Header Fields Too Large"},
	} {
		err := s.Reload(step.config)
		if (err == nil) != (step.err == "") || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("Reload returned %v, want %q", err, step.err)
		}
		says(step.want)
	}
	if s.Loops() != 2 {
		t.Errorf("%d loops", s.Loops())
	}
	_ = c.Close()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if err := s.Reload(server.Config{Application: plain("fourth")}); err != server.ErrServerClosed {
		t.Errorf("after the end: %v", err)
	}
}

// TestReloadInHead: the limits of a head that has begun are those that it has begun with.
func TestReloadInHead(t *testing.T) {
	config := server.Config{Application: plain("content"), Loops: 1}
	s := serve(t, config)
	c, other := s.dial(), s.dial()
	r := bufio.NewReader(c)
	send(t, c, "GET /"+strings.Repeat("x", 100)+" HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("x", 1000))
	ask(t, other, get("/")) // by then it is read
	small := httpparse.Limits{RequestLine: 50, FieldLine: 200, FieldSection: 300, Fields: 10}
	config.Limits = &small
	if err := s.Reload(config); err != nil {
		t.Fatal(err)
	}
	send(t, c, strings.Repeat("x", 1000)+"\r\n")
	send(t, c, "\r\n")
	if response, body := receive(t, r); body != "content" {
		t.Errorf("%s %q", response.Status, body)
	}
	for _, c := range []net.Conn{c, other} { // those that begin now have the new ones
		send(t, c, "GET / HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("x", 250)+"\r\n\r\n")
		if response, _ := receive(t, bufio.NewReader(c)); response.StatusCode != 431 {
			t.Errorf("the next one: %s", response.Status)
		}
	}
}

// TestReloadMaxRequests: a connection that has carried more requests than it may from now on ends with the next.
func TestReloadMaxRequests(t *testing.T) {
	config := server.Config{Application: plain("content"), MaxRequests: 10}
	s := serve(t, config)
	c := s.dial()
	for range 5 {
		if response, _ := ask(t, c, get("/")); response.Close {
			t.Fatal("closed before")
		}
	}
	config.MaxRequests = 3
	if err := s.Reload(config); err != nil {
		t.Fatal(err)
	}
	if response, _ := ask(t, c, get("/")); !response.Close {
		t.Error("the connection goes on")
	}
}

// TestReloadUnderLoad: requests on all protocols go on while the configuration changes. The race detector looks on.
func TestReloadUnderLoad(t *testing.T) {
	application := func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return app.ReaderN(environ.Input(), max(environ.ContentLength(), 0))
	}
	config := server.Config{Application: application, Loops: 2, ContentBuffer: 100, H2C: true, Logger: slog.New(slog.DiscardHandler)}
	s := serve(t, config)
	stop := make(chan struct{})
	var group sync.WaitGroup
	content := strings.Repeat("x", 300)
	for range 4 {
		c := s.dial()
		group.Go(func() {
			r := bufio.NewReader(c)
			for {
				select {
				case <-stop:
					_ = c.Close()
					return
				default:
				}
				if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n"+content); err != nil {
					t.Error(err)
					return
				}
				if response, body := receive(t, r); body != content || response.StatusCode != 200 {
					t.Errorf("%s %q", response.Status, body)
					return
				}
			}
		})
	}
	for i := range 50 {
		config.ContentBuffer = 100 + 400*(i%2) // whole, or as a stream
		config.WriteTimeout = time.Duration(60+i) * time.Second
		if err := s.Reload(config); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	group.Wait()
}

// TestReloadCertificates: clients get the certificate of the configuration that counts.
func TestReloadCertificates(t *testing.T) {
	s := serveTLS(t, server.Config{Application: plain("content")})
	ask(t, s.connect(s.socket()), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	other, roots := localhost(t)
	own := s.client.Clone()
	fresh := server.Config{Application: plain("other"), TLS: &server.TLS{}}
	fresh.TLS.Config = serverSide(other)
	if err := s.Reload(fresh); err != nil {
		t.Fatal(err)
	}
	s.client.RootCAs = roots
	if _, body := ask(t, s.connect(s.socket()), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); body != "other" {
		t.Errorf("got %q", body)
	}
	s.client = own
}

// TestReloadProtocols: clients are not offered HTTP/2 by a server that has begun without.
func TestReloadProtocols(t *testing.T) {
	others := map[string]func(*tls.Conn, *loop.Detached){"h2": func(c *tls.Conn, _ *loop.Detached) { _ = c.Close() }}
	config := server.Config{Application: plain("content"), TLS: &server.TLS{Protocols: others}}
	s := serveTLS(t, config)
	fresh := server.Config{Application: plain("content"), TLS: &server.TLS{Config: config.TLS.Config}}
	if err := s.Reload(fresh); err != nil {
		t.Fatal(err)
	}
	s.client.NextProtos = []string{"h2", "http/1.1"}
	c := s.connect(s.socket())
	if agreed := c.ConnectionState().NegotiatedProtocol; agreed == "h2" {
		t.Errorf("agreed upon %q", agreed)
	}
	if _, body := ask(t, c, get("/")); body != "content" {
		t.Errorf("got %q", body)
	}
}

func serverSide(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}}
}
