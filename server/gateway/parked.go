package gateway

import (
	"time"

	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

// parked is a request that is answered later: what its response needs, and nothing of the request.
type parked struct {
	response
	t        *transaction // that was parked, until Attach
	deferred exchange.Deferred
	entry    *accesslog.Entry // for the access log; nil: there is none
}

// Deferred implements exchange.Parked.
func (p *parked) Deferred() *exchange.Deferred { return &p.deferred }

// Host implements exchange.Parked.
func (p *parked) Host() *exchange.Host { return p.c.protocol.host }

// Attach implements exchange.Parked.
func (p *parked) Attach() {
	c, t := p.c, p.t
	p.t = nil
	if t != c.t { // the request has ended meanwhile, and maybe another one has begun
		p.deferred.Gone()
		return
	}
	p.close = p.close || t.close
	c.parked = p
	if !c.inside { // the application runs on a goroutine
		c.wait()
	}
}

// wait gives up the transaction of a request that was parked, when its application has returned or runs on a
// goroutine. That of a request whose content is still coming is needed.
func (c *conn) wait() {
	if t := c.t; c.state == answering {
		c.t = nil
		c.protocol.give(t)
	}
	c.parked.deferred.Waits()
	if c.Ends() { // it was told before the answer was deferred
		c.EOF()
	}
}

// SetDeadline implements exchange.Parked.
func (p *parked) SetDeadline(d time.Duration) {
	if p.c.parked == p && p.c.state == answering {
		p.c.SetDeadline(d)
	}
}

// TakenOver implements exchange.Wire.
func (p *parked) TakenOver() []byte { return nil }

// Park is not called: the request is parked already.
func (p *parked) Park() exchange.Parked { return p }
