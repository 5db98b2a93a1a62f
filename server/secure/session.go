package secure

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// session is a loop.Layer: TLS after its handshake. The tls.Conn reads and writes it, as its net.Conn, and is never kept waiting:
// Read returns an error that says "later", behind which a tls.Conn goes on as if nothing had been.
type session struct {
	conn  *tls.Conn
	state atomic.Pointer[tls.ConnectionState] // nil until somebody asks for it
	in    []byte                              // of one record, a view: what is left to be read in Open
	out   []byte                              // written, and not passed on
}

// ConnectionState is what the handshake agreed upon. Any goroutine may call it.
func (s *session) ConnectionState() *tls.ConnectionState {
	state := s.state.Load()
	if state == nil {
		state = new(tls.ConnectionState)
		*state = s.conn.ConnectionState()
		s.state.Store(state)
	}
	return state
}

// Open implements loop.Layer.
func (s *session) Open(dst, in []byte) (out []byte, used int, ended bool, err error) {
	for len(in)-used >= recordHead {
		n := recordHead + recordLength(in[used:])
		if len(in)-used < n && n <= recordHead+maxCiphertext { // a longer one is refused by its head
			break
		}
		s.in = in[used:min(used+n, len(in))]
		used += len(s.in)
		for len(s.in) > 0 {
			if len(dst) == cap(dst) {
				return dst, len(in), false, errRoom
			}
			var m int
			m, err = s.conn.Read(dst[len(dst):cap(dst)])
			dst = dst[:len(dst)+m]
			if err != nil {
				break
			}
		}
		s.in = nil
		switch {
		case err == nil, errors.Is(err, errLater):
		case err == io.EOF: // close_notify
			return dst, len(in), true, nil
		default:
			return dst, len(in), false, err
		}
	}
	return dst, used, false, nil
}

var errRoom = errors.New("secure: more was decrypted than was received")

// maxCiphertext is the longest record, in octets without its head (RFC 5246 6.2.3).
const maxCiphertext = 16<<10 + 2048

// Seal implements loop.Layer.
func (s *session) Seal(dst, p []byte) ([]byte, error) {
	s.out = append(dst, s.out...)
	var err error
	if len(p) > 0 {
		_, err = s.conn.Write(p)
	}
	dst, s.out = s.out, nil
	return dst, err
}

// End implements loop.Layer.
func (s *session) End(dst []byte) []byte {
	s.out = append(dst, s.out...)
	_ = s.conn.CloseWrite()
	dst, s.out = s.out, nil
	return dst
}

// later is an error that a tls.Conn takes for passing.
type later struct{}

func (later) Error() string   { return "no more has been received" }
func (later) Timeout() bool   { return true }
func (later) Temporary() bool { return true }

var errLater net.Error = later{}

// Read implements net.Conn.
func (s *session) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, errLater
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// Write implements net.Conn.
func (s *session) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	return len(p), nil
}

func (s *session) Close() error                     { return nil }
func (s *session) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *session) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *session) SetDeadline(time.Time) error      { return nil }
func (s *session) SetReadDeadline(time.Time) error  { return nil }
func (s *session) SetWriteDeadline(time.Time) error { return nil }
