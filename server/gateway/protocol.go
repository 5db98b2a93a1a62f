package gateway

import (
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

// Config is what all connections of a server share. Zero durations mean that there is no limit.
type Config struct {
	Application app.Application
	Exchange    *exchange.Config
	// AccessLog is told of each request; nil: there is none.
	AccessLog *accesslog.Log
	// Limits bound the variables of a request: RequestLine its REQUEST_URI, FieldLine and Fields the HTTP_ ones, and RequestLine and
	// FieldSection together all variables, in octets.
	Limits httpparse.Limits
	// ContentBuffer is up to how many octets of content are read before the application is called, so
	// that it never waits for them on the loop. Longer content streams to the application on a goroutine.
	ContentBuffer int
	// MaxContent is the longest content that is accepted, in octets; 0: no limit.
	MaxContent int64
	// IdleTimeout bounds how long a connection may be without a request, HeadTimeout how long the variables
	// may take from their first octet, ContentTimeout the time between octets of content.
	IdleTimeout, HeadTimeout, ContentTimeout time.Duration
	// ContentRate is the least rate at which content may come, in octets a second, after ContentGrace; 0: any.
	ContentRate  int
	ContentGrace time.Duration
	// KeepHalfClosed has a web server that has ended its sending wait for an answer that is deferred; otherwise its client is taken
	// to have left.
	KeepHalfClosed bool
	// MaxRequests is how many requests a connection may carry; 0: no limit.
	MaxRequests int
}

// Protocol makes connections of one format. There is one for each loop and format; its fields are the loop's.
type Protocol struct {
	config *Config
	format Format
	loop   *loop.Loop
	host   *exchange.Host
	free   []*transaction    // not in use
	head   []byte            // storage of a head that is rendered
	line   []byte            // storage of a line for the access log
	behind int               // how many octets came behind the request that the application is being called for
	warned int64             // the second of the last warning
	log    *accesslog.Scribe // nil: no access log
}

// maxFree bounds how many transactions a loop keeps for reuse.
const maxFree = 128

// New returns the protocol of one loop.
func New(config *Config, format Format, l *loop.Loop) *Protocol {
	p := &Protocol{config: config, format: format, loop: l, host: exchange.NewHost(config.Exchange, l), warned: -1}
	if config.AccessLog != nil {
		p.log = config.AccessLog.Scribe()
	}
	return p
}

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
