// Package server is weir as a library: configuration, listeners, and the life of a server.
//
//	server.MakeServer("127.0.0.1", 8000, application).ServeForever()
//
// or, with more to say, New(Config{...}) and Serve.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/gateway"
	"github.com/weirhttp/weir/server/h1"
	"github.com/weirhttp/weir/server/h2"
	"github.com/weirhttp/weir/server/secure"
	"github.com/weirhttp/weir/server/settings"
	"github.com/weirhttp/weir/server/tally"
	"github.com/weirhttp/weir/server/ws"
)

// Server serves one application at one or several addresses. Its methods are safe for use by any
// goroutine.
type Server struct {
	config    Config
	err       error // of the configuration; Serve returns it
	listeners []listening
	unwanted  []Inherited // that have no address in the configuration, until Own

	offersHTTP2 bool                            // to clients of TLS
	encrypted   atomic.Pointer[secure.Acceptor] // of Config.TLS; empty: there is none

	protocols []*h1.Protocol      // of each loop; written before the loops run
	gateways  []*gateway.Protocol // of each listener and loop; written before the loops run

	mu       sync.Mutex
	reactor  *loop.Reactor
	exchange *exchange.Config
	http2    *h2.Server     // nil: HTTP/2 is not spoken
	procs    *procs         // nil: GOMAXPROCS is left alone
	log      *accesslog.Log // nil: none is kept
	inspector
	stopping bool
	paused   bool          // accepts nothing
	started  chan struct{} // closed when the loops run
	stopped  chan struct{} // closed when Shutdown is over
	done     error         // of Shutdown
}

// New returns a server, and opens its listeners: clients may connect from now on, and wait until Serve.
func New(config Config) (*Server, error) {
	s := prepare(config)
	if s.err == nil {
		s.err = s.listen()
	}
	return s, s.err
}

// MakeServer returns a server for one TCP address. What is wrong with it, ServeForever tells.
func MakeServer(host string, port int, application app.Application) *Server {
	s, _ := New(Config{
		Application: application,
		Bind:        []string{net.JoinHostPort(host, strconv.Itoa(port))},
	})
	return s
}

func prepare(config Config) *Server {
	s := &Server{started: make(chan struct{}), stopped: make(chan struct{})}
	s.config, s.err = config.withDefaults()
	if s.err == nil && s.config.TLS != nil {
		s.offersHTTP2 = s.offerHTTP2(s.config.TLS)
		var files *secure.Files
		if files, s.err = s.config.TLS.open(s.config.Logger); s.err == nil {
			s.encrypted.Store(s.acceptor(s.config.TLS, files))
		}
	}
	return s
}

// listen opens the listeners.
func (s *Server) listen() error {
	options := loop.ListenOptions{
		Backlog:     s.config.Backlog,
		Mode:        s.config.SocketMode,
		DeferAccept: !s.config.AcceptAtOnce,
	}
	if s.config.Accept == ReusePort {
		options.Sockets = s.config.Loops
	}
	for _, address := range s.config.Bind {
		protocol, address := cutProtocol(address, s.config.Protocol)
		ln, owned, err := s.inherit(address, options)
		if ln == nil && err == nil {
			ln, err = loop.Listen(address, options)
		}
		if err != nil {
			s.closeListeners()
			return err
		}
		s.listeners = append(s.listeners, listening{ln, protocol, owned})
	}
	s.unwanted, s.config.Inherited = s.config.Inherited, nil
	return nil
}

func (s *Server) closeListeners() {
	for _, ln := range s.listeners {
		ln.Close()
	}
	s.listeners = nil
}

// Addresses are those that the server listens at, as Config.Bind has them, with the port that the system chose in the place of 0.
func (s *Server) Addresses() []string {
	var list []string
	for _, ln := range s.listeners {
		list = append(list, ln.String())
	}
	return list
}

// Config is the configuration that the server has, with the defaults. What it points to must not be changed.
func (s *Server) Config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// MaxConnections is how many connections may be open at a time; 0: no limit.
func (s *Server) MaxConnections() int { return s.Config().MaxConnections }

// Loops is the number of event loops.
func (s *Server) Loops() int { return s.Config().Loops }

// ErrServerClosed is what Serve returns when the server was shut down before.
var ErrServerClosed = errors.New("server: closed")

// Serve serves until ctx ends or Shutdown is called. Then it stops accepting, finishes the requests that run, for at
// most Config.GracefulTimeout, and returns nil; an error tells that requests had to be cut off, or that it could not start.
func (s *Server) Serve(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	if err := s.start(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		limit := context.Background()
		if graceful := s.Config().GracefulTimeout; graceful > 0 {
			var cancel context.CancelFunc
			limit, cancel = context.WithTimeout(limit, graceful)
			defer cancel()
		}
		return s.Shutdown(limit)
	case <-s.stopped:
		return s.done
	}
}

// ServeForever serves until the process gets SIGINT or SIGTERM. A second signal ends the process at once. Programs with more to do at signals
// use Serve and Shutdown.
func (s *Server) ServeForever() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // back to what the system does with these signals
	return s.Serve(ctx)
}

// start runs the loops.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return ErrServerClosed
	}
	if s.reactor != nil {
		return errors.New("server: Serve was called twice")
	}
	maxAway := 0
	if !s.config.Inline {
		maxAway = s.config.MaxBlocking + spareAway
	}
	var blocked func() // nil: GOMAXPROCS is left alone
	if s.config.SpareProcs > 0 {
		s.procs = &procs{spare: s.config.SpareProcs}
		blocked = s.procs.blocked
	}
	options := s.config.limits()
	options.Loops, options.SlowCalls, options.MaxAway, options.Logger = s.config.Loops, blocked, maxAway, s.config.Logger
	reactor, err := loop.New(options)
	if err != nil {
		s.closeListeners()
		return err
	}
	config := s.config.protocol()
	if s.config.CountRequests {
		config.Tally = tally.NewBoard(s.config.Loops)
	}
	config.Exchange.Blocked = blocked
	if s.config.AccessLog != nil {
		s.log = accesslog.New(s.config.AccessLog, accesslog.Options{
			Format: s.config.AccessLogFormat, Sample: s.config.AccessLogSample, Logger: s.config.Logger,
		})
		config.AccessLog = s.log
	}
	if s.config.H2C || s.offersHTTP2 {
		s.http2 = s.newHTTP2(config)
	}
	if s.config.H2C {
		config.HTTP2 = s.serveHTTP2
	}
	s.protocols = make([]*h1.Protocol, s.config.Loops)
	for i, l := range reactor.Loops() {
		s.protocols[i] = h1.New(config, l)
	}
	newConn := s.newConn
	if s.encrypted.Load() != nil {
		newConn = func(*loop.Loop) loop.Handler { return s.encrypted.Load().NewConn() }
	}
	for i, ln := range s.listeners {
		if ln.protocol != HTTP && ln.IsExposed() {
			s.config.Logger.Warn("whoever can connect is believed: bind to a Unix socket or a loopback address, or see to it that only the web server can",
				"address", ln.Listener.String(), "protocol", ln.protocol)
		}
		reactor.Listen(ln.Listener, s.behindProxy(i, s.handlers(ln, newConn, &config.Protocol)))
	}
	reactor.Start()
	s.reactor, s.exchange = reactor, config.Exchange
	s.inspector.init(reactor, config.Tally)
	close(s.started)
	return nil
}

// Started is closed when the loops run.
func (s *Server) Started() <-chan struct{} { return s.started }

// limits are those of the loops.
func (c *Config) limits() loop.Options {
	return loop.Options{
		WriteTimeout:   c.WriteTimeout,
		MaxConnections: c.MaxConnections,
		MaxPerAddress:  c.MaxPerAddress,
		DrainIdle:      c.DrainIdle,
		GatherMemory:   c.ContentMemory,
	}
}

// newConn makes a connection of HTTP.
func (s *Server) newConn(l *loop.Loop) loop.Handler { return s.protocols[l.Index].NewConn() }

// protocol is the part of the configuration that connections need.
func (c *Config) protocol() *h1.Config {
	proxies, _ := c.proxies() // was checked
	return &h1.Config{
		Protocol: settings.Protocol{
			Application: c.Application,
			Exchange: &exchange.Config{
				Gateway: app.Gateway{
					Software:    "weir/" + Version,
					Errors:      c.Errors,
					Multithread: true, // every loop calls the application
					Extra:       c.Environ,
				},
				Log:         c.Logger,
				MaxBlocking: c.MaxBlocking,
			},
			Limits:         *c.Limits,
			ContentBuffer:  c.ContentBuffer,
			MaxContent:     c.MaxContent,
			IdleTimeout:    c.IdleTimeout,
			HeadTimeout:    c.HeadTimeout,
			ContentTimeout: c.ContentTimeout,
			WriteTimeout:   c.WriteTimeout,
			ContentRate:    c.ContentRate,
			ContentGrace:   c.ContentGrace,
			KeepHalfClosed: c.KeepHalfClosed,
			MaxRequests:    c.MaxRequests,
		},
		Forwarded: proxies.forwarded,
		Server:    c.ServerHeader,
		Switch:    ws.New,
	}
}

// Shutdown stops accepting, finishes the requests that run until ctx ends, and ends Serve. The error tells that
// requests were cut off. Connections without a request are granted Config.DrainIdle for one more, at most half of the time that ctx has.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		<-s.stopped
		return s.done
	}
	s.stopping = true
	reactor := s.reactor
	s.mu.Unlock()
	defer close(s.stopped)
	if reactor == nil {
		s.closeListeners()
		return nil
	}
	if s.http2 != nil {
		s.http2.Shutdown()
	}
	if err := reactor.Shutdown(ctx); err != nil {
		s.done = fmt.Errorf("server: requests were cut off: %w", err)
	}
	if s.log != nil {
		s.log.Close() // the loops have ended
	}
	if s.procs != nil {
		s.procs.close()
	}
	return s.done
}
