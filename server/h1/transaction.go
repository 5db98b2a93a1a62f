package h1

import (
	"cmp"
	"crypto/tls"
	"strings"
	"unsafe"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
)

// transaction is one request and its response. A connection has one from the first octet of the request to
// the last of the response, and none while it is idle or the answer is deferred. It is the app.Source of the request.
type transaction struct {
	reply
	limits   *httpparse.Limits // of the head that is being read: they stay the same for a request
	request  httpparse.Request // parsed from head, or from repeat.head, which is equal
	repeat   repeat
	exchange exchange.Exchange

	via       via    // what proxies say of the request, if forwarded
	forwarded bool   // they say something
	used      bool   // has had a request: reset comes before the next one
	head      []byte // that the request's spans refer to: a view, or own
	method    string
	own       []byte // storage for a copy of the head
	detached  bool   // head and content are copies
	asked     bool   // 100 (Continue) was sent, or need not be
	kept      bool   // keepHead was called
	gathers   bool   // content is received into a buffer of its own
	owns      bool   // content is in gathered, or was
	taken     bool   // the loop was taken over in a call of the application: it may still run, and all this is its own
	called    []byte // head as it was when the application was called

	// Content of the request.
	memory    app.Memory    // that was read whole
	gathered  loop.Gathered // that memory is in; zero: the connection's or the loop's buffer, or a copy
	late      bool          // gathered, and the application runs on after its call: Close may come after the end of the response
	collected []byte        // decoded so far, of chunked content that is read whole
	chunked   httpparse.Chunked
	left      int64 // of content with a length: octets still to come
	length    int64 // content length as the application sees it; -1: not known, or none
	stream    *exchange.Stream
	received  int64 // octets of streamed content
	patience  exchange.Patience
	skipTo    int64 // how far received may go when nobody reads it

	notes   accesslog.Notes
	refused []byte // what the parser refused: a view, good until Data returns
}

func newTransaction(host *exchange.Host) *transaction {
	t := &transaction{}
	t.exchange.Init(host)
	t.reset()
	return t
}

// reset makes t ready for another request. What was parsed stays: the next head may be the same.
func (t *transaction) reset() {
	t.release()
	t.late = false
	t.used, t.head, t.detached, t.called = false, nil, false, nil
	if len(t.collected) > 0 {
		t.collected = t.collected[:0]
		if cap(t.collected) > 16<<10 {
			t.collected = nil
		}
	}
	t.memory.Reset(nil)
	t.chunked.Reset()
	t.left, t.length = 0, -1
	t.stream, t.asked, t.kept, t.gathers, t.owns = nil, false, false, false, false
	t.received, t.skipTo, t.patience = 0, 0, exchange.Patience{}
	t.refused = nil
	t.notes.Reset()
	t.reply = reply{c: t.c}
	if t.forwarded {
		t.forwarded, t.via = false, via{}
	}
}

// release gives back the memory of gathered content. Where somebody may have views of it, it is left to the garbage collector.
func (t *transaction) release() {
	if t.gathered.IsZero() {
		return
	}
	if t.exchange.Environ.Detached() {
		t.leave()
		return
	}
	t.memory.Reset(nil)
	t.exchange.Forget() // else who has the memory next could not leave it to the garbage collector
	t.gathered.Free()
	t.gathered = loop.Gathered{}
}

// leave gives gathered content up to whoever has views of it.
func (t *transaction) leave() {
	t.gathered.Leave()
	t.gathered = loop.Gathered{}
}

// keepHead copies the head, because its buffer is about to be used for something else.
func (t *transaction) keepHead() {
	t.own = append(t.own[:0], t.head...)
	t.head = t.own
}

// Detach implements app.Source. The copies are the transaction's own, which is not reused.
func (t *transaction) Detach() {
	if t.detached {
		return
	}
	t.detached = true
	if !t.kept {
		t.keepHead()
	}
	if content, _ := t.memory.View(); len(content) > 0 && !t.owns {
		t.memory.Reset(append([]byte(nil), content...))
	}
}

// method is a method as a string. The usual ones need no copy.
func method(m []byte) string {
	switch string(m) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	case "PUT":
		return "PUT"
	case "PATCH":
		return "PATCH"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	}
	return string(m)
}

// Method implements app.Source.
func (t *transaction) Method() string { return t.method }

// Target implements app.Source.
func (t *transaction) Target() []byte { return t.request.Target.Of(t.head) }

// Path implements app.Source. That of an absolute-form without one is "/" (RFC 9110 4.2.3).
func (t *transaction) Path() []byte {
	if path := t.request.Path.Of(t.head); len(path) > 0 {
		return path
	}
	return slash
}

var slash = []byte("/")

// Query implements app.Source.
func (t *transaction) Query() []byte { return t.request.Query.Of(t.head) }

// protocols are the versions by their minor number, as the client sent it.
var protocols = [10]string{
	"HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.3", "HTTP/1.4", "HTTP/1.5", "HTTP/1.6", "HTTP/1.7", "HTTP/1.8", "HTTP/1.9",
}

// Protocol implements app.Source.
func (t *transaction) Protocol() string { return protocols[t.request.ClientMinor] }

// Scheme implements app.Source.
func (t *transaction) Scheme() string {
	if t.via.scheme != "" {
		return t.via.scheme
	}
	return t.c.scheme()
}

// scheme is that of the connection.
func (c *conn) scheme() string {
	if p := c.Proxied(); c.Layer() != nil || p != nil && p.TLS {
		return "https"
	}
	return "http"
}

// TLS implements app.Encrypted.
func (t *transaction) TLS() *tls.ConnectionState {
	if s, ok := t.c.Layer().(interface{ ConnectionState() *tls.ConnectionState }); ok {
		return s.ConnectionState()
	}
	return nil
}

// Fields implements app.Source. The authority of an absolute-form is a Host, whether the client sent one or not
// (RFC 9112 3.2.2), and so is one that only proxies tell.
func (t *transaction) Fields() int {
	n := len(t.request.Fields)
	if !t.request.HasHost && (t.request.Form == httpparse.AbsoluteForm || t.via.name.Len() > 0) {
		n++
	}
	return n
}

var host = []byte("Host")

// Field implements app.Source. Transfer-Encoding is no longer true of what the application reads.
func (t *transaction) Field(i int) (name, value []byte) {
	if i == len(t.request.Fields) {
		if t.request.Form == httpparse.AbsoluteForm {
			return host, t.request.Authority.Of(t.head)
		}
		return host, t.request.Host.Of(t.head)
	}
	f := &t.request.Fields[i]
	name = f.Name.Of(t.head)
	switch {
	case len(name) == len("Transfer-Encoding") && t.request.Chunked && strings.EqualFold(view(name), "Transfer-Encoding"):
		return nil, nil
	case len(name) == len("Host") && t.request.Form == httpparse.AbsoluteForm && strings.EqualFold(view(name), "Host"):
		return name, t.request.Authority.Of(t.head)
	}
	return name, f.Value.Of(t.head)
}

// view is b as a string, for comparisons only: it must not outlive the statement that it is made in.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// offset is where part, which is not empty, begins in whole. It must be a slice of whole.
func offset(whole, part []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(whole))))
}

// ContentLength implements app.Source.
func (t *transaction) ContentLength() int64 { return t.length }

// Remote implements app.Source.
func (t *transaction) Remote() (host string, port int) {
	a := t.c.Remote()
	if t.forwarded && t.via.client.IsValid() {
		a = t.via.client
	}
	if !a.IsValid() {
		return "", 0
	}
	return a.Addr().String(), int(a.Port())
}

// Local implements app.Source.
func (t *transaction) Local() (host string, port int) {
	if p := t.c.Proxied(); p != nil && p.Local.IsValid() {
		host, port = ServerNameOf(p.Local.Addr()), int(p.Local.Port())
	} else {
		n := t.c.protocol.name(t.c.Listener())
		host, port = n.host, n.port
	}
	if !t.forwarded {
		return host, port
	}
	if t.via.name.Len() > 0 {
		host = string(t.via.name.Of(t.head))
	}
	return host, cmp.Or(t.via.port, port)
}

// isServerWide tells whether the request is an OPTIONS of the server: "*", or an absolute-form without path and
// query, which means the same (RFC 9112 3.2.4).
func (t *transaction) isServerWide() bool {
	r := &t.request
	return r.Form == httpparse.AsteriskForm ||
		r.Form == httpparse.AbsoluteForm && r.Path.Len() == 0 && !r.HasQuery && t.method == "OPTIONS"
}

// mayBeFollowed tells whether octets that come behind the last request would cost the client its answer (RFC 9112
// 9.6): it did not say close, or sent content, behind which old clients send an empty line.
func (t *transaction) mayBeFollowed() bool {
	r := &t.request
	return !r.ConnectionClose && r.Minor == 1 || r.Chunked || r.ContentLength > 0
}

// TakenOver implements exchange.Wire: the application blocks, and what called it will not go on.
func (t *transaction) TakenOver() (path []byte) {
	c := t.c
	t.taken = true
	t.leave()
	if !c.inside { // Resume was called, of a connection that waits for nothing else; the environ is detached
		return t.request.Path.Of(t.head)
	}
	c.inside = false
	c.SetDeadline(0)
	c.Interrupted(c.protocol.behind)
	switch {
	case c.parked != nil:
		c.wait()
	case t.finished: // it is Close that blocks
		c.settle()
		c.goOn()
	}
	return t.request.Path.Of(t.called)
}

// Defer implements app.Deferrer.
func (t *transaction) Defer() app.Deferred { return t.exchange.Defer() }

// EarlyHints implements app.EarlyHinter.
func (t *transaction) EarlyHints(headers []app.Header) error { return t.exchange.EarlyHints(headers) }

// Park implements exchange.Wire.
func (t *transaction) Park() exchange.Parked {
	// Not all of reply: on a goroutine the rest is the loop's.
	p := &parked{reply: reply{c: t.c, begun: t.begun, http10: t.http10}}
	p.close = t.exchange.Environ.ClosesConnection()
	p.followed = t.mayBeFollowed()
	if t.c.protocol.log != nil {
		var e accesslog.Entry
		t.describe(&e)
		p.entry = e.Clone()
	}
	return p
}
