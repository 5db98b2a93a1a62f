//go:build unix

package loop

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of these tests. It is never reached when all is well.
const patience = 20 * time.Second

// hooks are what a test wants done by the Handler of its connections; nil: what a simple server does.
type hooks struct {
	opened   func(*peer)
	data     func(*peer, []byte) int
	eof      func(*peer)
	drained  func(*peer)
	timeout  func(*peer)
	shutdown func(*peer)
	closed   func(*peer, Reason)
}

// peer is the Handler of these tests: an echo server, where its hooks say nothing else.
type peer struct {
	Conn
	do hooks
}

func (p *peer) Opened() {
	if p.do.opened != nil {
		p.do.opened(p)
	}
}

func (p *peer) Data(in []byte) int {
	if p.do.data != nil {
		return p.do.data(p, in)
	}
	p.Write(in)
	if !p.Room() {
		p.Hold()
	}
	return len(in)
}

func (p *peer) EOF() {
	if p.do.eof != nil {
		p.do.eof(p)
		return
	}
	p.Finish(ReasonEOF, false)
}

func (p *peer) Drained() {
	if p.do.drained != nil {
		p.do.drained(p)
		return
	}
	p.Release()
}

func (p *peer) Timeout() {
	if p.do.timeout != nil {
		p.do.timeout(p)
		return
	}
	p.Finish(ReasonIdle, false)
}

func (p *peer) Shutdown() {
	if p.do.shutdown != nil {
		p.do.shutdown(p)
		return
	}
	p.Finish(ReasonShutdown, false)
}

func (p *peer) Closed(reason Reason) {
	if p.do.closed != nil {
		p.do.closed(p, reason)
	}
}

// journal is a logger's output, by message.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	return nil
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.lines...)
}

// newReactor returns a reactor that is stopped with the test, and must not have logged anything.
func newReactor(t *testing.T, loops int) *Reactor {
	t.Helper()
	j := &journal{}
	r, err := New(Options{Loops: loops, Logger: slog.New(j)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Stop()
		for _, line := range j.all() {
			t.Errorf("logged: %s", line)
		}
	})
	return r
}

// serve has the reactor listen at address with connections of h, and runs it.
func serve(t *testing.T, r *Reactor, address string, o ListenOptions, h hooks) *Listener {
	t.Helper()
	ln, err := Listen(address, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Listen(ln, func(*Loop) Handler { return &peer{do: h} })
	r.Start()
	return ln
}

// serveOne serves on one loop at a TCP port of 127.0.0.1.
func serveOne(t *testing.T, h hooks) *Listener {
	t.Helper()
	return serve(t, newReactor(t, 1), "127.0.0.1:0", ListenOptions{}, h)
}

// stream is what TCP and Unix connections have in common.
type stream interface {
	net.Conn
	CloseWrite() error
	SetReadBuffer(int) error
}

func dial(t *testing.T, ln *Listener) stream {
	t.Helper()
	address := ln.Host()
	if ln.Network() == "tcp" {
		address = ln.String()
	}
	c, err := net.DialTimeout(ln.Network(), address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(stream)
}

func send(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
}

// expect reads want from c.
func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("received %q, %v; want %q", got[:n], err, want)
	}
}

// expectEOF reads the end of c, with nothing before it.
func expectEOF(t *testing.T, c net.Conn) {
	t.Helper()
	var b [1]byte
	if n, err := c.Read(b[:]); !errors.Is(err, io.EOF) {
		t.Fatalf("received %d octets, %v; want the end", n, err)
	}
}

// reset closes c so that the other end sees a reset.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// receive waits for what a Handler reports.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// none fails when a Handler has reported something.
func none[T any](t *testing.T, from <-chan T, what string) {
	t.Helper()
	select {
	case v := <-from:
		t.Fatalf("%s: %v", what, v)
	default:
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// on runs f on the loop, and waits for it.
func on(t *testing.T, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	l.Post(func(any) { f(); close(done) }, nil)
	receive(t, done, "turn of the loop")
}

// rounds lets the loop handle all that its poller has announced so far, and more.
func rounds(t *testing.T, l *Loop) {
	t.Helper()
	for range 3 {
		on(t, l, func() {})
	}
}

// octets are n octets that look random, the same for the same n.
func octets(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	p := make([]byte, n)
	_, _ = r.Read(p)
	return p
}
