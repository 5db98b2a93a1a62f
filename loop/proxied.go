//go:build unix

package loop

import "net/netip"

// Proxied is what a proxy says of a connection that it has opened for a client. It is not changed once it is a connection's.
type Proxied struct {
	// Remote is the client's address, Local the one that it has connected to. The zero AddrPort: the socket's counts.
	Remote, Local netip.AddrPort
	// TLS tells that the client speaks TLS with the proxy.
	TLS bool
	// Anonymous tells that there is a client whom the proxy does not name.
	Anonymous bool
}

// Proxied is what a proxy says of the connection; nil: there is none, or it speaks for itself.
func (c *Conn) Proxied() *Proxied {
	if c.listener == nil {
		return nil
	}
	return c.listener.proxied
}

// Proxied is that of a connection that has the listener; nil for one of the reactor's.
func (ln *Listener) Proxied() *Proxied { return ln.proxied }

// ConnOf is the connection that h is the Handler of. A step before the protocol embeds it by pointer: it is the Handler of the same connection
// until Handle.
func ConnOf(h Handler) *Conn { return h.base() }

// SetProxied takes note of what a proxy says. The client that it names is from now on the one that Remote tells, and whose connections are
// counted.
func (c *Conn) SetProxied(p *Proxied) {
	// With its listener, so that it costs only the connections that have it.
	ln := c.listener
	c.listener = &Listener{network: ln.network, host: ln.host, port: ln.port, proxied: p}
	if p.Remote.IsValid() {
		c.moveTo(p.Remote)
	}
}

// moveTo has the connection be that of another client.
func (c *Conn) moveTo(client netip.AddrPort) {
	remote := address{port: client.Port(), size: 16, ip: client.Addr().As16()}
	if client.Addr().Is4() {
		ip := client.Addr().As4()
		remote.size, remote.ip = 4, [16]byte{}
		copy(remote.ip[:], ip[:])
	}
	if k := c.loop.reactor.clients; k != nil && c.memory() == nil {
		if !c.overLimit {
			k.leave(c.remote)
		}
		c.overLimit = !k.enter(remote)
	}
	c.remote = remote
}
