package secure

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"github.com/weirhttp/weir/loop"
)

// Config is what all connections of a server share.
type Config struct {
	// TLS returns the configuration of a handshake that begins. Any goroutine calls it.
	TLS func() *tls.Config
	// NewConn makes the handler of a connection whose client wants HTTP/1.1, or has not said what it wants. It is called on the loop.
	NewConn func(*loop.Loop) loop.Handler
	// Protocols take the connections for which another protocol was agreed upon (ALPN), on a goroutine of their own. They close c. d is the
	// connection below.
	Protocols map[string]func(c *tls.Conn, d *loop.Detached)
	// Timeout is how long a handshake may take, from accepting on; 0: 10 s.
	Timeout time.Duration
	// MaxHandshakes is how many handshakes may have begun and not ended; further clients wait. It must be positive.
	MaxHandshakes int
	// Compute is how many of them may compute at a time. It must be positive.
	Compute int
	// Log is told why handshakes failed, at the level Debug.
	Log *slog.Logger
}

// Acceptor makes TLS connections of a server's sockets. Its methods are safe for use by any goroutine.
type Acceptor struct {
	config  *Config
	log     *slog.Logger
	compute chan struct{} // has an element for each handshake that computes

	mu      sync.Mutex
	running int          // guarded by mu
	waiting []*handshake // in the order of arrival; guarded by mu
}

// New returns an Acceptor.
func New(config *Config) *Acceptor {
	if config.Timeout == 0 {
		config.Timeout = grace
	}
	return &Acceptor{config: config, log: config.Log, compute: make(chan struct{}, config.Compute)}
}

// NewConn returns the handler of a new connection. It is called on the connection's loop.
func (a *Acceptor) NewConn() loop.Handler { return &handshake{acceptor: a} }

// begin begins a handshake, or has it wait.
func (a *Acceptor) begin(h *handshake) {
	a.mu.Lock()
	wait := a.running >= a.config.MaxHandshakes
	if wait {
		a.waiting = append(a.waiting, h)
	} else {
		a.running++
	}
	a.mu.Unlock()
	if !wait {
		go h.run()
	}
}

// end ends a handshake; one that waits has its place. Those whose clients have left meanwhile fail at once.
func (a *Acceptor) end() {
	a.mu.Lock()
	var next *handshake
	if len(a.waiting) > 0 {
		next = a.waiting[0]
		a.waiting[0] = nil
		a.waiting = a.waiting[1:]
	} else {
		a.running--
	}
	a.mu.Unlock()
	if next != nil {
		go next.run()
	}
}
