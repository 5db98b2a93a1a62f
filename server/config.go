package server

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/server/accesslog"
)

// Version is weir's version.
const Version = "0.1.0"

// Config configures a Server. The zero value of a field means the default that is named with it; durations
// and counts that are negative mean "no limit".
type Config struct {
	// Application answers the requests. It has no default.
	Application app.Application
	// Bind are the addresses to listen at: HOST:PORT, [::]:PORT, unix:PATH, fd://N. Default: 127.0.0.1:8000.
	Bind []string
	// Inherited are listeners that the process was started with, of the one before it (Server.Descriptors). Those whose addresses are in Bind take
	// the place of new ones, the others are closed.
	Inherited []Inherited
	// Protocol is what is spoken at the addresses of Bind that do not begin with the name of another and ":", as uwsgi:unix:PATH.
	// Default: HTTP.
	Protocol Protocol
	// Loops is the number of event loops. Default: GOMAXPROCS.
	Loops int
	// Accept is how loops come by their connections.
	Accept Accept
	// Backlog is the length of the listeners' queues. Default: the system's maximum.
	Backlog int
	// AcceptAtOnce has connections accepted when they are opened. By default Linux holds them back until the client
	// has sent something, for a second at most, which spares a wake-up for each.
	AcceptAtOnce bool
	// SocketMode are the permission bits of Unix sockets. Default: what the umask leaves.
	SocketMode fs.FileMode

	// NoHTTP2 has clients of TLS offered HTTP/1.1 only.
	NoHTTP2 bool
	// H2C has clients speak HTTP/2 without TLS if they begin with its preface (prior knowledge, RFC 9113 3.3), beside those that speak
	// HTTP/1.1.
	H2C bool
	// TLS has the server speak HTTPS where it would speak HTTP; nil: HTTP.
	TLS *TLS

	// ServerHeader is the value of the Server field of responses. Default: "weir". NoServerHeader leaves the field out.
	ServerHeader   string
	NoServerHeader bool
	// Environ are keys that are added to every environ.
	Environ map[string]any
	// Errors is wsgi.errors. Default: standard error.
	Errors *os.File
	// Logger is told what goes wrong. Default: slog.Default.
	Logger *slog.Logger

	// AccessLog is given a line for each request; a writer that fails or blocks costs lines and nothing else. nil: no log.
	AccessLog io.Writer
	// AccessLogFormat is the form of these lines. Default: accesslog.Combined.
	AccessLogFormat accesslog.Format
	// AccessLogSample has one of so many requests logged, chosen at random, and all that fail: 5xx, and those without an answer. Default: all.
	AccessLogSample int

	// CountRequests has requests counted, and their times taken, for Server.Statistics.
	CountRequests bool

	// ForwardedAllowIPs are the addresses and networks (CIDR) of proxies that are believed when they say for whom they speak: X-Forwarded-For,
	// -Proto, -Host and -Port, and Forwarded (RFC 7239). "*" is whoever connects, "none" alone nobody. From others these fields are
	// removed. Unix sockets are trusted, unless nobody is. Default: loopback.
	ForwardedAllowIPs []string
	// ForwardedHeaders are the only ones of these fields that the proxies write; others that come from them are removed. Default: all
	// are believed.
	ForwardedHeaders []string
	// ProxyProtocol are those of Bind at which connections begin with a preface of the PROXY protocol, version 1 or 2, that says who the client
	// is; "all" for all of them. Default: none.
	ProxyProtocol []string
	// ProxyAllowIPs are the proxies that may connect there, as in ForwardedAllowIPs; others are disconnected. Default: loopback.
	ProxyAllowIPs []string

	// Limits bound the parts of a request head, in octets and fields. Default: httpparse.DefaultLimits.
	Limits *httpparse.Limits
	// MaxContent is the longest request content that is accepted, in octets. Default: 1 GiB.
	MaxContent int64
	// ContentBuffer is up to how many octets of request content are read before the application is called. More than
	// that streams to the application, which is then run on a goroutine. Default: 64 KiB.
	ContentBuffer int
	// ContentMemory is how many octets of memory request content of HTTP/1.1 may take that is longer than ContentBuffer, for all requests together. As
	// long as it lasts, the application is called when content of up to an eighth of it is there whole, which costs less than a stream. Content without
	// a Content-Length streams, and content that the client sends only when it is asked to (Expect: 100-continue). Default: 32 MiB; negative: none.
	ContentMemory int64
	// Inline is the promise that the application never blocks: its calls are not watched. One that blocks all the same stops
	// all the connections of its loop. Systems without epoll have no watch either way.
	Inline bool
	// MaxBlocking is how many applications may run on goroutines at a time, because they said so or because a
	// loop went on without them; further ones are answered with 503. Default: 5000.
	MaxBlocking int
	// SpareProcs is by how many GOMAXPROCS is raised while the application blocks, so that one which computes does not keep the
	// loops from running. Default: it is left alone.
	SpareProcs int
	// KeepHalfClosed has a client that has ended its sending wait for a deferred answer. By default that counts as
	// leaving.
	KeepHalfClosed bool

	// IdleTimeout is how long a connection may be without a request. Default: 75 s.
	IdleTimeout time.Duration
	// HeadTimeout is how long a request head may take, from its first octet. Default: 10 s.
	HeadTimeout time.Duration
	// ContentTimeout is how long the client may pause inside the content of a request. Default: 30 s.
	ContentTimeout time.Duration
	// ContentRate is the least rate at which the content of a request may come, in octets a second, after ContentGrace. It
	// counts only while weir is reading. Default: 240.
	ContentRate int
	// ContentGrace is how long content may take before its rate counts. Default: 5 s.
	ContentGrace time.Duration
	// WriteTimeout is how long the client may take none of the output that waits for it. Default: 60 s.
	WriteTimeout time.Duration
	// MaxRequests is how many requests a connection may carry. Default: no limit.
	MaxRequests int
	// MaxConnections is how many connections may be open; at that number accepting pauses. Default: the limit of descriptors
	// less 256.
	MaxConnections int
	// MaxPerAddress is how many of them one client address may have; more are answered with 503. Default: no limit.
	MaxPerAddress int
	// GracefulTimeout bounds how long running requests are waited for at the end of Serve. Default: 30 s.
	GracefulTimeout time.Duration
	// DrainIdle is how long, at the end of Serve, connections without a request are kept for one more, which is answered with "Connection:
	// close". Default: 2 s; negative: they are closed at once.
	DrainIdle time.Duration
}

// Accept is how the connections of a TCP address come to the loops.
type Accept string

// Ways to accept.
const (
	// ReusePort has every loop listen on a socket of its own (SO_REUSEPORT): the kernel spreads clients by
	// a hash of their addresses.
	ReusePort Accept = "reuseport"
	// Distribute has one loop accept, and hand connections out in turn. It is what Unix sockets and inherited
	// descriptors always have.
	Distribute Accept = "distribute"
)

// DefaultAccept is what measured better; docs/benchmarks.md has the figures.
const DefaultAccept = Distribute

// withDefaults fills in defaults, and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	if c.Application == nil {
		return c, fmt.Errorf("server: Config.Application is missing")
	}
	if len(c.Bind) == 0 {
		c.Bind = []string{"127.0.0.1:8000"}
	}
	c.Protocol = cmp.Or(c.Protocol, HTTP)
	if err := c.Protocol.check(); err != nil {
		return c, err
	}
	c.Accept = cmp.Or(c.Accept, DefaultAccept)
	if c.Accept != ReusePort && c.Accept != Distribute {
		return c, fmt.Errorf("server: Config.Accept is %q, want %q or %q", c.Accept, ReusePort, Distribute)
	}
	if c.Loops < 0 {
		return c, fmt.Errorf("server: Config.Loops is %d, want 1 or more", c.Loops)
	}
	if c.Backlog < 0 {
		return c, fmt.Errorf("server: Config.Backlog is %d, want 1 or more", c.Backlog)
	}
	c.Loops = cmp.Or(c.Loops, runtime.GOMAXPROCS(0))
	c.ServerHeader = cmp.Or(c.ServerHeader, "weir")
	if app.HasControl(c.ServerHeader) {
		return c, fmt.Errorf("server: Config.ServerHeader has a control character")
	}
	if c.NoServerHeader {
		c.ServerHeader = ""
	}
	c.AccessLogFormat = cmp.Or(c.AccessLogFormat, accesslog.Combined)
	if err := c.AccessLogFormat.Check(); err != nil {
		return c, fmt.Errorf("server: Config.AccessLogFormat: %w", err)
	}
	if c.AccessLogSample < 0 {
		return c, fmt.Errorf("server: Config.AccessLogSample is %d, want 1 or more", c.AccessLogSample)
	}
	if c.Errors == nil {
		c.Errors = os.Stderr
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Limits == nil {
		limits := httpparse.DefaultLimits()
		c.Limits = &limits
	}
	if _, err := c.proxies(); err != nil {
		return c, err
	}
	c.MaxContent = orDefault(c.MaxContent, 1<<30)
	c.ContentBuffer = orDefault(c.ContentBuffer, 64<<10)
	c.ContentMemory = orDefault(c.ContentMemory, 32<<20)
	if c.MaxBlocking = cmp.Or(c.MaxBlocking, 5000); c.MaxBlocking < 0 {
		c.MaxBlocking = math.MaxInt32
	}
	c.IdleTimeout = orDefault(c.IdleTimeout, 75*time.Second)
	c.HeadTimeout = orDefault(c.HeadTimeout, 10*time.Second)
	c.ContentTimeout = orDefault(c.ContentTimeout, 30*time.Second)
	c.ContentRate = orDefault(c.ContentRate, 240)
	c.ContentGrace = orDefault(c.ContentGrace, 5*time.Second)
	c.WriteTimeout = orDefault(c.WriteTimeout, 60*time.Second)
	c.MaxRequests = max(c.MaxRequests, 0)
	c.MaxConnections = orDefault(c.MaxConnections, spareDescriptors())
	c.MaxPerAddress = max(c.MaxPerAddress, 0)
	c.GracefulTimeout = orDefault(c.GracefulTimeout, 30*time.Second)
	c.DrainIdle = orDefault(c.DrainIdle, 2*time.Second)
	if c.TLS != nil {
		if !c.SpeaksHTTP() {
			return c, fmt.Errorf("server: Config.TLS is for HTTP, which none of Config.Bind speaks (%s)", strings.Join(c.Bind, ", "))
		}
		var err error
		if c.TLS, err = c.TLS.check(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// spareAway is how many calls may lose their loop beyond MaxBlocking, when paths block that nobody has met: the loops go on,
// and threads stay below the 10,000 at which Go gives up.
const spareAway = 1000

// reservedDescriptors are for what is not a connection: listeners, files, logs, pollers.
const reservedDescriptors = 256

// spareDescriptors is how many connections the limit of descriptors leaves room for. Go has raised the soft limit to the
// hard one at the start of the process. 0: no limit.
func spareDescriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > math.MaxInt32 {
		return 0
	}
	return max(int(limit.Cur)-reservedDescriptors, int(limit.Cur)/2)
}

// orDefault is v, fallback when v is 0, and 0, which means no limit further down, when v is negative.
func orDefault[T int | int64 | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return max(v, 0)
}
