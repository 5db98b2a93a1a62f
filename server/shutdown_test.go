package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// gate is an application that answers when it is told to, on a goroutine, and counts what becomes of its bodies.
type gate struct {
	release chan struct{}
	calls   atomic.Int64
	closed  atomic.Int64
}

func newGate() *gate { return &gate{release: make(chan struct{})} }

func (g *gate) application() app.Application {
	return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		g.calls.Add(1)
		start("200 OK", nil)
		return &gated{g: g}
	})
}

type gated struct {
	g    *gate
	done bool
}

func (b *gated) Next() ([]byte, error) {
	<-b.g.release
	if b.done {
		return nil, io.EOF
	}
	b.done = true
	return []byte("finished"), nil
}

func (b *gated) Close() error {
	b.g.closed.Add(1)
	return nil
}

// TestGracefulShutdown: what runs is finished, what is idle closes, what is new is refused.
func TestGracefulShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	g := newGate()
	s := serve(t, server.Config{Loops: 2, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/gate" {
			return g.application()(environ, start)
		}
		return plain("idle")(environ, start)
	}})
	idle, running := s.dial(), s.dial()
	if _, body := ask(t, idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); body != "idle" {
		t.Fatalf("received %q", body)
	}
	if _, err := io.WriteString(running, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "the call", func() bool { return g.calls.Load() == 1 })
	s.cancel()
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the idle connection read %d, %v; want its end", n, err)
	}
	_ = idle.Close()
	s.untilRefusing()
	select {
	case err := <-s.ended:
		t.Fatalf("Serve returned %v while a request runs", err)
	default:
	}
	close(g.release)
	r := bufio.NewReader(running)
	response, body := receive(t, r)
	if body != "finished" || !response.Close {
		t.Errorf("received %q, the connection closes: %v", body, response.Close)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("behind the last response: %v, want the end", err)
	}
	_ = running.Close()
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, before)
}

// TestGracefulTimeout: what takes too long is cut off, and Serve says so.
func TestGracefulTimeout(t *testing.T) {
	g := newGate()
	s := serve(t, server.Config{GracefulTimeout: 20 * time.Millisecond, Application: g.application()})
	c := s.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "the call", func() bool { return g.calls.Load() == 1 })
	if err := s.stop(); err == nil {
		t.Error("Serve returned nil, and a request was cut off")
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection goes on")
	}
	close(g.release)
	until(t, "Close", func() bool { return g.closed.Load() == 1 })
}

// TestShutdown is the other way to end Serve.
func TestShutdown(t *testing.T) {
	g := newGate()
	s := serve(t, server.Config{Application: g.application()})
	c := s.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "the call", func() bool { return g.calls.Load() == 1 })
	ended := make(chan error, 2)
	for range 2 { // the second waits for the first
		go func() { ended <- s.Shutdown(context.Background()) }()
	}
	close(g.release)
	if _, body := receive(t, bufio.NewReader(c)); body != "finished" {
		t.Errorf("received %q", body)
	}
	_ = c.Close()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := s.wait(); err != nil {
		t.Error(err)
	}
}

// endless is a body without end.
type endless struct{ closed *atomic.Int64 }

var kibi = make([]byte, 1024)

func (endless) Next() ([]byte, error) { return kibi, nil }
func (b endless) Close() error {
	b.closed.Add(1)
	return nil
}

// TestVanishingClients: bodies are closed and goroutines end when clients leave in the middle, politely or not.
func TestVanishingClients(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		for _, reset := range []bool{false, true} {
			var closed, called atomic.Int64
			application := func(_ *app.Environ, start app.StartResponse) app.Body {
				called.Add(1)
				start("200 OK", nil)
				return endless{&closed}
			}
			if blocking {
				application = app.Blocking(application)
			}
			before := runtime.NumGoroutine()
			s := serve(t, server.Config{Loops: 2, Application: application})
			const clients = 20
			for range clients {
				c := s.dial()
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, make([]byte, 10_000)); err != nil {
					t.Fatal(err)
				}
				if reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				_ = c.Close()
			}
			until(t, "Close of all bodies", func() bool { return closed.Load() == clients })
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			noGoroutinesLeft(t, before)
			if closed.Load() != called.Load() {
				t.Errorf("%d bodies, closed %d times", called.Load(), closed.Load())
			}
		}
	}
}

// TestVanishingUploader: an application that waits for content is told that none comes.
func TestVanishingUploader(t *testing.T) {
	before := runtime.NumGoroutine()
	failed := make(chan error, 1)
	s := serve(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		_, err := io.Copy(io.Discard, environ.Input())
		failed <- err
		start("200 OK", nil)
		return nil
	}})
	c := s.dial()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nsome"); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("the content ended without an error")
		}
	case <-time.After(patience):
		t.Fatal("the application still waits")
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, before)
}

// TestContentTimeIsTheClients: a client that waits for 100 (Continue) is not late while the application does not read.
func TestContentTimeIsTheClients(t *testing.T) {
	const limit = 50 * time.Millisecond
	s := serve(t, server.Config{ContentTimeout: limit, ContentBuffer: 10, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		time.Sleep(10 * limit)
		_, _ = io.Copy(io.Discard, environ.Input())
		start("200 OK", nil)
		return nil
	}})
	c := s.dial()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Errorf("received %q, %v; want 100 (Continue): the client has done nothing wrong", line, err)
	}
}
