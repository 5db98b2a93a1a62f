package h2

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
)

// origin is where a client has sent its request, as far as weir or trusted proxies know.
type origin struct {
	scheme string // wsgi.url_scheme
	name   string // SERVER_NAME
	port   int    // SERVER_PORT
}

// origin acts on the fields by which proxies speak for clients, as HTTP/1.1 does: what is not to be believed is removed from r, and what is
// takes the place of what the connection says.
func (h *handler) origin(r *http.Request) origin {
	o := origin{"http", h.at.Name, h.at.Port}
	if r.TLS != nil || h.at.Encrypted {
		o.scheme = "https"
	}
	fields := forwardedFields(r.Header)
	if len(fields) == 0 {
		return o
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // none on a Unix socket
	policy := h.server.config().Forwarded
	told := policy.Read(fields, peer.Addr().Unmap(), h.at.Anonymous)
	for _, f := range fields {
		if policy.Removes(&told, f.name) {
			delete(r.Header, string(f.name))
		}
	}
	if told.Client.IsValid() {
		r.RemoteAddr = told.Client.String()
	}
	if told.Scheme != "" {
		o.scheme = told.Scheme
	}
	if told.Host != nil {
		r.Host = string(told.Host)
		name, _, _ := httpparse.HostAndPort(told.Host)
		o.name = string(name)
	}
	switch {
	case told.Port != 0:
		o.port = told.Port
	case told.Host != nil || told.Scheme != "":
		o.port = askedPort(r.Host, o.scheme)
	}
	return o
}

// askedPort is the port that the client has asked for.
func askedPort(host, scheme string) int {
	if _, port, ok := httpparse.HostAndPort([]byte(host)); ok && port != 0 {
		return port
	}
	return app.UsualPort(scheme)
}

// fieldList is forwarded.Head.
type fieldList []struct{ name, value []byte }

func (l fieldList) Fields() int { return len(l) }

func (l fieldList) Field(i int) (name, value []byte) { return l[i].name, l[i].value }

// forwardedFields are those that proxies write, and what looks like them. Fields of one name are in the order received.
func forwardedFields(header http.Header) (list fieldList) {
	for name, values := range header {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
			for _, value := range values {
				list = append(list, struct{ name, value []byte }{[]byte(name), []byte(value)})
			}
		}
	}
	return list
}
