package server

import (
	"crypto/tls"
	"maps"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/h1"
	"github.com/weirhttp/weir/server/h2"
)

// alpnHTTP2 is the name of HTTP/2 in TLS (RFC 9113 3.2).
const alpnHTTP2 = "h2"

// offerHTTP2 has clients of TLS offered HTTP/2, unless somebody else serves it.
func (s *Server) offerHTTP2(t *TLS) (offers bool) {
	if s.config.NoHTTP2 || t.Protocols[alpnHTTP2] != nil {
		return false
	}
	offered := maps.Clone(t.Protocols)
	if offered == nil {
		offered = make(map[string]func(*tls.Conn, *loop.Detached))
	}
	offered[alpnHTTP2] = s.serveEncryptedHTTP2
	t.Protocols = offered
	return true
}

// serveEncryptedHTTP2 serves a connection with whose client HTTP/2 was agreed upon.
func (s *Server) serveEncryptedHTTP2(c *tls.Conn, d *loop.Detached) {
	s.http2.ServeConn(c, addressOf(d))
}

// newHTTP2 is what serves connections of HTTP/2, with the settings of those of HTTP/1.1.
func (s *Server) newHTTP2(c *h1.Config) *h2.Server {
	return h2.New(h2Config(c))
}

func h2Config(c *h1.Config) *h2.Config {
	return &h2.Config{Protocol: c.Protocol, Forwarded: c.Forwarded, Server: c.Server}
}

// serveHTTP2 serves a connection that has left its loop.
func (s *Server) serveHTTP2(d *loop.Detached) {
	go s.http2.ServeConn(d, addressOf(d))
}

// addressOf is where a connection was accepted.
func addressOf(d *loop.Detached) (at h2.Address) {
	at.Name, at.Port = h1.ServerName(d.Listener())
	if p := d.Listener().Proxied(); p != nil {
		at.Encrypted, at.Anonymous = p.TLS, p.Anonymous
		if p.Local.IsValid() {
			at.Name, at.Port = h1.ServerNameOf(p.Local.Addr()), int(p.Local.Port())
		}
	}
	return at
}
