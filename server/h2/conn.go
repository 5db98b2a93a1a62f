package h2

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// conn is the socket as golang.org/x/net/http2 sees it. It follows the frames of both directions, so that a client which
// sends what costs it nothing, without end, or does not end what it has begun, is sent away.
type conn struct {
	net.Conn
	server *Server
	credit credit

	// The reader's.
	ahead  buffered // what is read ahead of in; nil: not known
	in     follower
	late   bool // a read deadline is set
	failed error

	// The writer's.
	mu   sync.Mutex
	out  follower // guarded by mu
	told bool     // of the end of the server; guarded by mu
}

func newConn(c net.Conn, s *Server) *conn {
	conn := &conn{Conn: c, server: s}
	conn.ahead, _ = c.(buffered)
	conn.in.left = len(http2.ClientPreface)
	conn.credit.init()
	return conn
}

// buffered is a connection that reads ahead.
type buffered interface{ Buffered() int }

// stater is a connection of TLS.
type stater interface {
	ConnectionState() tls.ConnectionState
}

// tlsConn is a conn of a connection of TLS.
type tlsConn struct {
	*conn
	stater
}

// errCalm sends the client away: with GOAWAY and ENHANCE_YOUR_CALM, or without a word where x/net/http2 is net/http's (Go 1.27).
var errCalm = http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	n, err := c.Conn.Read(p)
	return c.received(p[:n], err)
}

// received follows what was read, and sets the deadline for what is to come. An error is that of the reads that follow, if there are octets before
// it.
func (c *conn) received(p []byte, err error) (int, error) {
	c.in.follow(p, c.frame)
	if c.credit.spent() {
		err = errCalm
	}
	if waits := c.in.begun() && (c.ahead == nil || c.ahead.Buffered() == 0); waits != c.late {
		if c.late = !c.late; c.late && c.server.config().HeadTimeout > 0 {
			_ = c.Conn.SetReadDeadline(time.Now().Add(c.server.config().HeadTimeout))
		} else {
			_ = c.Conn.SetReadDeadline(time.Time{})
		}
	}
	if err == nil {
		return len(p), nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errCalm
	}
	c.failed = err
	if len(p) > 0 {
		return len(p), nil
	}
	return 0, err
}

// frame takes note of a frame from the client.
func (c *conn) frame(f frameHead) { c.credit.take(f.cost()) }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.out.follow(p, func(f frameHead) { c.credit.give(f.worth()) })
	late := !c.told && c.server.draining.Load()
	c.told = c.told || late
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	if late { // it may have begun behind Shutdown, but from its first Write on it can be told
		go c.server.goAway()
	}
	return n, err
}
