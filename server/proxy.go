package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/forwarded"
	"github.com/weirhttp/weir/server/proxyproto"
)

// proxies is what the configuration says of proxies in front, made ready for use.
type proxies struct {
	forwarded *forwarded.Policy
	preface   forwarded.Networks // who may send one
}

// AllAddresses in Config.ProxyProtocol stands for all of Config.Bind.
const AllAddresses = "all"

// proxies checks the fields of the configuration that are about proxies in front.
func (c *Config) proxies() (p proxies, err error) {
	trusted, err := networks("ForwardedAllowIPs", c.ForwardedAllowIPs)
	if err != nil {
		return p, err
	}
	if p.forwarded, err = forwarded.NewPolicy(trusted, c.ForwardedHeaders); err != nil {
		return p, fmt.Errorf("server: Config.ForwardedHeaders: %w", err)
	}
	if p.preface, err = networks("ProxyAllowIPs", c.ProxyAllowIPs); err != nil {
		return p, err
	}
	for _, address := range c.ProxyProtocol {
		if address != AllAddresses && !slices.Contains(c.Bind, address) {
			return p, fmt.Errorf("server: Config.ProxyProtocol: %s is none of Config.Bind (%s)", address, strings.Join(c.Bind, ", "))
		}
	}
	return p, nil
}

// networks reads the networks of a field; without any, this machine is trusted.
func networks(field string, list []string) (forwarded.Networks, error) {
	if len(list) == 0 {
		list = forwarded.Loopback
	}
	n, err := forwarded.ParseNetworks(list)
	if err != nil {
		return n, fmt.Errorf("server: Config.%s: %w", field, err)
	}
	return n, nil
}

// behindProxy puts the PROXY protocol in front of the handlers of the i'th listener, if connections begin with it there.
func (s *Server) behindProxy(i int, newHandler func(*loop.Loop) loop.Handler) func(*loop.Loop) loop.Handler {
	c := &s.config
	if !slices.Contains(c.ProxyProtocol, AllAddresses) && !slices.Contains(c.ProxyProtocol, c.Bind[i]) {
		return newHandler
	}
	proxies, _ := c.proxies() // was checked
	preface := &proxyproto.Listener{
		Address: s.listeners[i].String(),
		Trusted: proxies.preface,
		Timeout: c.HeadTimeout,
		Log:     c.Logger,
	}
	return func(l *loop.Loop) loop.Handler { return preface.NewConn(newHandler(l)) }
}
