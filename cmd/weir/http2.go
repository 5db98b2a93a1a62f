package main

import "github.com/weirhttp/weir/server"

// http2Flags are about HTTP/2.
type http2Flags struct {
	H2C bool `name:"h2c" help:"Speak HTTP/2 without TLS with clients that begin with it (prior knowledge), beside HTTP/1.1."`
}

func (f *http2Flags) apply(c *server.Config) { c.H2C = f.H2C }
