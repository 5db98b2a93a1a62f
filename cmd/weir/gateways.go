package main

import (
	"strings"

	"github.com/weirhttp/weir/server"
)

// gatewayFlags are for web servers in front that do not speak HTTP.
type gatewayFlags struct {
	Protocol string `enum:"http,uwsgi,fastcgi,scgi" default:"http" help:"What is spoken at the addresses: http, or uwsgi, fastcgi or scgi behind a web server, which is trusted. An address may have its own: --bind uwsgi:unix:PATH (default: ${default})."`
}

func (f *gatewayFlags) apply(c *server.Config) { c.Protocol = server.Protocol(f.Protocol) }

// urlOf is an address of Server.Addresses for who reads it. scheme is that of HTTP.
func urlOf(scheme, address string) string {
	for _, p := range []server.Protocol{server.UWSGI, server.FastCGI, server.SCGI} {
		if rest, ok := strings.CutPrefix(address, string(p)+":"); ok && strings.Contains(rest, ":") {
			return address
		}
	}
	if strings.HasPrefix(address, "unix:") {
		return address
	}
	return scheme + "://" + address
}
