package app

import (
	"bytes"
	"io"
	"maps"
	"strconv"
)

// Environ is one request: the dictionary of PEP 3333, answered from the parsed request without
// building a dictionary. Keys are the CGI ones (REQUEST_METHOD, PATH_INFO, HTTP_HOST, ...), those that
// begin with "wsgi.", and the application's own (Set).
//
// An Environ belongs to one request and is used by one goroutine at a time. It is reused for another request when
// this one has ended, unless it was detached.
type Environ struct {
	source    Source
	gateway   *Gateway
	input     Input
	variables Variables // nil: none came with the request

	path     []byte // PATH_INFO, once pathSet
	pathSet  bool
	detached bool
	closes   bool                    // CloseConnection was called
	script   string                  // SCRIPT_NAME
	own      map[string]any          // what Set and Delete did; deleted{} where a key was removed
	body     slice                   // for Bytes
	wrap     func(Deferred) Deferred // of middleware, around what Defer returns; nil: none
	decoded  []byte                  // storage behind path where it differs from what was received
}

// deleted stands in Environ.own for a key that was removed.
type deleted struct{}

// Reset makes e the environ of another request. It is for servers.
func (e *Environ) Reset(source Source, input Input, gateway *Gateway) {
	e.source, e.input, e.gateway = source, input, gateway
	e.path, e.pathSet, e.detached, e.closes = nil, false, false, false
	e.script = ""
	e.own, e.wrap, e.variables = nil, nil, nil
	if e.body.used {
		e.body = slice{}
	}
}

// Detach copies what the views of e point to. Slices that e returns from now on live as long as they
// are referenced, and so does e itself; those that it returned before live as long as they did.
func (e *Environ) Detach() {
	if e.detached {
		return
	}
	e.detached = true
	if len(e.decoded) == 0 {
		e.pathSet = e.pathSet && e.path == nil
	}
	e.source.Detach()
}

// Detached tells whether Detach was called. It is for servers: a detached environ must not be reused.
func (e *Environ) Detached() bool { return e.detached }

// Defer has the request answered later, by the Deferred that it returns: nothing that start_response or the body could
// say counts any more, and the application returns nil. It is called once, before start_response. Middleware around the
// application sees the answer where it has called WrapDefer (FilterHead, FilterContent, OnEnd).
//
// It panics when the server cannot do it: an Environ of another package's making.
func (e *Environ) Defer() Deferred {
	d, ok := e.source.(Deferrer)
	if !ok {
		panic("app: this server cannot defer answers")
	}
	if e.wrap != nil {
		return e.wrap(d.Defer())
	}
	return d.Defer()
}

// WrapDefer has Defer return what wrap makes of the server's Deferred. It is for middleware, which calls it before the application: what
// was wrapped last is nearest to the application.
func (e *Environ) WrapDefer(wrap func(Deferred) Deferred) {
	if outer := e.wrap; outer != nil {
		inner := wrap
		wrap = func(d Deferred) Deferred { return inner(outer(d)) }
	}
	e.wrap = wrap
}

// EarlyHints sends fields that the response is going to have, in an interim response (103, RFC 8297), so that the client can fetch
// meanwhile what they link to. It may be called any number of times before the head of the response has left. The fields
// keep the rules of StartResponse; a Content-Length is left out. They are wsgi.early_hints, which middleware may replace.
//
// Without error it is not certain that something was sent: HTTP/1.0 has no interim responses, and not every server
// can send them. err is ErrGone when the client has left. A request that was deferred has Deferred.EarlyHints.
func (e *Environ) EarlyHints(headers []Header) error {
	if v, changed := e.own["wsgi.early_hints"]; changed {
		if f, ok := v.(func(headers []Header) error); ok {
			return f(headers)
		}
		return nil
	}
	return e.earlyHints(headers)
}

func (e *Environ) earlyHints(headers []Header) error {
	if err := CheckHints(headers); err != nil {
		return err
	}
	if s, ok := e.source.(EarlyHinter); ok {
		return s.EarlyHints(headers)
	}
	return nil
}

// CloseConnection has the server close the connection after this response. It is what an application
// may do instead of sending "Connection: close", which is the server's.
func (e *Environ) CloseConnection() { e.closes = true }

// ClosesConnection tells whether CloseConnection was called. It is for servers.
func (e *Environ) ClosesConnection() bool { return e.closes }

// Method is REQUEST_METHOD.
func (e *Environ) Method() string {
	if e.own != nil {
		return e.Get("REQUEST_METHOD")
	}
	return e.source.Method()
}

// Path is PATH_INFO: percent-decoded once, "//" kept. A view.
func (e *Environ) Path() []byte {
	if !e.pathSet {
		e.pathSet = true
		e.path = e.source.Path()
		e.decoded = e.decoded[:0]
		if bytes.IndexByte(e.path, '%') >= 0 {
			e.decoded = AppendPercentDecoded(e.decoded, e.path)
			e.path = e.decoded
		}
	}
	return e.path
}

// RawPath is the path of the target as it was received, percent-encoded. A view.
func (e *Environ) RawPath() []byte { return e.source.Path() }

// Query is QUERY_STRING: raw. A view.
func (e *Environ) Query() []byte {
	if _, ok := e.own["QUERY_STRING"]; ok {
		return []byte(e.Get("QUERY_STRING"))
	}
	return e.source.Query()
}

// Header returns the value of the request's header field of that name, in any case; repeated ones are
// joined as RFC 9110 5.3 says. A view, unless they had to be joined.
func (e *Environ) Header(name string) (value []byte, ok bool) {
	if e.own != nil {
		if v, changed := e.own[environKey([]byte(name))]; changed {
			s, ok := v.(string)
			return []byte(s), ok
		}
	}
	return e.field(name, equalFold)
}

// ContentLength is the length of the request's content in octets, -1 when there is none or it is not known beforehand.
func (e *Environ) ContentLength() int64 {
	if v, changed := e.own["CONTENT_LENGTH"]; changed {
		s, _ := v.(string)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			return n
		}
		return -1
	}
	return e.source.ContentLength()
}

// Input is wsgi.input.
func (e *Environ) Input() Input {
	if in, ok := e.own["wsgi.input"].(Input); ok {
		return in
	}
	return e.input
}

// Errors is wsgi.errors: where an application writes what the operator should read.
func (e *Environ) Errors() io.Writer {
	if w, ok := e.own["wsgi.errors"].(io.Writer); ok {
		return w
	}
	return e.gateway.Errors
}

// Bytes is app.Bytes with its storage in the environ: the body is good for this request only. A
// second call in one request allocates.
func (e *Environ) Bytes(b []byte) Body {
	if e.body.used {
		return Bytes(b)
	}
	e.body = slice{chunk: b, used: true}
	return &e.body
}

// Set gives key a value for the rest of this request, as middleware does for the applications below.
// PATH_INFO, SCRIPT_NAME and the other CGI keys take strings.
func (e *Environ) Set(key string, value any) {
	switch key {
	case "PATH_INFO":
		if s, ok := value.(string); ok {
			delete(e.own, key)
			// Fresh storage: views that Path returned before may point to the old one.
			e.decoded = []byte(s)
			e.path, e.pathSet = e.decoded, true
			if len(s) == 0 {
				e.path = nil
			}
			return
		}
	case "SCRIPT_NAME":
		if s, ok := value.(string); ok {
			delete(e.own, key)
			e.script = s
			return
		}
	}
	if e.own == nil {
		e.own = make(map[string]any)
	}
	e.own[key] = value
}

// Delete removes key for the rest of this request.
func (e *Environ) Delete(key string) { e.Set(key, deleted{}) }

// Get returns the string value of key, "" when it is absent or not a string.
func (e *Environ) Get(key string) string {
	s, _ := e.Lookup(key)
	return s
}

// Lookup is Get that tells whether key is present and a string.
func (e *Environ) Lookup(key string) (string, bool) {
	if e.own != nil {
		if v, ok := e.own[key]; ok {
			s, ok := v.(string)
			return s, ok
		}
	}
	if s, ok := e.text(key); ok {
		return s, true
	}
	if v, ok := e.gateway.Extra[key]; ok {
		s, ok := v.(string)
		return s, ok
	}
	return e.variable(key)
}

// Meta is the meta-variables of a request (RFC 3875 4.1), as they are before they become strings.
type Meta struct {
	ScriptName, Protocol, Scheme string
	Target                       []byte // a view
	ServerName                   string
	ServerPort                   int
	RemoteAddr                   string // "" on a Unix socket
	RemotePort                   int    // 0: not known
	ContentLength                int64  // -1: there is none
	Encrypted                    bool   // TLSKeys have values
}

// Meta returns all meta-variables at once, for those who need every one. ok is false when the application or the deployer has
// set keys, or a web server in front: only Lookup knows these.
func (e *Environ) Meta() (m Meta, ok bool) {
	if e.own != nil || len(e.gateway.Extra) > 0 || e.variables != nil {
		return m, false
	}
	src := e.source
	m = Meta{ScriptName: e.script, Protocol: src.Protocol(), Scheme: src.Scheme(), Target: src.Target(), ContentLength: src.ContentLength()}
	m.ServerName, m.ServerPort = src.Local()
	m.RemoteAddr, m.RemotePort = src.Remote()
	m.Encrypted = m.Scheme == "https" && e.TLS() != nil
	return m, true
}

// Value returns what key stands for: a string, or for wsgi keys what PEP 3333 says (Version, bool,
// Input, io.Writer, the function FileWrapper).
func (e *Environ) Value(key string) (any, bool) {
	if e.own != nil {
		if v, ok := e.own[key]; ok {
			_, gone := v.(deleted)
			return v, !gone
		}
	}
	if s, ok := e.text(key); ok {
		return s, true
	}
	if v, ok := e.object(key); ok {
		return v, true
	}
	if v, ok := e.gateway.Extra[key]; ok {
		return v, true
	}
	if s, ok := e.variable(key); ok {
		return s, true
	}
	return nil, false
}

// All ranges over all keys and their values, in no promised order.
func (e *Environ) All() func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		seen := maps.Clone(e.own)
		if seen == nil {
			seen = make(map[string]any)
		}
		for key, v := range e.own {
			if _, gone := v.(deleted); !gone && !yield(key, v) {
				return
			}
		}
		visit := func(key string) bool {
			if _, again := seen[key]; again {
				return true
			}
			seen[key] = nil
			v, ok := e.Value(key)
			return !ok || yield(key, v)
		}
		for _, key := range keys {
			if !visit(key) {
				return
			}
		}
		for i := range e.source.Fields() {
			name, _ := e.source.Field(i)
			if key := fieldKey(name); key != "" && !visit(key) {
				return
			}
		}
		for key := range e.gateway.Extra {
			if !visit(key) {
				return
			}
		}
		for name := range e.Variables() {
			if !visit(string(name)) {
				return
			}
		}
	}
}

// field joins the values of all fields whose name matches.
func (e *Environ) field(name string, match func(want string, name []byte) bool) (value []byte, ok bool) {
	joined := false
	for i := range e.source.Fields() {
		n, v := e.source.Field(i)
		if len(n) == 0 || len(n) != len(name) || !match(name, n) {
			continue
		}
		if !ok {
			value, ok = v, true
			continue
		}
		// Cookie is the one request field that is not a list (RFC 6265 5.4, RFC 9113 8.2.3).
		separator := ","
		if len(n) == len("cookie") && equalFold("cookie", n) {
			separator = "; "
		}
		// One copy, at the first repetition: a copy at each would be quadratic in what the client sends.
		if !joined {
			value, joined = bytes.Clone(value), true
		}
		value = append(append(value, separator...), v...)
	}
	return value, ok
}

func equalFold(want string, name []byte) bool {
	for i := range len(name) {
		if a, b := want[i], name[i]; a != b && (a|0x20 != b|0x20 || a|0x20 < 'a' || a|0x20 > 'z') {
			return false
		}
	}
	return true
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
