// Package h2 is HTTP/2 on a connection (RFC 9113): frames and streams are golang.org/x/net/http2's, which wants a goroutine for
// each connection and each request; applications are called through app/nethttp. What a client may ask for without end is
// bounded here.
package h2

// golang.org/x/net/http2 calls its server deprecated in favour of net/http's, which is the same code from Go 1.27 on. In Go 1.26 that is older:
// a flood of SETTINGS costs it time for each stream. To be dropped with Go 1.26.
//
//lint:file-ignore SA1019 see above

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"golang.org/x/net/http2"

	"github.com/weirhttp/weir/server/forwarded"
	"github.com/weirhttp/weir/server/settings"
	"github.com/weirhttp/weir/server/tally"
)

// Config is what all connections of a server share. A client that has requests and is silent for as long as IdleTimeout is asked whether it is
// still there; HeadTimeout is for every frame but those of content.
type Config struct {
	settings.Protocol
	// Forwarded is who may speak for other clients; nil: nobody.
	Forwarded *forwarded.Policy
	// Server is the value of the Server field; "" leaves the field out.
	Server string
}

// Address is where a connection was accepted, and what a proxy says of it in the PROXY protocol.
type Address struct {
	Name      string // SERVER_NAME
	Port      int    // SERVER_PORT
	Encrypted bool   // the client speaks TLS with the proxy
	Anonymous bool   // the proxy does not name the client
}

// maxStreams is how many requests a connection may carry at a time. RFC 9113 6.5.2 wants 100 or more.
const maxStreams = 250

// maxFrame is the longest frame that a client may send, in octets: the least that RFC 9113 6.5.2 allows, and what clients take for granted. A
// connection keeps a buffer for the longest that it has received.
const maxFrame = 16 << 10

// Server serves connections. Its methods are for any goroutine.
type Server struct {
	current  atomic.Pointer[Config]
	frames   http2.Server
	base     *http.Server  // of frames: the settings, and the way to tell all connections of the end
	log      *journal      // nil: no access log
	tally    *tally.Shared // nil: requests are not counted
	draining atomic.Bool
}

// New returns a server.
func New(config *Config) *Server {
	s := &Server{tally: config.Tally.Shared()}
	s.current.Store(config)
	s.base = &http.Server{
		MaxHeaderBytes: config.Limits.FieldSection,
		ErrorLog:       slog.NewLogLogger(config.Exchange.Log.Handler(), slog.LevelDebug),
	}
	s.frames = http2.Server{
		MaxConcurrentStreams: maxStreams,
		MaxReadFrameSize:     maxFrame,
		IdleTimeout:          config.IdleTimeout,
		ReadIdleTimeout:      config.IdleTimeout,
		WriteByteTimeout:     config.WriteTimeout,
	}
	if err := http2.ConfigureServer(s.base, &s.frames); err != nil {
		panic(err) // of a TLS configuration, and there is none
	}
	if config.AccessLog != nil {
		s.log = newJournal(config.AccessLog)
	}
	return s
}

func (s *Server) config() *Config { return s.current.Load() }

// Reload has another configuration count, for the requests that begin from now on too. Its Exchange and its AccessLog are those of the one before;
// IdleTimeout, WriteTimeout and the limit of a head stay what they were.
func (s *Server) Reload(config *Config) { s.current.Store(config) }

// ServeConn serves a connection whose client has sent nothing that was read, the preface neither, and returns when it is closed. That
// c is a connection of TLS, it tells by a method ConnectionState, as that of *tls.Conn.
func (s *Server) ServeConn(c net.Conn, at Address) {
	conn := newConn(c, s)
	opts := &http2.ServeConnOpts{
		BaseConfig: baseConfig(s.base),
		Handler:    &handler{server: s, conn: conn, at: at},
	}
	if tls, ok := c.(stater); ok {
		s.frames.ServeConn(&tlsConn{conn, tls}, opts)
	} else {
		s.frames.ServeConn(conn, opts)
	}
	_ = c.Close()
}

// Shutdown has all connections answer what they carry, and take no more (GOAWAY), those that are still to come too. It does not
// wait.
func (s *Server) Shutdown() {
	s.draining.Store(true)
	s.goAway()
}

// goAway tells all connections of the end.
func (s *Server) goAway() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.base.Shutdown(over) // it has no listeners and no connections that it would have to wait for
}
