// Package admin is a listener for those who operate a server: health, metrics, profiles and a page that shows them. It is apart
// from the listeners of the server, and works with net/http: it is not in the way of any request.
package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
)

// Options are the settings of a Server.
type Options struct {
	// Address is where it listens: HOST:PORT, unix:PATH or fd://N.
	Address string
	// Inherited is the socket that the process was started with for it (Server.Descriptors); nil: there is none.
	Inherited []int
	// Logger is told what goes wrong; nil: slog.Default.
	Logger *slog.Logger
}

// Limits of the listener's connections, so that those who keep it busy cost no more than that.
const (
	maxConnections = 64
	headTimeout    = 10 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 30 * time.Second // profiles and traces take the time that their query says
	idleTimeout    = 75 * time.Second
	maxHead        = 16 << 10
)

// Server answers operators. Its methods are safe for use by any goroutine.
type Server struct {
	log      *slog.Logger
	address  string // of Options
	listener *loop.Listener
	mux      *http.ServeMux
	http     http.Server
	done     chan struct{} // closed when it has ended
	started  time.Time
	alive    time.Duration // how long loops may take to answer
	scrape   time.Duration // and for how long a scrape waits for them

	mu      sync.Mutex
	watched *server.Server   // guarded by mu; nil: it is not there yet
	checks  []readinessCheck // guarded by mu
	topics  *hub.Hub         // guarded by mu; nil: there is none
	workers Workers          // guarded by mu; nil: there are none

	metrics metrics
}

// Listen opens the listener and answers from then on: that the server starts, until Watch. The error of an address that is none is a
// *loop.AddressError.
func Listen(o Options) (*Server, error) {
	var ln *loop.Listener
	var err error
	if o.Inherited != nil {
		ln, err = loop.Inherit(o.Inherited, loop.ListenOptions{})
	} else {
		ln, err = loop.Listen(o.Address, loop.ListenOptions{})
	}
	if err != nil {
		return nil, err
	}
	s := &Server{log: o.Logger, address: o.Address, listener: ln, mux: http.NewServeMux(), done: make(chan struct{}), started: time.Now(), alive: aliveTime, scrape: scrapeTime}
	if s.log == nil {
		s.log = slog.Default()
	}
	if ln.IsExposed() {
		s.log.Warn("whoever can connect to the admin address sees profiles and metrics of the process: bind it to a Unix socket or a loopback address, or see to it that only operators can",
			"address", ln.String())
	}
	l, err := ln.NetListener()
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", o.Address, err)
	}
	errorLog := slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)
	s.mux.Handle("GET /metrics", promhttp.HandlerFor(s.register(), promhttp.HandlerOpts{
		ErrorLog: errorLog, EnableOpenMetrics: true,
	}))
	s.mux.HandleFunc("GET /{$}", page)
	s.mux.HandleFunc("GET /status", s.status)
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.HandleFunc("GET /readyz", s.readiness)
	s.mux.HandleFunc("/debug/pprof/", pprof.Index)
	s.mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	s.mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	s.mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	s.mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s.http = http.Server{
		Handler:           limitWriting(protect(ln, s.mux)),
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          errorLog,
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(netutil.LimitListener(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin listener has failed", "error", err)
		}
	}()
	return s, nil
}

// protect keeps a browser on the operator's machine from being used by pages of other sites: they may not change anything, and where the
// listener is for this machine alone, they may not read by having a name of theirs lead here (DNS rebinding).
func protect(ln *loop.Listener, h http.Handler) http.Handler {
	h = http.NewCrossOriginProtection().Handler(h)
	if ln.Network() != "tcp" || ln.IsExposed() {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "this listener is for its own machine: ask for localhost or an IP address", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isLocal tells whether a Host is one that no page of another site has.
func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// limitWriting bounds how long a client may take over an answer. http.Server's WriteTimeout would have pprof refuse what takes longer.
func limitWriting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline := time.Time{} // also after what the connection's last answer had
		if !strings.HasPrefix(r.URL.Path, "/debug/pprof/") {
			deadline = time.Now().Add(writeTimeout)
		}
		_ = http.NewResponseController(w).SetWriteDeadline(deadline)
		h.ServeHTTP(w, r)
	})
}

// Address is where the server listens, with the port that the system chose in the place of 0.
func (s *Server) Address() string { return s.listener.String() }

// Handle adds a handler, for a pattern of http.ServeMux that is not there yet. The handler should bound what it reads: a request may take
// 30 s, and content has no limit.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Watch tells which server it is that operators ask for.
func (s *Server) Watch(watched *server.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = watched
}

// WatchHub tells which hub it is whose topics operators ask for.
func (s *Server) WatchHub(h *hub.Hub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topics = h
}

// Workers are Python workers: a *python.Supervisor.
type Workers interface{ Stats() python.Stats }

// WatchWorkers tells which Python workers it is that operators ask for.
func (s *Server) WatchWorkers(w Workers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers = w
}

// Close ends the listener at once. It is to be called last, so that the state of a server that drains can be asked for.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}
