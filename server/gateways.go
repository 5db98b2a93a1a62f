package server

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/gateway"
	"github.com/weirhttp/weir/server/settings"
)

// Protocol is what is spoken at an address.
type Protocol string

// Protocols. All but HTTP are for a web server in front, which is trusted: what it says of a client is believed.
const (
	HTTP    Protocol = "http"
	UWSGI   Protocol = "uwsgi"
	FastCGI Protocol = "fastcgi"
	SCGI    Protocol = "scgi"
)

// formats are the protocols of web servers in front.
var formats = map[Protocol]gateway.Format{UWSGI: gateway.UWSGI, FastCGI: gateway.FastCGI, SCGI: gateway.SCGI}

func (p Protocol) check() error {
	if _, ok := formats[p]; ok || p == HTTP {
		return nil
	}
	return fmt.Errorf("server: Config.Protocol is %q, want %q, %q, %q or %q", p, HTTP, UWSGI, FastCGI, SCGI)
}

// cutProtocol splits PROTOCOL:ADDRESS. What has no colon behind the first is HOST:PORT, whatever the host is called; http:// begins a URL.
func cutProtocol(bind string, fallback Protocol) (p Protocol, address string) {
	name, address, ok := strings.Cut(bind, ":")
	if p = Protocol(name); ok && p.check() == nil && strings.Contains(address, ":") && !strings.HasPrefix(bind, "http://") {
		return p, address
	}
	return fallback, bind
}

// SpeaksHTTP tells whether HTTP is spoken at one of the addresses of Bind. TLS is spoken there, and nowhere else.
func (c *Config) SpeaksHTTP() bool {
	return slices.ContainsFunc(c.Bind, func(bind string) bool {
		p, _ := cutProtocol(bind, cmp.Or(c.Protocol, HTTP))
		return p == HTTP
	})
}

// listening is a listener, and what is spoken there.
type listening struct {
	*loop.Listener
	protocol Protocol
	owned    bool // inherited, with the file of the socket
}

// String is the address as Config.Bind has it.
func (ln listening) String() string {
	if ln.protocol == HTTP {
		return ln.Listener.String()
	}
	return string(ln.protocol) + ":" + ln.Listener.String()
}

// handlers returns what makes the connections of a listener, given what makes those of HTTP.
func (s *Server) handlers(ln listening, http func(*loop.Loop) loop.Handler, config *settings.Protocol) func(*loop.Loop) loop.Handler {
	format, ok := formats[ln.protocol]
	if !ok {
		return http
	}
	gateways := make([]*gateway.Protocol, len(s.protocols))
	for i, p := range s.protocols {
		gateways[i] = gateway.New(config, format, p.Loop())
	}
	s.gateways = append(s.gateways, gateways...)
	return func(l *loop.Loop) loop.Handler { return gateways[l.Index].NewConn() }
}
