package main

import (
	"fmt"
	"time"

	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/server"
)

// limitFlags bound what a client may send, hold and delay. 0 lifts a limit where there can be none.
type limitFlags struct {
	LimitRequestLine   int   `default:"8192" placeholder:"OCTETS" help:"Longest request line; 414 beyond it (default: ${default})."`
	LimitRequestHead   int   `default:"65536" placeholder:"OCTETS" help:"Longest header section; 431 beyond it (default: ${default})."`
	LimitRequestField  int   `aliases:"limit-request-field_size" default:"16384" placeholder:"OCTETS" help:"Longest header field; 431 beyond it (default: ${default})."`
	LimitRequestFields int   `default:"100" placeholder:"N" help:"Most header fields; 431 beyond it (default: ${default})."`
	LimitRequestBody   int64 `default:"1073741824" placeholder:"OCTETS" help:"Longest request body, 0 for any; 413 beyond it (default: ${default})."`

	HeadTimeout    time.Duration `default:"10s" help:"Time for a request head from its first octet, 0 for any; 408 after it."`
	ContentTimeout time.Duration `default:"30s" help:"Time between octets of a request body, 0 for any; 408 after it."`
	ContentRate    int           `default:"240" placeholder:"OCTETS" help:"Least octets a second of a request body, 0 for any; 408 below it (default: ${default})."`
	ContentGrace   time.Duration `default:"5s" help:"Time before the rate of a request body counts."`
	KeepAlive      time.Duration `default:"75s" help:"Time that a connection may be without a request, 0 for any."`
	WriteTimeout   time.Duration `default:"60s" help:"Time in which a client must take some of its answer, 0 for any."`

	MaxRequestsPerConnection int `default:"0" placeholder:"N" help:"Requests on one connection, 0 for any number."`
	MaxConnections           int `default:"0" placeholder:"N" help:"Open connections (default: RLIMIT_NOFILE less 256). Accepting pauses at that number."`
	MaxConnectionsPerAddress int `default:"0" placeholder:"N" help:"Open connections of one client address, 0 for any number; 503 beyond it."`
	MaxBlocking              int `default:"5000" placeholder:"N" help:"Applications that may block at a time; 503 beyond it (default: ${default})."`
}

// apply puts the flags into a server.Config, where 0 means the default and what is negative no limit.
func (f *limitFlags) apply(c *server.Config) error {
	for _, limit := range []struct {
		name  string
		value int64
		least int64
	}{
		{"limit-request-line", int64(f.LimitRequestLine), 1},
		{"limit-request-head", int64(f.LimitRequestHead), 1},
		{"limit-request-field", int64(f.LimitRequestField), 1},
		{"limit-request-fields", int64(f.LimitRequestFields), 1},
		{"limit-request-body", f.LimitRequestBody, 0},
		{"head-timeout", int64(f.HeadTimeout), 0},
		{"content-timeout", int64(f.ContentTimeout), 0},
		{"content-rate", int64(f.ContentRate), 0},
		{"content-grace", int64(f.ContentGrace), 0},
		{"keep-alive", int64(f.KeepAlive), 0},
		{"write-timeout", int64(f.WriteTimeout), 0},
		{"max-requests-per-connection", int64(f.MaxRequestsPerConnection), 0},
		{"max-connections", int64(f.MaxConnections), 0},
		{"max-connections-per-address", int64(f.MaxConnectionsPerAddress), 0},
		{"max-blocking", int64(f.MaxBlocking), 1},
	} {
		if limit.value < limit.least {
			return &usageError{fmt.Sprintf("--%s must be %d or more", limit.name, limit.least)}
		}
	}
	c.Limits = &httpparse.Limits{
		RequestLine:  f.LimitRequestLine,
		FieldSection: f.LimitRequestHead,
		FieldLine:    f.LimitRequestField,
		Fields:       f.LimitRequestFields,
	}
	c.MaxContent = noLimit(f.LimitRequestBody)
	c.HeadTimeout = noLimit(f.HeadTimeout)
	c.ContentTimeout = noLimit(f.ContentTimeout)
	c.ContentRate = noLimit(f.ContentRate)
	c.ContentGrace = noLimit(f.ContentGrace)
	c.IdleTimeout = noLimit(f.KeepAlive)
	c.WriteTimeout = noLimit(f.WriteTimeout)
	c.MaxRequests = f.MaxRequestsPerConnection
	c.MaxConnections = f.MaxConnections
	c.MaxPerAddress = f.MaxConnectionsPerAddress
	c.MaxBlocking = f.MaxBlocking
	return nil
}

// noLimit is v as server.Config has it: 0 on the command line is no limit.
func noLimit[T int | int64 | time.Duration](v T) T {
	if v == 0 {
		return -1
	}
	return v
}
