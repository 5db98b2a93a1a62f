// Package h1 is HTTP/1.1 on a connection (RFC 9112): it reads requests with httpparse, runs them with
// server/exchange, and writes responses.
package h1

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/forwarded"
	"github.com/weirhttp/weir/server/settings"
	"github.com/weirhttp/weir/server/tally"
)

// Config is what all connections of a server share.
type Config struct {
	settings.Protocol
	// Forwarded is who may speak for other clients; nil: nobody.
	Forwarded *forwarded.Policy
	// Server is the value of the Server field; "" leaves the field out.
	Server string
	// Switch makes the handler of a connection that leaves HTTP, by what the application has given to SwitchProtocols; nil: none can.
	Switch func(host *exchange.Host, c *loop.Conn, to any) loop.Handler
	// HTTP2 takes a connection that begins with the preface of HTTP/2 (RFC 9113 3.4), which it will read again. It is called on the loop, and
	// does not wait. nil: such a connection is refused.
	HTTP2 func(*loop.Detached)
}

// Protocol makes connections. There is one for each loop; its fields are the loop's.
type Protocol struct {
	current atomic.Pointer[Config]
	loop    *loop.Loop
	host    *exchange.Host
	behind  int               // how many octets came behind the request that the application is being called for
	free    []*transaction    // not in use
	fixed   []byte            // the Server and Date field lines
	fixedAt int64             // the second for which fixed is good
	date    []byte            // the part of fixed that is the Date field line
	log     *accesslog.Scribe // nil: no access log
	tally   *tally.Requests   // nil: requests are not counted
	entry   accesslog.Entry   // storage of the one that is being logged
	at      int64             // the time as of the last line that was logged in this event, as accesslog.Now tells; 0: none was
	named   atomic.Pointer[name]
}

// maxFree bounds how many transactions a loop keeps for reuse.
const maxFree = 128

// New returns the protocol of one loop.
func New(config *Config, l *loop.Loop) *Protocol {
	p := &Protocol{loop: l, host: exchange.NewHost(config.Exchange, l), fixedAt: -1}
	p.current.Store(config)
	p.tally = config.Tally.Loop(l.Index)
	p.host.Tally = p.tally
	if config.AccessLog != nil {
		p.log = config.AccessLog.Scribe()
	}
	return p
}

// Loop is the loop of the protocol.
func (p *Protocol) Loop() *loop.Loop { return p.loop }

// config is what counts now. Any goroutine may call it: another one may count a moment later.
func (p *Protocol) config() *Config { return p.current.Load() }

// Reload has another configuration count, for the requests that begin from now on too. Its Exchange and its AccessLog are those of the one before. Any
// goroutine may call it.
func (p *Protocol) Reload(config *Config) { p.current.Store(config) }

// NewConn returns the handler of a new connection.
func (p *Protocol) NewConn() loop.Handler { return &conn{protocol: p} }

// take returns a transaction for a request of c.
func (p *Protocol) take(c *conn) *transaction {
	var t *transaction
	if n := len(p.free); n > 0 {
		t = p.free[n-1]
		p.free[n-1] = nil // it may be left to the garbage collector, with what it refers to
		p.free = p.free[:n-1]
	} else {
		t = newTransaction(p.host)
	}
	t.c = c
	return t
}

// give takes back a transaction. One whose environ was detached is left to whoever may still refer to it, and so is one whose application runs on.
func (p *Protocol) give(t *transaction) {
	if !t.late {
		t.release()
	}
	if t.late || t.taken || t.exchange.Environ.Detached() || len(p.free) >= maxFree {
		return
	}
	t.c = nil
	p.free = append(p.free, t)
}

// fields returns the Server and Date field lines, rendered once a second.
func (p *Protocol) fields() []byte {
	if second := p.loop.Now() / int64(time.Second); second != p.fixedAt {
		p.fixedAt = second
		p.fixed = p.fixed[:0]
		if p.config().Server != "" {
			p.fixed = append(append(append(p.fixed, "Server: "...), p.config().Server...), "\r\n"...)
		}
		start := len(p.fixed)
		p.fixed = append(p.fixed, "Date: "...)
		p.fixed = time.Now().UTC().AppendFormat(p.fixed, "Mon, 02 Jan 2006 15:04:05 GMT")
		p.fixed = append(p.fixed, "\r\n"...)
		p.date = p.fixed[start:]
	}
	return p.fixed
}

// name is what SERVER_NAME and SERVER_PORT are at a listener.
type name struct {
	listener *loop.Listener
	host     string
	port     int
}

// name returns that of a listener. Any goroutine may call it.
func (p *Protocol) name(ln *loop.Listener) *name {
	n := p.named.Load()
	if n == nil || n.listener != ln {
		n = &name{listener: ln}
		n.host, n.port = ServerName(ln)
		p.named.Store(n)
	}
	return n
}

// ServerName is what SERVER_NAME and SERVER_PORT are at a listener: never empty, on a Unix socket neither.
func ServerName(ln *loop.Listener) (host string, port int) {
	if ln.Network() == "unix" {
		return "localhost", 80
	}
	host = ln.Host()
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ServerNameOf(ip)
	}
	return host, ln.Port()
}

// ServerNameOf is what SERVER_NAME is at an address.
func ServerNameOf(ip netip.Addr) string {
	switch {
	case ip.IsUnspecified():
		return "localhost"
	case ip.Is6():
		return "[" + ip.String() + "]" // RFC 3875 4.1.14
	}
	return ip.String()
}
