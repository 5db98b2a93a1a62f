package server

import (
	"errors"
	"reflect"

	"github.com/weirhttp/weir/server/h1"
	"github.com/weirhttp/weir/server/secure"
)

// lasting are the fields of Config that stay what they are for as long as the server serves.
var lasting = []string{
	"Bind", "Inherited", "Protocol", "Loops", "Accept", "Backlog", "AcceptAtOnce", "SocketMode", "NoHTTP2", "H2C", "Environ", "Errors", "Logger", "AccessLog",
	"AccessLogFormat", "AccessLogSample", "CountRequests", "ProxyProtocol", "ProxyAllowIPs", "Inline", "MaxBlocking", "SpareProcs",
}

// Reload has the server go on with another configuration, for the requests that begin from now on, on connections that are open too. Some fields
// stay what they are: those that tell what the process has open and how many of it, the logs, and what has no limit where MaxPerAddress is one. HTTPS is
// neither begun nor given up, and of HTTP/2 IdleTimeout, WriteTimeout and the limit of a head stay. With an error nothing has changed.
//
// It is for a server that serves, or is about to.
func (s *Server) Reload(config Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return ErrServerClosed
	}
	old, fresh := reflect.ValueOf(&s.config).Elem(), reflect.ValueOf(&config).Elem()
	for _, name := range lasting {
		fresh.FieldByName(name).Set(old.FieldByName(name))
	}
	config, err := config.withDefaults()
	if err != nil {
		return err
	}
	if (config.TLS == nil) != (s.config.TLS == nil) {
		return errors.New("server: Config.TLS: HTTPS cannot be begun or given up while the server runs")
	}
	var acceptor *secure.Acceptor
	if config.TLS != nil {
		if s.offersHTTP2 {
			s.offerHTTP2(config.TLS)
		}
		var files *secure.Files
		if files, err = config.TLS.open(config.Logger); err != nil {
			return err
		}
		acceptor = s.acceptor(config.TLS, files)
	}
	s.config = config
	if acceptor != nil {
		s.encrypted.Store(acceptor)
	}
	if s.reactor == nil {
		return nil
	}
	s.reactor.Reload(config.limits())
	s.apply(config.protocol())
	return nil
}

// apply has connections go on with another configuration.
func (s *Server) apply(c *h1.Config) {
	// What counts calls and keeps logs goes on.
	c.Exchange, c.AccessLog, c.Tally = s.exchange, s.log, s.inspector.board
	if s.config.H2C {
		c.HTTP2 = s.serveHTTP2
	}
	for _, p := range s.protocols {
		p.Reload(c)
	}
	for _, p := range s.gateways {
		p.Reload(&c.Protocol)
	}
	if s.http2 != nil {
		s.http2.Reload(h2Config(c))
	}
}
