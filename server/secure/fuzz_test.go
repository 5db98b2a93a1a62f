package secure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/loop"
)

// patience bounds every wait of these tests. It is never reached when all is well.
const patience = 20 * time.Second

// sink is the handler behind a handshake: it keeps what it is given.
type sink struct {
	loop.Conn
	got    bytes.Buffer
	ended  bool
	closed bool
}

func (s *sink) Opened()            {}
func (s *sink) Data(in []byte) int { s.got.Write(in); return len(in) }
func (s *sink) EOF()               { s.ended = true; s.Finish(loop.ReasonEOF, false) }
func (s *sink) Drained()           {}
func (s *sink) Timeout()           {}
func (s *sink) Shutdown()          {}
func (s *sink) Closed(loop.Reason) { s.closed = true }

// bench is an acceptor on a loop that the test's goroutine drives.
type bench struct {
	loop     *loop.Loop
	acceptor *Acceptor
	conn     *sink // the last that was made
}

func newBench(t testing.TB) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	reactor, err := loop.New(loop.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // frees the poller
		reactor.Start()
		reactor.Stop()
	})
	b := &bench{loop: reactor.Loops()[0]}
	b.acceptor = New(&Config{
		TLS:           func() *tls.Config { return config },
		NewConn:       func(*loop.Loop) loop.Handler { b.conn = &sink{}; return b.conn },
		MaxHandshakes: 4,
		Compute:       2,
		Log:           slog.New(slog.DiscardHandler),
	})
	return b
}

// client is the net.Conn of a client whose server is on the bench: what it writes is cut into pieces before it is fed.
type client struct {
	net.Conn // nil
	b        *bench
	memory   *loop.Memory
	cuts     []byte // sizes of the pieces, in turn; empty: all at once
	pieces   int
	damage   int // the octet of all that is written that is changed; < 0: none
	hurtAt   time.Time

	mu      sync.Mutex
	in      bytes.Buffer // guarded by mu
	written int
}

func (b *bench) dial() *client {
	c := &client{b: b, damage: -1}
	b.conn = nil
	c.memory = b.loop.Connect(b.acceptor.NewConn(), loop.NewMemoryListener("127.0.0.1", 443), func(p []byte) int {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.in.Write(p)
		return len(p)
	})
	return c
}

func (c *client) Write(p []byte) (int, error) {
	p = bytes.Clone(p)
	n := len(p)
	if at := c.damage - c.written; at >= 0 && at < n {
		p[at] ^= 0x40
		c.hurtAt = time.Now()
	}
	c.written += n
	for len(p) > 0 {
		m := len(p)
		if len(c.cuts) > 0 {
			m = min(m, 1+int(c.cuts[c.pieces%len(c.cuts)]))
			c.pieces++
		}
		c.memory.Feed(p[:m])
		p = p[m:]
	}
	return n, nil
}

func (c *client) Read(p []byte) (int, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Microsecond) {
		c.b.loop.RunPosted()
		c.mu.Lock()
		n, _ := c.in.Read(p)
		c.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		if c.memory.Closed() {
			return 0, io.EOF
		}
		if c.hurt() && time.Since(c.hurtAt) > 20*time.Millisecond { // a length that was changed: the server waits for more
			c.memory.EOF()
		}
	}
	return 0, errPatience
}

// hurt tells whether an octet was changed.
func (c *client) hurt() bool { return !c.hurtAt.IsZero() }

var errPatience = later{}

func (c *client) Close() error                     { return nil }
func (c *client) SetWriteDeadline(time.Time) error { return nil }

// FuzzStream: a client's stream arrives as it was sent however it is cut, and one that was changed on its way does not.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0}, uint16(0), []byte("hello"), false)
	f.Add([]byte{255, 3}, uint16(300), bytes.Repeat([]byte("x"), 40_000), true)
	f.Add([]byte{4}, uint16(1), []byte(""), true)
	f.Add([]byte{}, uint16(900), bytes.Repeat([]byte("y"), 70_000), false)
	b := newBench(f)
	f.Fuzz(func(t *testing.T, cuts []byte, damage uint16, content []byte, damaged bool) {
		if len(cuts) > 64 || len(content) > 100_000 {
			return
		}
		c := b.dial()
		c.cuts = cuts
		if damaged {
			c.damage = int(damage)
		}
		s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		err := s.Handshake()
		if err == nil {
			_, _ = s.Write(content)
			_ = s.CloseWrite()
			if c.hurt() {
				c.memory.EOF()
			}
			for deadline := time.Now().Add(patience); !c.memory.Closed() && time.Now().Before(deadline); time.Sleep(10 * time.Microsecond) {
				b.loop.RunPosted()
			}
		}
		whole := b.conn != nil && b.conn.ended && bytes.Equal(b.conn.got.Bytes(), content)
		switch hurt := c.hurt(); {
		case !hurt && (err != nil || !whole):
			t.Errorf("handshake: %v; not all of it arrived", err)
		case b.conn != nil && !bytes.HasPrefix(content, b.conn.got.Bytes()):
			t.Error("what arrived is not what was sent")
		case hurt && err == nil && !c.memory.Closed():
			c.memory.Reset()
			t.Error("a stream that was changed keeps its connection")
		case !c.memory.Closed():
			c.memory.Reset()
		}
	})
}

// FuzzGreeting: octets of any kind where a handshake should begin end the connection, or are waited for; nothing is left of it.
func FuzzGreeting(f *testing.F) {
	for _, s := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x16\x03", "\x80\x2e\x01", "\x16\x03\x01\x00\x00", "\x15\x03\x01\x00\x02\x02\x00"} {
		f.Add([]byte(s), uint8(3))
	}
	b := newBench(f)
	f.Fuzz(func(t *testing.T, octets []byte, cut uint8) {
		c := b.dial()
		if cut > 0 {
			c.cuts = []byte{cut}
		}
		_, _ = c.Write(octets)
		if !c.memory.Closed() {
			c.memory.EOF()
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Microsecond) {
			b.loop.RunPosted()
			b.acceptor.mu.Lock()
			running := b.acceptor.running
			b.acceptor.mu.Unlock()
			if running == 0 && c.memory.Closed() {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("closed: %v, %d handshakes are running", c.memory.Closed(), running)
			}
		}
		if b.conn != nil {
			t.Error("that was a handshake")
		}
	})
}
