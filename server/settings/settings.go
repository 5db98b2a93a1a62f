// Package settings is what the protocols that a server speaks have in common.
package settings

import (
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/exchange"
	"github.com/weirhttp/weir/server/tally"
)

// Protocol are the settings of all connections of a server, whatever they speak. Zero durations mean that there is no limit. They are not changed
// once connections have them.
type Protocol struct {
	Application app.Application
	Exchange    *exchange.Config
	// AccessLog is told of each request; nil: there is none.
	AccessLog *accesslog.Log
	// Tally has the counts of requests; nil: they are not counted.
	Tally *tally.Board
	// Limits bound a request head, or what stands for one: RequestLine what a target or REQUEST_URI is in, FieldLine and Fields header fields
	// or the variables that are made of them, FieldSection all of these, in octets.
	Limits httpparse.Limits
	// ContentBuffer is up to how many octets of content are read before the application is called, so
	// that it never waits for them on the loop. Longer content streams to the application on a goroutine.
	ContentBuffer int
	// MaxContent is the longest content that is accepted, in octets; 0: no limit.
	MaxContent int64
	// IdleTimeout bounds how long a connection may be without a request, HeadTimeout how long a
	// head may take from its first octet, ContentTimeout the time between octets of content, WriteTimeout how long a client may take none of the
	// output that waits for it.
	IdleTimeout, HeadTimeout, ContentTimeout, WriteTimeout time.Duration
	// ContentRate is the least rate at which content may come, in octets a second, after ContentGrace; 0: any.
	ContentRate  int
	ContentGrace time.Duration
	// KeepHalfClosed has a client that has ended its sending wait for an answer that is deferred; otherwise it is taken to have left.
	KeepHalfClosed bool
	// MaxRequests is how many requests a connection may carry; 0: no limit.
	MaxRequests int
}

// IsLast tells whether the nth request of a connection is its last one. MaxRequests may have become less since the one before.
func (p *Protocol) IsLast(n int) bool { return p.MaxRequests > 0 && n >= p.MaxRequests }
