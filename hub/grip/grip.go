// Package grip is GRIP, as Pushpin and Fastly Fanout speak it: applications say in the head of a response, or in its content, that a request is to
// be held (Grip-Hold, Grip-Channel and others, application/grip-instruct), and whoever wants to reach the clients publishes to channels by
// POST /publish/. It is a front end of the hub: a channel is a topic, an item is a message of it, and a request is held as others are.
//
// # The way of a request
//
// Proxy.Application stands around an application. It signs the request (Grip-Sig), removes what the client says of GRIP, and takes a response
// with fields of GRIP away (app.Intercept). What that says is read (instruct), and the request becomes a hold, which the hub has get the messages
// of its channels.
//
// # Ids
//
// Messages may have ids, and name their predecessor. They are put in order, and those that were seen are dropped, where they are published
// (shard). A hold whose channels have a prev-id knows by them that it has missed something; then the application is asked again, with Grip-Last.
// Where the hub is shared each node learns from what arrives which ids a channel has had on any of them (shard.arrived). Of two with the same id, which
// were published on two nodes at the same time, the one that is first in the hub counts for all.
package grip

import (
	"hash/maphash"
	"log/slog"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// Options are the settings of a Proxy. What is zero has the default.
type Options struct {
	// Key signs requests to the application (Grip-Sig) and verifies the tokens of those who publish. Empty: neither.
	Key []byte
	// Issuer is the claim iss of Grip-Sig ("pushpin", which libraries expect that are not told of another one).
	Issuer string
	// Prefix is put in front of the names of channels that the application subscribes clients to. Publishers name it themselves.
	Prefix string
	// MaxResponse bounds the content of a response with fields of GRIP, in octets (1 MiB).
	MaxResponse int
	// MaxPublish bounds a publish request, in octets (1,000,000).
	MaxPublish int64
	// MessageWait is for how long a message waits whose predecessor has not come (5 s).
	MessageWait time.Duration
	// Shared says that messages are published on other nodes of the hub, too.
	Shared bool
	// Log gets what is wrong with instructions (slog.Default()).
	Log *slog.Logger
}

// Proxy does for applications what Pushpin does for servers behind it. Its methods are safe for use by any goroutine. It ends with its hub.
type Proxy struct {
	options Options
	hub     *hub.Hub
	log     *slog.Logger
	seed    maphash.Seed
	shards  [shardsCount]shard
	decoded [128]decodedItem
	signer  signer
	asks    asks
}

// New returns a proxy over a hub.
func New(h *hub.Hub, options Options) *Proxy {
	if options.Issuer == "" {
		options.Issuer = "pushpin"
	}
	if options.MaxResponse <= 0 {
		options.MaxResponse = 1 << 20
	}
	if options.MaxPublish <= 0 {
		options.MaxPublish = 1_000_000
	}
	if options.MessageWait <= 0 {
		options.MessageWait = 5 * time.Second
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	p := &Proxy{options: options, hub: h, log: options.Log, seed: maphash.MakeSeed()}
	p.signer = signer{key: options.Key, issuer: options.Issuer}
	for i := range p.shards {
		p.shards[i] = shard{proxy: p, channels: make(map[string]*state), seen: make(map[string]uint64)}
	}
	if options.Shared {
		h.Observe(p.arrived)
	}
	return p
}

// topic is the hub's topic of a channel.
func topic(channel string) string { return "grip:" + channel }

// Application returns application with GRIP around it. Middleware that compresses responses belongs outside of it.
func (p *Proxy) Application(application app.Application) app.Application {
	s := &site{p, application}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		p.mark(environ, "")
		q := newRequest(environ)
		return app.Intercept(application, environ, start, p.options.MaxResponse, isInstruct, func(d app.Deferred, r *app.Response) {
			s.take(d, q, r)
		})
	}
}

// badGateway is what clients get when the instructions make no sense.
var badGateway = &app.Response{
	Status:  "502 Bad Gateway",
	Headers: []app.Header{{Name: "Content-Type", Value: "text/plain"}},
	Content: []byte("Error while proxying to origin.\n"),
}

// take does with a request as the response says.
func (s *site) take(d app.Deferred, q *request, r *app.Response) {
	in, err := parse(r, s.proxy.options.MaxResponse)
	if err != nil {
		s.proxy.log.Error("instructions of GRIP make no sense; answered 502", "path", q.path(), "error", err)
		_ = d.Answer(badGateway)
		return
	}
	if in.mode == noHold && in.next == "" {
		_ = d.Answer(in.response)
		return
	}
	newHold(s, d, q, in).begin(q)
}
