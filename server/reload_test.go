package server_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
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

func serverSide(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}}
}
