package main

import (
	"strings"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/forwarded"
)

// proxyFlags say which proxies in front are believed, and what.
type proxyFlags struct {
	ForwardedAllowIPs string `name:"forwarded-allow-ips" env:"FORWARDED_ALLOW_IPS" placeholder:"LIST" default:"${loopback}" help:"Addresses and networks, separated by commas, of proxies whose X-Forwarded-For, -Proto, -Host, -Port and Forwarded are believed; * for whoever connects, none for nobody (default: ${default}). From others these headers are removed."`
	ForwardedHeaders  string `placeholder:"LIST" help:"The only ones of these headers that the proxies write, such as x-forwarded-for,x-forwarded-proto. Others are removed (default: all are believed)."`
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
	return nil
}
