package h1

import (
	"bytes"

	"github.com/weirhttp/weir/loop"
)

// preface is what a client that knows of HTTP/2 sends first (RFC 9113 3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// isPreface tells whether in, the first octets of a connection, is the preface of HTTP/2: the connection is handed over then. It is true too
// for so few octets that nobody knows yet, which come again with more behind them. In TLS there is ALPN to say so.
func (c *conn) isPreface(in []byte) bool {
	n := min(len(in), len(preface))
	if c.requests > 0 || c.blank > 0 || c.Layer() != nil || !bytes.Equal(in[:n], preface[:n]) {
		return false
	}
	if n < len(preface) {
		if c.state == idle {
			c.move(headStarted)
			c.SetDeadline(c.protocol.config().HeadTimeout)
		}
		return true
	}
	d, err := c.Detach(in)
	if err != nil {
		c.protocol.config().Exchange.Log.Error("a connection of HTTP/2 cannot be served", "error", err)
		c.Abort(loop.ReasonAborted) // which ends in Closed
		return true
	}
	c.move(connectionClosed)
	c.rest()
	c.protocol.config().HTTP2(d)
	return true
}
