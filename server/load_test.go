package server_test

import (
	"bufio"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// TestSlowReader: all of a large response with Connection: close arrives at a client that is slow to read.
func TestSlowReader(t *testing.T) {
	const size = 64 << 20
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i>>16 ^ i*31)
	}
	want := sha256.Sum256(content)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		switch string(environ.Path()) {
		case "/slice":
			return app.Bytes(content)
		case "/file":
			file, err := os.Open(path)
			if err != nil {
				panic(err)
			}
			return app.FileWrapper(file, 0)
		}
		return app.Reader(strings.NewReader(string(content)))
	}})
	var group sync.WaitGroup
	for _, request := range []string{
		"GET /slice HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"GET /reader HTTP/1.0\r\n\r\n",
	} {
		c := s.dial()
		_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
		group.Go(func() {
			if _, err := io.WriteString(c, request); err != nil {
				t.Error(err)
				return
			}
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Error(err)
				return
			}
			hash := sha256.New()
			// It pauses for as long as the buffers between take to fill, and again now and then.
			for i := 0; ; i++ {
				if i < 20 {
					time.Sleep(2 * time.Millisecond)
				}
				n, err := io.CopyN(hash, response.Body, 256<<10)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Errorf("%q: %v behind %d octets", request[:12], err, int64(i)*256<<10+n)
					return
				}
			}
			if [32]byte(hash.Sum(nil)) != want {
				t.Errorf("%q: the content is wrong", request[:12])
			}
		})
	}
	group.Wait()
}

// TestBlockingBeside: applications that block do not hold up the others.
func TestBlockingBeside(t *testing.T) {
	release := make(chan struct{})
	var waiting atomic.Int64
	block := app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		waiting.Add(1)
		<-release
		start("200 OK", nil)
		return app.String("released")
	})
	s := serve(t, server.Config{Loops: 1, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/block" {
			return block(environ, start)
		}
		return plain("quick")(environ, start)
	}})
	const clients = 100
	var blocked []net.Conn
	for range clients {
		c := s.dial()
		blocked = append(blocked, c)
		if _, err := io.WriteString(c, "GET /block HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all calls to block", func() bool { return waiting.Load() == clients })
	c := s.dial()
	for range 100 {
		if _, body := ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); body != "quick" {
			t.Fatalf("received %q", body)
		}
	}
	close(release)
	for _, c := range blocked {
		if _, body := receive(t, bufio.NewReader(c)); body != "released" {
			t.Errorf("received %q", body)
		}
	}
}

// TestMaxBlocking: what is more than Config.MaxBlocking is told to come again.
func TestMaxBlocking(t *testing.T) {
	release := make(chan struct{})
	var waiting atomic.Int64
	s := serve(t, server.Config{MaxBlocking: 2, Application: app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		waiting.Add(1)
		<-release
		start("200 OK", nil)
		return nil
	})})
	for range 2 {
		if _, err := io.WriteString(s.dial(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "two calls to block", func() bool { return waiting.Load() == 2 })
	response, _ := ask(t, s.dial(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("got %v", response)
	}
	close(release)
}
