package server

import (
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/h1"
	"github.com/weirhttp/weir/server/h2"
)

// newHTTP2 is what serves connections of HTTP/2, with the settings of those of HTTP/1.1.
func (s *Server) newHTTP2(c *h1.Config) *h2.Server {
	return h2.New(&h2.Config{
		Application:    c.Application,
		Exchange:       c.Exchange,
		AccessLog:      c.AccessLog,
		Limits:         c.Limits,
		Server:         c.Server,
		ContentBuffer:  c.ContentBuffer,
		MaxContent:     c.MaxContent,
		IdleTimeout:    c.IdleTimeout,
		HeadTimeout:    c.HeadTimeout,
		ContentTimeout: c.ContentTimeout,
		WriteTimeout:   s.config.WriteTimeout,
		ContentRate:    c.ContentRate,
		ContentGrace:   c.ContentGrace,
		MaxRequests:    c.MaxRequests,
	})
}

// serveHTTP2 serves a connection that has left its loop.
func (s *Server) serveHTTP2(d *loop.Detached) {
	host, port := h1.ServerName(d.Listener())
	go s.http2.ServeConn(d, host, port)
}
