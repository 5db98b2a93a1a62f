package apptest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Listener is a net.Listener whose connections stay in the process.
type Listener struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
	dialed atomic.Int64
}

// Listen returns a Listener. Nobody but those who have it can reach it.
func Listen() *Listener {
	return &Listener{accept: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accept:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that were accepted stay open.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return serverAddr }

// Dial connects to the listener, and returns when the connection was accepted.
func (l *Listener) Dial() (net.Conn, error) { return l.DialContext(context.Background(), "", "") }

// DialContext is Dial with the signature that http.Transport wants. Every address leads to the listener.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	// Ports from the dynamic range (RFC 6335 6), in turn.
	client := address(fmt.Sprint("192.0.2.1:", 49152+(l.dialed.Add(1)-1)%16384))
	up, down := newStream(), newStream()
	select {
	case l.accept <- &conn{in: up, out: down, local: serverAddr, remote: client}:
		return &conn{in: down, out: up, local: client, remote: serverAddr}, nil
	case <-l.done:
		return nil, fmt.Errorf("apptest: dial: %w", net.ErrClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// address is written as TCP addresses are, because applications split them. They are of RFC 5737, TEST-NET-1.
type address string

const serverAddr address = "192.0.2.2:80"

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }
