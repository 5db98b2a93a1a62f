package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/forwarded"
)

// proxyFlags say which proxies in front are believed, and what.
type proxyFlags struct {
	ForwardedAllowIPs string `name:"forwarded-allow-ips" env:"FORWARDED_ALLOW_IPS" placeholder:"LIST" default:"${loopback}" help:"Addresses and networks, separated by commas, of proxies whose X-Forwarded-For, -Proto, -Host, -Port and Forwarded are believed; * for whoever connects, none for nobody (default: ${default}). From others these headers are removed."`
	ForwardedHeaders  string `placeholder:"LIST" help:"The only ones of these headers that the proxies write, such as x-forwarded-for,x-forwarded-proto. Others are removed (default: all are believed)."`

	ProxyProtocol []string `placeholder:"ADDR" sep:"none" help:"Address of --bind at which connections begin with a preface of the PROXY protocol, version 1 or 2; all for every one. Repeatable."`
	ProxyAllowIPs string   `name:"proxy-allow-ips" aliases:"proxy-allow-from" placeholder:"LIST" default:"${loopback}" help:"Addresses and networks of the proxies that may connect there; others are disconnected (default: ${default})."`
}

// apply puts the flags into a server.Config.
func (f *proxyFlags) apply(c *server.Config) error {
	c.ForwardedAllowIPs = strings.Split(f.ForwardedAllowIPs, ",")
	trusted, err := forwarded.ParseNetworks(c.ForwardedAllowIPs)
	if err != nil {
		return &usageError{"--forwarded-allow-ips: " + err.Error()}
	}
	if f.ForwardedHeaders != "" {
		c.ForwardedHeaders = strings.Split(f.ForwardedHeaders, ",")
		if _, err := forwarded.NewPolicy(trusted, c.ForwardedHeaders); err != nil {
			return &usageError{"--forwarded-headers: " + err.Error()}
		}
	}
	for _, address := range f.ProxyProtocol {
		if address != server.AllAddresses && !slices.Contains(c.Bind, address) {
			return &usageError{fmt.Sprintf("--proxy-protocol: %s is none of the addresses of --bind (%s); it may be all", address, strings.Join(c.Bind, ", "))}
		}
	}
	c.ProxyProtocol = f.ProxyProtocol
	c.ProxyAllowIPs = strings.Split(f.ProxyAllowIPs, ",")
	if _, err := forwarded.ParseNetworks(c.ProxyAllowIPs); err != nil {
		return &usageError{"--proxy-allow-ips: " + err.Error()}
	}
	return nil
}
