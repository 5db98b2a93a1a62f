package h2

import (
	"net/http"
	"strings"
	"sync"

	"github.com/weirhttp/weir/httpparse"
)

// parsing is what check needs.
type parsing struct {
	request httpparse.Request
	head    []byte
}

var parsings = sync.Pool{New: func() any { return new(parsing) }}

// check tells what is wrong with a request, if anything: code is not 0 then. It is what would be wrong with the same one in HTTP/1.1, to the
// same parser and within the same limits (RFC 9113 10.3: what is translated later must be valid there).
func (s *Server) check(r *http.Request) (code int, why string) {
	switch {
	case r.Method == http.MethodConnect:
		return http.StatusNotImplemented, "CONNECT is for proxies"
	case !strings.HasPrefix(r.RequestURI, "/") && r.RequestURI != "*":
		return http.StatusBadRequest, "the path does not begin with a slash"
	case connectionSpecific(r.Header):
		return http.StatusBadRequest, "a field of the connection has no place in HTTP/2"
	}
	p := parsings.Get().(*parsing)
	defer parsings.Put(p)
	b := p.head[:0]
	b = append(append(append(append(b, r.Method...), ' '), r.RequestURI...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, r.Host...), "\r\n"...)
	fields, names := 1, len("Host")
	for name, values := range r.Header {
		if name == "Host" {
			continue
		}
		for _, value := range values {
			fields, names = fields+1, names+len(name)
			b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
		}
	}
	p.head = append(b, "\r\n"...)
	p.request.Reset()
	n, err := p.request.Parse(p.head, &s.config().Limits)
	switch e := err.(type) {
	case nil:
		if n == len(p.head) && p.found(len(r.Method), len(r.RequestURI), fields, names) {
			return 0, ""
		}
	case *httpparse.Error:
		return e.Status(), e.Kind.String()
	}
	return http.StatusBadRequest, "the request is malformed"
}

// found tells whether the parser has found the parts that were put in, by their lengths and numbers: nothing is split, or taken for something
// else.
func (p *parsing) found(method, target, fields, names int) bool {
	for i := range p.request.Fields {
		names -= p.request.Fields[i].Name.Len()
	}
	return p.request.Method.Len() == method && p.request.Target.Len() == target && len(p.request.Fields) == fields && names == 0
}

// connectionSpecific tells whether there is a field that a request of HTTP/2 must not have (RFC 9113 8.2.2).
func connectionSpecific(h http.Header) bool {
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	for _, value := range h["Te"] {
		if !strings.EqualFold(value, "trailers") {
			return true
		}
	}
	return false
}
