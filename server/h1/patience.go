package h1

import "github.com/weirhttp/weir/server/exchange"

// awaitOctets sets the deadline for the next octets of content.
func (c *conn) awaitOctets() {
	config := c.protocol.config()
	pace := exchange.Pace{Timeout: config.ContentTimeout, Rate: config.ContentRate, Grace: config.ContentGrace}
	c.SetDeadline(c.t.patience.Left(&pace, c.protocol.loop.Now(), c.Received()))
}

// awaitApplication suspends the deadline: it is not the client who is waited for.
func (c *conn) awaitApplication() {
	c.t.patience.Begin(c.Received())
	c.SetDeadline(0)
}
