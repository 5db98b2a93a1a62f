package h1

import (
	"time"

	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

// parked is a request that is answered later: what its response needs, and nothing of the request.
type parked struct {
	reply
	deferred exchange.Deferred
	entry    *accesslog.Entry // for the access log; nil: there is none
}

// Deferred implements exchange.Parked.
func (p *parked) Deferred() *exchange.Deferred { return &p.deferred }

// Attach implements exchange.Parked.
func (p *parked) Attach() {
	c := p.c
	if c.state == closing {
		p.deferred.Gone()
		return
	}
	p.close = c.t.close // it may have changed since the request was parked
	c.parked = p
	if !c.inside { // the application runs on a goroutine
		c.wait()
	}
}

// wait gives up the transaction of a request that was parked, when its application has returned or runs on a
// goroutine. That of a request whose content is still coming is needed.
func (c *conn) wait() {
	if t := c.t; t.stream == nil {
		c.t = nil
		c.protocol.give(t)
	}
	c.parked.deferred.Waits()
}

// SetDeadline implements exchange.Parked.
func (p *parked) SetDeadline(d time.Duration) {
	if p.c.parked == p && p.c.state == answering {
		p.c.SetDeadline(d)
	}
}

// TakenOver implements exchange.Wire. The connection is held.
func (p *parked) TakenOver() {}

// Park is not called: the request is parked already.
func (p *parked) Park() exchange.Parked { return p }
