package gateway

import (
	"sync/atomic"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/settings"
	"github.com/weirhttp/weir/server/tally"
)

// Protocol makes connections of one format. There is one for each loop and format; its fields are the loop's.
type Protocol struct {
	current atomic.Pointer[settings.Protocol]
	format  Format
	loop    *loop.Loop
	host    *exchange.Host
	free    []*transaction    // not in use
	head    []byte            // storage of a head that is rendered
	line    []byte            // storage of a line for the access log
	behind  int               // how many octets came behind the request that the application is being called for
	warned  int64             // the second of the last warning
	log     *accesslog.Scribe // nil: no access log
	tally   *tally.Requests   // nil: requests are not counted
	values  [][]byte          // storage of accesslog.Entry.In
}

// maxFree bounds how many transactions a loop keeps for reuse.
const maxFree = 128

// New returns the protocol of one loop.
func New(config *settings.Protocol, format Format, l *loop.Loop) *Protocol {
	p := &Protocol{format: format, loop: l, host: exchange.NewHost(config.Exchange, l), warned: -1}
	p.current.Store(config)
	p.tally = config.Tally.Loop(l.Index)
	p.host.Tally = p.tally
	if config.AccessLog != nil {
		p.log = config.AccessLog.Scribe()
	}
	return p
}

// config is what counts now. Any goroutine may call it: another one may count a moment later.
func (p *Protocol) config() *settings.Protocol { return p.current.Load() }

// Reload has other settings count, for the requests that begin from now on too. Exchange and AccessLog are those of the ones before. Any goroutine
// may call it.
func (p *Protocol) Reload(config *settings.Protocol) { p.current.Store(config) }

// NewConn returns the handler of a new connection.
func (p *Protocol) NewConn() loop.Handler { return &conn{protocol: p, codec: p.format.newCodec()} }

// take returns a transaction for a request of c.
func (p *Protocol) take(c *conn) *transaction {
	var t *transaction
	if n := len(p.free); n > 0 {
		t = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		t = &transaction{}
		t.exchange.Init(p.host)
	}
	t.c = c
	t.reset()
	return t
}

// give takes back a transaction. One whose environ was detached is left to whoever may still refer to it.
func (p *Protocol) give(t *transaction) {
	if t.taken || t.exchange.Environ.Detached() || len(p.free) >= maxFree {
		return
	}
	t.c = nil
	p.free = append(p.free, t)
}
