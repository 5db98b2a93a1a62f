//go:build unix

package loop

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"

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
	drained  atomic.Bool // unread is read

	mu     sync.Mutex
	unread []byte // received on the loop; guarded by mu
}

// Detach takes the connection off its loop. unread is what was received and is not consumed, a part of what Data was given: it is
// copied, and comes first out of Read. From here on no method of the Handler is called, Closed neither; Data, in which
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
	l := c.loop
	d := &Detached{
		Conn:     conn,
		listener: c.listener,
		loop:     l,
		remote:   c.remote,
		counted:  l.reactor.clients != nil && !c.overLimit,
		unread:   bytes.Clone(unread),
	}
	d.drained.Store(len(unread) == 0)
	c.forget()
	if c.interest != unregistered {
		_ = l.poller.remove(int(c.fd)) // a registration would outlive the descriptor, as long as there are copies
	}
	l.conns.set(int(c.fd), nil)
	closeSocket(int(c.fd))
	c.in = nil // not freed: Data may be running with a view of it
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

// Read implements net.Conn.
func (d *Detached) Read(p []byte) (int, error) {
	if d.drained.Load() {
		n, err := d.Conn.Read(p)
		d.loop.reactor.strays.received.Add(uint64(n))
		return n, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := copy(p, d.unread)
	d.unread = d.unread[n:]
	if len(d.unread) == 0 {
		d.unread = nil
		d.drained.Store(true)
	}
	return n, nil
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
