//go:build unix

package loop

import "time"

// Idler is a Handler whose connection may be without a request. At the end of the server that is the loop's to close.
type Idler interface {
	// Idle tells whether the handler would lose nothing with the connection but what the client has not sent yet.
	Idle() bool
}

// shutdownConn tells a connection of the end. One that is idle, also when a request was looked for that nobody has seen yet, has its farewell.
func shutdownConn(p any) {
	c := p.(*Conn)
	if c.state != open {
		return
	}
	c.told = true
	c.handler.Shutdown()
	if c.isIdleStill() {
		c.Farewell()
	}
}

// Farewell is for a connection that becomes idle after Shutdown was called. The client has Options.DrainIdle for what it may have sent before it could
// know of the end. If the connection is idle then, and nothing is there to be read, it is closed.
func (c *Conn) Farewell() {
	if d := time.Duration(c.loop.reactor.farewell.Load()); d > 0 {
		c.SetDeadline(d)
	} else {
		c.loop.Post(depart, c)
	}
}

// depart ends a farewell. It is a task of its own: what is read may call the application.
func depart(p any) {
	if c := p.(*Conn); c.isIdleStill() {
		c.Finish(ReasonShutdown, false)
	}
}

// isIdle tells whether the connection is open and its handler an Idler that is idle.
func (c *Conn) isIdle() bool {
	h, ok := c.handler.(Idler)
	return ok && c.IsOpen() && h.Idle()
}

// isIdleStill is isIdle when what the client has sent was read. What that has made of the handler is told by itself.
func (c *Conn) isIdleStill() bool {
	h := c.handler
	if !c.isIdle() {
		return false
	}
	c.ReadNow()
	return c.handler == h && c.isIdle()
}
