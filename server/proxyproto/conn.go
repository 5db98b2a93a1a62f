// Package proxyproto is the preface with which a proxy that passes octets on says for whom it speaks: HAProxy's PROXY protocol, versions 1 and 2.
package proxyproto

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/forwarded"
)

// Listener is what the connections of a listener have in common that begin with a preface. It is safe for use by any goroutine.
type Listener struct {
	// Address is what is listened at, for the log.
	Address string
	// Trusted are the proxies. Others are disconnected.
	Trusted forwarded.Networks
	// Timeout is how long a preface may take from when the connection was accepted; 0: for ever.
	Timeout time.Duration
	Log     *slog.Logger

	mu         sync.Mutex
	complained time.Time // when the log was told
	since      int       // connections that were closed since, and that nobody was told of
}

// errNotTrusted and errTimeout are why connections are closed that send no preface.
var (
	errNotTrusted = errors.New("the connection does not come from a trusted proxy")
	errTimeout    = errors.New("the PROXY preface took too long")
)

// NewConn returns the handler of a new connection, which becomes next when its preface is in.
func (l *Listener) NewConn(next loop.Handler) loop.Handler {
	return &conn{Conn: loop.ConnOf(next), listener: l, next: next}
}

// conn is a connection whose preface is being read.
type conn struct {
	*loop.Conn
	listener *Listener
	next     loop.Handler
}

// Opened implements loop.Handler. That the proxy has more connections than one address may have, is no matter.
func (c *conn) Opened() {
	if !c.listener.Trusted.Peer(c.Remote().Addr()) {
		c.refuse(loop.ReasonPreface, errNotTrusted)
		return
	}
	c.SetDeadline(c.listener.Timeout)
}

// Data implements loop.Handler.
func (c *conn) Data(in []byte) (consumed int) {
	n, err := length(in)
	if n == 0 && err == nil {
		return 0
	}
	var p *loop.Proxied
	if err == nil {
		p, err = parse(in[:n])
	}
	if err != nil {
		c.refuse(loop.ReasonPreface, err)
		return len(in)
	}
	c.SetDeadline(0)
	c.Handle(c.next)
	if p != nil {
		c.SetProxied(p)
	}
	c.next.Opened()
	if n < len(in) && c.IsOpen() {
		n += c.next.Data(in[n:])
	}
	return n
}

// refuse closes the connection: whoever is there does not speak HTTP.
func (c *conn) refuse(reason loop.Reason, err error) {
	c.listener.complain(c.Remote().String(), err)
	c.Abort(reason)
}

// EOF implements loop.Handler. Connections that send nothing are how some look whether anybody listens.
func (c *conn) EOF() { c.Finish(loop.ReasonEOF, false) }

// Drained implements loop.Handler.
func (c *conn) Drained() {}

// Timeout implements loop.Handler.
func (c *conn) Timeout() { c.refuse(loop.ReasonTimeout, errTimeout) }

// Shutdown implements loop.Handler.
func (c *conn) Shutdown() {}

// Idle implements loop.Idler: until the preface is in, and the connection next's.
func (c *conn) Idle() bool { return true }

// Closed implements loop.Handler.
func (c *conn) Closed(loop.Reason) {}

// often bounds how often the log is told of connections that were closed.
const often = 10 * time.Second

func (l *Listener) complain(client string, err error) {
	l.mu.Lock()
	now := time.Now()
	if now.Sub(l.complained) < often {
		l.since++
		l.mu.Unlock()
		return
	}
	more := l.since
	l.complained, l.since = now, 0
	l.mu.Unlock()
	l.Log.Warn("connection closed", "address", l.Address, "client", client, "error", err, "others", more)
}
