package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/server"
)

// http2Client is a client of HTTPS that speaks what it is offered, or HTTP/1.1 alone.
func (e *encrypted) http2Client(alone bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!alone)
	transport := &http.Transport{TLSClientConfig: e.client.Clone(), Protocols: &protocols}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func (e *encrypted) secureURL(path string) string { return "https://" + e.Addresses()[0] + path }

// listing answers with the environ, a line for each key.
func listing(environ *app.Environ, start app.StartResponse) app.Body {
	var lines []string
	for key, value := range environ.All() {
		switch key {
		case nethttp.RequestKey, "wsgi.early_hints", "wsgi.file_wrapper", "wsgi.input", "wsgi.errors", "REMOTE_PORT", "HTTP_USER_AGENT", "HTTP_ACCEPT_ENCODING":
			continue
		}
		lines = append(lines, fmt.Sprintf("%s=%v\n", key, value))
	}
	sort.Strings(lines)
	return plain(strings.Join(lines, ""))(environ, start)
}

// TestHTTP2TLS: HTTP/2 is offered, and applications see the same.
func TestHTTP2TLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			s := serveTLS(t, server.Config{Application: listing})
			s.client.MaxVersion = version
			var got [2]string
			for i, alone := range []bool{true, false} {
				response, err := s.http2Client(alone).Get(s.secureURL("/a%20b?c"))
				if err != nil {
					t.Fatal(err)
				}
				all, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.ProtoMajor != 1+i || response.Header.Get("Server") != "weir" {
					t.Errorf("%v: %v", response, err)
				}
				got[i] = string(all)
			}
			if got[1] = strings.Replace(got[1], "HTTP/2.0", "HTTP/1.1", 1); got[0] != got[1] {
				t.Errorf("under HTTP/1.1\n%sunder HTTP/2\n%s", got[0], got[1])
			}
			if want := "SSL_PROTOCOL=" + strings.Replace(tls.VersionName(version), "TLS ", "TLSv", 1); !strings.Contains(got[1], want) || !strings.Contains(got[1], "wsgi.url_scheme=https") {
				t.Errorf("got\n%swant %s", got[1], want)
			}
		})
	}
}

// TestHTTP2NotOffered: who switches it off, or serves it himself, has it his way; and prior knowledge is nothing in TLS.
func TestHTTP2NotOffered(t *testing.T) {
	s := serveTLS(t, server.Config{Application: plain("old"), NoHTTP2: true, H2C: true})
	response, err := s.http2Client(false).Get(s.secureURL("/"))
	if err != nil || response.ProtoMajor != 1 {
		t.Errorf("%v, %v", response, err)
	}
	if err == nil {
		_ = response.Body.Close()
	}
	c, err := tls.Dial("tcp", s.Addresses()[0], s.client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if response, _ := ask(t, c, http2.ClientPreface); response.StatusCode != 505 {
		t.Errorf("the preface is answered with %d", response.StatusCode)
	}
}

// TestHTTP2TLSScheme: what the client says of the scheme is not what the application is told.
func TestHTTP2TLSScheme(t *testing.T) {
	s := serveTLS(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if environ.Get("wsgi.url_scheme") != "https" || environ.Get("SSL_PROTOCOL") == "" {
			start("500 Wrong", nil)
			return nil
		}
		return plain("right")(environ, start)
	}})
	config := s.client.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", s.Addresses()[0], config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	f := &frames{Framer: http2.NewFramer(c, c), Conn: c, stream: 1}
	_, _ = io.WriteString(c, http2.ClientPreface)
	_ = f.WriteSettings()
	_ = f.headers(headerBlock("/"), true, true) // which says http
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			if string(data.Data()) != "right" {
				t.Errorf("got %q", data.Data())
			}
			return
		}
	}
}

// TestHTTP2TLSShutdown: connections in TLS count, are told of the end, and nothing is left of them.
func TestHTTP2TLSShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	g := newGate()
	var out bytes.Buffer
	s := serveTLS(t, server.Config{Application: g.application(), AccessLog: &out})
	client := s.http2Client(false)
	answers := make(chan string, 1)
	go func() {
		response, err := client.Get(s.secureURL("/"))
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close()
		all, _ := io.ReadAll(response.Body)
		answers <- string(all)
	}()
	until(t, "the call", func() bool { return g.calls.Load() == 1 })
	s.cancel()
	select {
	case err := <-s.ended:
		t.Fatalf("Serve returned %v while a request runs", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(g.release)
	if body := <-answers; body != "finished" {
		t.Errorf("got %q", body)
	}
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), `"GET / HTTP/2.0" 200 8 `) {
		t.Errorf("the access log has %q", out.String())
	}
	client.CloseIdleConnections()
	noGoroutinesLeft(t, before)
}
