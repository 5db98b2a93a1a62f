package h1

import (
	"cmp"
	"time"
)

// patience is how long the rest of a request's content is waited for: Config.ContentGrace at first, and the longer the
// more has come, by Config.ContentRate, up to ContentTimeout. A client that pauses now and then after sending much is waited
// for, one that sends an octet a second is not. Only time in which octets are read counts.
type patience struct {
	until  int64  // loop time; 0: not waiting
	octets uint32 // that the connection had received when until was set, or the content began
}

// awaitOctets sets the deadline for the next octets of content.
func (c *conn) awaitOctets() {
	config := c.protocol.config
	if config.ContentRate == 0 {
		c.SetDeadline(config.ContentTimeout)
		return
	}
	p := &c.t.patience
	now, octets := c.protocol.loop.Now(), c.Received()
	if p.until == 0 {
		p.until = now + int64(config.ContentGrace)
	}
	p.until += int64(octets-p.octets) * int64(time.Second) / int64(config.ContentRate)
	p.until = min(p.until, now+int64(cmp.Or(config.ContentTimeout, time.Hour)))
	p.octets = octets
	c.SetDeadline(time.Duration(max(p.until-now, 1)))
}

// awaitApplication suspends the deadline: it is not the client who is waited for.
func (c *conn) awaitApplication() {
	c.t.patience = patience{octets: c.Received()}
	c.SetDeadline(0)
}
