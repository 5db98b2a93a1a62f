package gateway

import (
	"bytes"
	"cmp"
	"net/netip"
	"strconv"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

// transaction is one request and its response. A connection has one from the first variable to the last octet of the response, and
// none while it is idle or the answer is deferred. It is the app.Source of the request, and has its app.Variables.
type transaction struct {
	response
	request
	exchange exchange.Exchange

	block    []byte // the variables, as they came: what request refers to
	read     bool   // request is complete
	began    bool   // the application was called
	taken    bool   // the loop was taken over in a call of the application: it may still run, and all this is its own
	viewed   bool   // memory has a view of the input
	memory   app.Memory
	content  []byte // that is read whole, in several pieces
	stream   *exchange.Stream
	length   int64 // of the content, as the application sees it; -1: not known, or none
	got      int64 // octets of content so far
	patience exchange.Patience
	notes    accesslog.Notes
}

// reset makes t ready for another request.
func (t *transaction) reset() {
	t.request.reset()
	t.block, t.content = kept(t.block), kept(t.content)
	t.read, t.began, t.viewed = false, false, false
	t.memory.Reset(nil)
	t.stream, t.length, t.got, t.patience = nil, -1, 0, exchange.Patience{}
	t.response = response{c: t.c}
	t.notes.Reset()
}

// maxKept is the largest buffer that is kept for another request, in octets.
const maxKept = 16 << 10

func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

// Detach implements app.Source. Variables are the transaction's own, which is not reused then.
func (t *transaction) Detach() {
	if content, _ := t.memory.View(); t.viewed && len(content) > 0 {
		t.memory.Reset(bytes.Clone(content))
	}
	t.viewed = false
}

// Method implements app.Source.
func (t *transaction) Method() string { return t.method }

// Target implements app.Source.
func (t *transaction) Target() []byte { return t.uri }

// Path implements app.Source.
func (t *transaction) Path() []byte { return rawPath(t.uri) }

// Query implements app.Source.
func (t *transaction) Query() []byte { return t.query }

// Protocol implements app.Source.
func (t *transaction) Protocol() string { return t.protocol }

// Scheme implements app.Source.
func (t *transaction) Scheme() string { return t.scheme }

// Fields implements app.Source.
func (t *transaction) Fields() int { return len(t.fields) }

// Field implements app.Source.
func (t *transaction) Field(i int) (name, value []byte) { return t.fields[i].name, t.fields[i].value }

// ContentLength implements app.Source.
func (t *transaction) ContentLength() int64 { return t.length }

// Remote implements app.Source: the client of the web server, not that itself, unless it does not tell.
func (t *transaction) Remote() (host string, port int) {
	if len(t.remoteAddr) > 0 {
		return string(t.remoteAddr), number(t.remotePort)
	}
	a := t.c.Remote()
	if !a.IsValid() {
		return "", 0
	}
	return a.Addr().String(), int(a.Port())
}

// Local implements app.Source.
func (t *transaction) Local() (host string, port int) {
	host, port = string(t.serverName), number(t.serverPort)
	if host == "" {
		host = "localhost"
	}
	return host, cmp.Or(port, app.UsualPort(t.scheme))
}

// number is what a port's variable says, 0 when it is none.
func number(digits []byte) int {
	n, _ := strconv.ParseUint(string(digits), 10, 16)
	return int(n)
}

// remote is the client's address for the access log.
func (t *transaction) remote() netip.Addr {
	if a, err := netip.ParseAddr(string(t.remoteAddr)); err == nil {
		return a
	}
	return t.c.Remote().Addr()
}

// Variables implements app.Variables.
func (t *transaction) Variables() int { return len(t.others) }

// Variable implements app.Variables.
func (t *transaction) Variable(i int) (name, value []byte) {
	return t.others[i].name, t.others[i].value
}

// Defer implements app.Deferrer.
func (t *transaction) Defer() app.Deferred { return t.exchange.Defer() }

// TakenOver implements exchange.Wire: the application blocks, and what called it will not go on.
func (t *transaction) TakenOver() (path []byte) {
	c := t.c
	t.taken = true
	if !c.inside { // Resume was called, of a connection that waits for nothing else; the environ is detached
		return t.Path()
	}
	c.inside = false
	c.SetDeadline(0)
	c.Interrupted(c.protocol.behind)
	c.Release() // what comes now may be the end of the request
	switch {
	case c.parked != nil:
		c.wait()
	case t.finished: // it is Close that blocks
		c.settle()
	}
	return t.Path()
}

// Park implements exchange.Wire.
func (t *transaction) Park() exchange.Parked {
	p := &parked{response: response{c: t.c, begun: t.begun}, t: t} // not all of reply: on a goroutine the rest is the loop's
	p.close = t.exchange.Environ.ClosesConnection()
	if t.c.protocol.log != nil {
		e := t.entry(nil, nil)
		p.entry = e.Clone()
	}
	return p
}
