package main

import "github.com/weirhttp/weir/server"

// http2Flags are about HTTP/2.
type http2Flags struct {
	NoHTTP2 bool `name:"no-http2" help:"With HTTPS, offer clients HTTP/1.1 only."`
	H2C     bool `name:"h2c" help:"Speak HTTP/2 without TLS with clients that begin with it (prior knowledge), beside HTTP/1.1."`
}

func (f *http2Flags) apply(c *server.Config) { c.NoHTTP2, c.H2C = f.NoHTTP2, f.H2C }
