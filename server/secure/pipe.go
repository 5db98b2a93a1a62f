package secure

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"

	"github.com/weirhttp/weir/loop"
)

// wire is the net.Conn under a tls.Conn. What is behind it changes: a pipe, then a session or what protocols on goroutines have.
// It is changed when nobody uses it.
type wire struct{ net.Conn }

// pipe is behind the wire during the handshake, whose goroutine waits in Read.
type pipe struct {
	h    *handshake
	wire *wire

	mu     sync.Mutex
	more   sync.Cond     // in has changed, or ended, or closed
	in     *bytes.Buffer // one of passing; guarded by mu
	record int           // octets left of the record that is being read; guarded by mu
	ended  bool          // nothing comes any more; guarded by mu
	closed bool          // guarded by mu
}

// passing are the buffers between loop and goroutine. They are of the size of what a connection keeps for good: as garbage they would leave holes
// between those, one or two for each connection.
var passing = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func newPassing() *bytes.Buffer { return passing.Get().(*bytes.Buffer) }

// maxPassing is the longest buffer that is used again, in octets.
const maxPassing = 64 << 10

func freePassing(b *bytes.Buffer) {
	if b.Cap() > maxPassing {
		return
	}
	loop.Poison(b.Bytes())
	b.Reset()
	passing.Put(b)
}

// newPipe returns a pipe in which the greeting is that was received.
func newPipe(h *handshake, hello []byte) *pipe {
	p := &pipe{h: h, in: newPassing()}
	p.more.L = &p.mu
	p.wire = &wire{p}
	cutHello(p.in, hello)
	return p
}

// free is called when nothing is fed or read any more.
func (p *pipe) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	freePassing(p.in)
	p.in = nil
}

// feed takes what was received. It tells how much is unread.
func (p *pipe) feed(in []byte) (unread int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in.Write(in)
	p.more.Signal()
	return p.in.Len()
}

// end tells that all was received that the client sends.
func (p *pipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.more.Signal()
}

// fail ends the handshake.
func (p *pipe) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.more.Signal()
}

// rest is what the handshake has not read: it begins with a record. It is a view, valid until free.
func (p *pipe) rest() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in.Bytes()
}

// Read implements net.Conn. It never reads beyond a record, so that the tls.Conn has nothing of the next one when the handshake is over.
// While it waits, others may compute.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	need := 1
	if p.record == 0 {
		need = recordHead
	}
	if p.lacks(need) {
		<-p.h.acceptor.compute
		for p.lacks(need) {
			p.more.Wait()
		}
		p.mu.Unlock()
		p.h.acceptor.compute <- struct{}{}
		p.mu.Lock()
	}
	switch {
	case p.closed:
		return 0, net.ErrClosed
	case p.in.Len() < need:
		return 0, io.ErrUnexpectedEOF
	case p.record == 0:
		p.record = recordHead + recordLength(p.in.Bytes())
	}
	n := copy(b, p.in.Next(min(len(b), p.record)))
	p.record -= n
	return n, nil
}

// lacks tells whether so many octets are not there, and may come. p.mu is held.
func (p *pipe) lacks(need int) bool { return p.in.Len() < need && !p.ended && !p.closed }

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (int, error) {
	out := newPassing()
	out.Write(b)
	p.h.Loop().Post(func(any) {
		if p.h.IsOpen() {
			p.h.spoken = true
			p.h.Write(out.Bytes())
		}
		freePassing(out)
	}, nil)
	return len(b), nil
}

// Close implements net.Conn. The connection is the loop's.
func (p *pipe) Close() error { return nil }

func (p *pipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *pipe) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(p.h.Remote()) }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
