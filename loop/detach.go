//go:build unix

package loop

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	errUnsent   = errors.New("loop: output of the connection waits for the client")
	errNoSocket = errors.New("loop: the connection has no socket")
)

// Detached is a connection that has left its loop, for code that wants a net.Conn and a goroutine. It counts as open until
// Close, for the limits of connections and for Reactor.Shutdown, which waits for it; Reactor.Stop closes it. Its methods are those of the
// net.Conn, for any goroutine.
type Detached struct {
	net.Conn
	listener *Listener
	loop     *Loop
	remote   address
	counted  bool // by its client's address
	closed   atomic.Bool
	raw      syscall.RawConn
	fill     func(fd uintptr) bool // tryFill, made once

	mu     sync.Mutex // of who reads
	ahead  *input     // received, on the loop or ahead, and not read; nil when there is nothing. Guarded by mu
	failed error      // what tryFill has met; guarded by mu
}

// aheadSize is how much is read ahead, in octets: HTTP/2 and TLS read the few of a head by themselves.
const aheadSize = 64 << 10

// Detach takes the connection off its loop. unread is what was received and is not consumed, a part of what Data was given: it is
// copied, and comes first out of Read; what was held comes behind it. From here on no method of the Handler is called, Closed neither; Data, in which
// it may be called, returns whatever it likes. With an error the connection stays where it is: output that the client has
// not taken is in the way, or there is no descriptor left.
func (c *Conn) Detach(unread []byte) (*Detached, error) {
	c.Flush()
	switch {
	case c.between != nil:
		return nil, errNoSocket
	case c.state != open || c.failed:
		return nil, net.ErrClosed
	case c.out != nil:
		return nil, errUnsent
	}
	// Copies of the descriptor, so that an error leaves the connection as it was.
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("loop: %w", err)
	}
	file := os.NewFile(uintptr(fd), "")
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return nil, fmt.Errorf("loop: %w", err)
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("loop: %w", err)
	}
	l := c.loop
	d := &Detached{
		Conn:     conn,
		raw:      raw,
		listener: c.listener,
		loop:     l,
		remote:   c.remote,
		counted:  l.reactor.clients != nil && !c.overLimit,
		ahead:    c.takeKept(unread),
	}
	d.fill = d.tryFill
	c.forget()
	if c.interest != unregistered {
		_ = l.poller.remove(int(c.fd)) // a registration would outlive the descriptor, as long as there are copies
	}
	l.conns.set(int(c.fd), nil)
	closeSocket(int(c.fd))
	l.reactor.strays.add(d)
	return d, nil
}

// Listener is the listener that accepted the connection.
func (d *Detached) Listener() *Listener { return d.listener }

// RemoteAddr implements net.Conn. It is never nil, as that of a net.Conn is whose client has left before it was made.
func (d *Detached) RemoteAddr() net.Addr {
	if d.remote.size == 0 {
		return &net.UnixAddr{Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(d.remote.addrPort())
}

// Read implements net.Conn. It reads ahead, into a buffer that the connection has only while something in it is unread: who waits here
// has none.
func (d *Detached) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ahead == nil {
		if len(p) >= aheadSize {
			n, err := d.Conn.Read(p)
			d.loop.reactor.strays.received.Add(uint64(n))
			return n, err
		}
		if err := d.receive(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.ahead.unread())
	if d.ahead.off += n; len(d.ahead.unread()) == 0 {
		d.ahead.free()
		d.ahead = nil
	}
	return n, nil
}

// Buffered is how many octets are received and not read.
func (d *Detached) Buffered() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ahead == nil {
		return 0
	}
	return len(d.ahead.unread())
}

// receive waits until there is something ahead. The caller has mu.
func (d *Detached) receive() error {
	err := d.raw.Read(d.fill)
	switch {
	case err != nil:
		return err
	case d.failed != nil:
		return &net.OpError{Op: "read", Net: d.LocalAddr().Network(), Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: os.NewSyscallError("read", d.failed)}
	case d.ahead == nil:
		return io.EOF
	}
	d.loop.reactor.strays.received.Add(uint64(len(d.ahead.data)))
	return nil
}

// tryFill reads what is there, and tells whether receive need not wait for more. The caller has mu.
func (d *Detached) tryFill(fd uintptr) (done bool) {
	in := newInput(aheadSize)
	n, err := unix.Read(int(fd), in.room())
	for err == unix.EINTR {
		n, err = unix.Read(int(fd), in.room())
	}
	if d.failed = err; n > 0 {
		in.data = in.data[:n]
		d.ahead = in
		return true
	}
	in.free()
	return err != unix.EAGAIN
}

// Close implements net.Conn.
func (d *Detached) Close() error {
	err := d.Conn.Close()
	if d.closed.CompareAndSwap(false, true) {
		r := d.loop.reactor
		r.strays.remove(d)
		r.strays.closed.Add(1)
		if d.counted {
			r.clients.leave(d.remote)
		}
		d.loop.closed()
	}
	return err
}

// strays are the connections of a reactor that have left their loops and are open. Its methods are for any goroutine.
type strays struct {
	strayCounters

	mu   sync.Mutex
	open map[*Detached]struct{}
}

func (s *strays) add(d *Detached) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*Detached]struct{})
	}
	s.open[d] = struct{}{}
}

func (s *strays) remove(d *Detached) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, d)
}

// closeAll closes those that are open. No loop runs any more.
func (s *strays) closeAll() {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, d := range open {
		_ = d.Close()
	}
}
