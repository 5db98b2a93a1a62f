package server_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// TestHTTP2Beside: who speaks HTTP/1.1 is served at the same address, and without H2C nobody speaks HTTP/2.
func TestHTTP2Beside(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	s, client := serveHTTP2(t, server.Config{Application: plain("beside")})
	for _, test := range []struct {
		first, rest string
		status      int
	}{
		{"", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200},
		{"P", "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200},
		{"PRI", "NT / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"PRI * HTTP/2.0\r\n", "Host: a\r\n\r\n", 505},
		{"\r\n", preface, 505},
	} {
		c := s.dial()
		send(t, c, test.first)
		if test.first != "" {
			time.Sleep(5 * time.Millisecond) // it should be read alone; nothing depends on that
		}
		if response, _ := ask(t, c, test.rest); response.StatusCode != test.status {
			t.Errorf("%q, %q: got %d, want %d", test.first, test.rest, response.StatusCode, test.status)
		}
	}
	if _, body := s.fetch(client, "GET", "/", ""); body != "beside" {
		t.Errorf("got %q", body)
	}
	c := s.dial()
	for i := range preface { // an octet at a time
		send(t, c, preface[i:i+1])
	}
	send(t, c, "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	var frame [9]byte
	if _, err := io.ReadFull(c, frame[:]); err != nil || frame[3] != 4 {
		t.Errorf("received %v, %v; want SETTINGS", frame, err)
	}
	without := serve(t, server.Config{Application: plain("without")})
	if response, _ := ask(t, without.dial(), preface); response.StatusCode != 505 {
		t.Errorf("without H2C the preface is answered with %d", response.StatusCode)
	}
}

// TestHTTP2MaxRequests: a connection ends when it has carried as many requests as it may, and the client opens another.
func TestHTTP2MaxRequests(t *testing.T) {
	var ports sync.Map
	s, client := serveHTTP2(t, server.Config{MaxRequests: 5, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		n, _ := ports.LoadOrStore(environ.Get("REMOTE_PORT"), new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
		return plain("ok")(environ, start)
	}})
	for range 20 {
		if response, body := s.fetch(client, "GET", "/", ""); body != "ok" || response.Header.Get("Connection") != "" {
			t.Fatalf("got %q, %v", body, response.Header)
		}
	}
	connections := 0
	ports.Range(func(_, n any) bool {
		if connections++; n.(*atomic.Int64).Load() > 6 { // one may be on its way when the end is told
			t.Errorf("a connection has carried %d requests", n.(*atomic.Int64).Load())
		}
		return true
	})
	if connections < 3 {
		t.Errorf("there were %d connections", connections)
	}
}

// TestHTTP2CloseConnection: what an application says of the connection ends it behind the answer.
func TestHTTP2CloseConnection(t *testing.T) {
	ports := make(chan string, 2)
	s, client := serveHTTP2(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		ports <- environ.Get("REMOTE_PORT")
		environ.CloseConnection()
		return plain("ok")(environ, start)
	}})
	for range 2 {
		if _, body := s.fetch(client, "GET", "/", ""); body != "ok" {
			t.Errorf("got %q", body)
		}
	}
	if first, second := <-ports, <-ports; first == second {
		t.Error("the connection goes on")
	}
}

// TestHTTP2MaxBlocking: no more applications run at a time than may.
func TestHTTP2MaxBlocking(t *testing.T) {
	g, log := newGate(), newRecord()
	s, client := serveHTTP2(t, server.Config{Application: g.application(), MaxBlocking: 2, Logger: log.logger()})
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			_, body := s.fetch(client, "GET", "/", "")
			answers <- body
		}()
	}
	until(t, "two calls", func() bool { return g.calls.Load() == 2 })
	if response, _ := s.fetch(client, "GET", "/", ""); response.StatusCode != 503 || response.Header.Get("Retry-After") != "1" {
		t.Errorf("got %d, %v", response.StatusCode, response.Header)
	}
	if !strings.Contains(log.String(), "too many blocking calls") {
		t.Errorf("logged %s", log)
	}
	close(g.release)
	for range 2 {
		if body := <-answers; body != "finished" {
			t.Errorf("got %q", body)
		}
	}
	if _, body := s.fetch(client, "GET", "/", ""); body != "finished" {
		t.Errorf("afterwards: got %q", body)
	}
}

// TestHTTP2DeferredBlocking: a request whose answer is deferred has no place among the calls that may block, wherever it was deferred.
func TestHTTP2DeferredBlocking(t *testing.T) {
	deferred := make(chan app.Deferred)
	s, client := serveHTTP2(t, server.Config{MaxBlocking: 1, Application: app.Blocking(func(environ *app.Environ, _ app.StartResponse) app.Body {
		deferred <- environ.Defer()
		return nil
	})})
	const n = 3
	answers := make(chan string, n)
	var waiting []app.Deferred
	for range n {
		go func() {
			_, body := s.fetch(client, "GET", "/", "")
			answers <- body
		}()
		select {
		case d := <-deferred:
			waiting = append(waiting, d)
		case body := <-answers:
			t.Fatalf("answered %q", body)
		}
	}
	for _, d := range waiting {
		if err := d.Answer(response("answer")); err != nil {
			t.Error(err)
		}
	}
	for range n {
		if body := <-answers; body != "answer" {
			t.Errorf("got %q", body)
		}
	}
}

// TestHTTP2SlowBlocking: an answer that is in memory or in a file has no place among the calls that may block while its client takes it.
func TestHTTP2SlowBlocking(t *testing.T) {
	name := filepath.Join(t.TempDir(), "content")
	content := bytes.Repeat([]byte("0123456789"), 1<<20)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	inMemory := func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return app.Bytes(content)
	}
	file := func(_ *app.Environ, start app.StartResponse) app.Body {
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		start("200 OK", nil)
		return app.FileWrapper(f, 0)
	}
	for name, application := range map[string]app.Application{
		"in memory": inMemory, "in memory, blocking": app.Blocking(inMemory), "file": file, "file, blocking": app.Blocking(file),
	} {
		t.Run(name, func(t *testing.T) {
			s, client := serveHTTP2(t, server.Config{MaxBlocking: 1, Application: application})
			var waiting []*http.Response
			for range 3 {
				response, err := client.Get(s.url("/"))
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if response.StatusCode != 200 {
					t.Fatalf("with %d clients that do not read: %s", len(waiting), response.Status)
				}
				waiting = append(waiting, response)
			}
			for _, response := range waiting {
				if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d octets, %v", len(got), err)
				}
			}
		})
	}
}

// TestHTTP2Shutdown: what runs is finished, and connections without requests end.
func TestHTTP2Shutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	g := newGate()
	var out bytes.Buffer
	s, client := serveHTTP2(t, server.Config{Application: paths{"/": g.application(), "/idle": plain("idle")}.application(), AccessLog: &out})
	idle := s.http2Client()
	if _, body := s.fetch(idle, "GET", "/idle", ""); body != "idle" {
		t.Fatal(body)
	}
	answers := make(chan string, 1)
	go func() {
		_, body := s.fetch(client, "GET", "/", "")
		answers <- body
	}()
	until(t, "the call", func() bool { return g.calls.Load() == 1 })
	s.cancel()
	s.untilRefusing()
	select {
	case err := <-s.ended:
		t.Fatalf("Serve returned %v while a request runs", err)
	default:
	}
	close(g.release)
	if body := <-answers; body != "finished" {
		t.Errorf("got %q", body)
	}
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), `HTTP/2.0" 200`); n != 2 {
		t.Errorf("the access log has %q", out.String())
	}
	client.CloseIdleConnections()
	idle.CloseIdleConnections()
	noGoroutinesLeft(t, before)
}

// TestHTTP2GracefulTimeout: what takes too long is cut off.
func TestHTTP2GracefulTimeout(t *testing.T) {
	before := runtime.NumGoroutine()
	g := newGate()
	s, client := serveHTTP2(t, server.Config{Application: g.application(), GracefulTimeout: 20 * time.Millisecond})
	answers := make(chan string, 1)
	go func() {
		_, body := s.fetch(client, "GET", "/", "")
		answers <- body
	}()
	until(t, "the call", func() bool { return g.calls.Load() == 1 })
	if err := s.stop(); err == nil {
		t.Error("Serve returned nil, and a request was cut off")
	}
	if body := <-answers; body == "finished" {
		t.Errorf("got %q", body)
	}
	close(g.release)
	client.CloseIdleConnections()
	until(t, "Close", func() bool { return g.closed.Load() == 1 })
	noGoroutinesLeft(t, before)
}
