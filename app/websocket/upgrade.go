package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/app"
)

// Upgrader says how requests are upgraded, and what its connections may do. What is zero has the default; what is negative
// has no limit. It is not to be changed once it is used, and safe for use by any goroutine.
type Upgrader struct {
	// Origins are the origins whose pages may connect, "https://example.com" for one; "*" is any. The page's own server, which is
	// the host that the request names, always may, and who sends no Origin, because that is no browser.
	Origins []string
	// Subprotocols are those that the application speaks, the one it likes best first.
	Subprotocols []string
	// MaxMessage bounds a message that is received, in octets, also when it is inflated (1 MiB). More closes with CodeTooBig.
	MaxMessage int
	// MaxFrame bounds the payload of a frame that is received, in octets (MaxMessage).
	MaxFrame int
	// MaxFragments bounds how many frames a message may have (1024).
	MaxFragments int
	// MaxUnsent is how many octets may wait for a client that takes them slowly (1 MiB). A single larger message may.
	MaxUnsent int
	// PingInterval is how long a client may be silent before it is pinged (30 s), PongTimeout how long it may stay so after that (30 s).
	PingInterval, PongTimeout time.Duration
	// MessageTimeout is how long a message may take from its first octet (60 s).
	MessageTimeout time.Duration
	// CloseTimeout is how long the client's answer to a close is waited for (5 s).
	CloseTimeout time.Duration
	// Compress accepts permessage-deflate (RFC 7692), without context takeover in either direction: a socket keeps no window.
	Compress bool
	// CompressFrom is the length of the shortest message that is sent compressed, in octets (256).
	CompressFrom int
}

// Accepted is an upgrade that was agreed on: what a server is given to by SwitchProtocols. It is for servers.
type Accepted struct {
	Upgrader    *Upgrader // with defaults
	Handler     Handler
	Subprotocol string
	Path        string // of the request, percent-encoded
	Deflate     bool   // permessage-deflate was agreed on
}

var defaults Upgrader

// Upgrade is that of an Upgrader with defaults.
func Upgrade(environ *app.Environ, start app.StartResponse, handler Handler) app.Body {
	return defaults.Upgrade(environ, start, handler)
}

// Upgrade answers a request by making its connection a WebSocket, of which handler is told from then on. A request that is no handshake, or not one that
// is to be accepted, is answered with 400, 403, 405 or 426, and handler hears nothing. The application returns
// what Upgrade returns, and calls it before start.
//
// Connections of package nethttp, and of HTTP/2, cannot be upgraded: the answer is 501.
func (u *Upgrader) Upgrade(environ *app.Environ, start app.StartResponse, handler Handler) app.Body {
	a := &Accepted{Upgrader: u.withDefaults(), Handler: handler}
	headers, r := u.handshake(environ, a)
	if r == nil {
		switch err := environ.SwitchProtocols(headers, a); {
		case err == nil:
			return nil
		case errors.Is(err, app.ErrNoSwitch):
			r = refusal("501 Not Implemented", noSwitch)
		default:
			panic(err) // a subprotocol that is no field value
		}
	}
	start(r.Status, r.Headers)
	return app.Bytes(r.Content)
}

// noSwitch is for those who read the answer.
const noSwitch = "this server cannot switch to WebSocket: it takes weir's own server, over HTTP/1.1"

// complete is an Upgrader with its defaults.
type complete struct{ of, with *Upgrader }

// completed is the one that was used last: most programs have one, and connections share what they refer to.
var completed atomic.Pointer[complete]

func (u *Upgrader) withDefaults() *Upgrader {
	if last := completed.Load(); last != nil && last.of == u {
		return last.with
	}
	d := *u
	setDefault(&d.MaxMessage, 1<<20)
	setDefault(&d.MaxFrame, d.MaxMessage)
	setDefault(&d.MaxFragments, 1024)
	setDefault(&d.MaxUnsent, 1<<20)
	setDefault(&d.PingInterval, 30*time.Second)
	setDefault(&d.PongTimeout, 30*time.Second)
	setDefault(&d.MessageTimeout, 60*time.Second)
	setDefault(&d.CloseTimeout, 5*time.Second)
	setDefault(&d.CompressFrom, 256)
	for _, limit := range []*int{&d.MaxMessage, &d.MaxFrame, &d.MaxFragments, &d.MaxUnsent} {
		if *limit < 0 {
			*limit = math.MaxInt32
		}
	}
	completed.Store(&complete{u, &d})
	return &d
}

func setDefault[T int | time.Duration](option *T, value T) {
	if *option == 0 {
		*option = value
	}
}

func refusal(status, why string, more ...app.Header) *app.Response {
	return &app.Response{
		Status:  status,
		Headers: append([]app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, more...),
		Content: []byte(why + "\n"),
	}
}

// handshake checks a request (RFC 6455 4.2.1), and returns the fields of the answer, or how it is refused.
func (u *Upgrader) handshake(environ *app.Environ, a *Accepted) ([]app.Header, *app.Response) {
	version := app.Header{Name: "Sec-WebSocket-Version", Value: "13"}
	field := func(name string) string { value, _ := environ.Header(name); return string(value) }
	key := field("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case environ.Method() != "GET":
		return nil, refusal("405 Method Not Allowed", "a WebSocket is asked for with GET", app.Header{Name: "Allow", Value: "GET"})
	case strings.HasPrefix(environ.Get("SERVER_PROTOCOL"), "HTTP/2"): // which has no Upgrade (RFC 9113 8.6)
		return nil, refusal("501 Not Implemented", noSwitch)
	case environ.Get("SERVER_PROTOCOL") == "HTTP/1.0": // whose Upgrade means nothing (RFC 9110 7.8)
		return nil, refusal("426 Upgrade Required", "a WebSocket takes HTTP/1.1", version)
	case !hasToken(field("Upgrade"), "websocket") || !hasToken(field("Connection"), "Upgrade"):
		return nil, refusal("426 Upgrade Required", "there is a WebSocket here: Upgrade and Connection must ask for it", version)
	case field("Sec-WebSocket-Version") != "13":
		return nil, refusal("426 Upgrade Required", "Sec-WebSocket-Version must be 13", version)
	case err != nil || len(nonce) != 16:
		return nil, refusal("400 Bad Request", "Sec-WebSocket-Key must be 16 octets in base64")
	case environ.ContentLength() > 0 || field("Transfer-Encoding") != "":
		return nil, refusal("400 Bad Request", "a request for a WebSocket has no content")
	case !u.mayConnect(environ, field("Origin")):
		return nil, refusal("403 Forbidden", "pages of this origin may not connect")
	}
	// What is kept of the request is copied: SwitchProtocols ends its views.
	a.Path = string(environ.RawPath())
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	headers := []app.Header{{Name: "Sec-WebSocket-Accept", Value: base64.StdEncoding.EncodeToString(sum[:])}}
	if a.Subprotocol = u.choose(field("Sec-WebSocket-Protocol")); a.Subprotocol != "" {
		headers = append(headers, app.Header{Name: "Sec-WebSocket-Protocol", Value: a.Subprotocol})
	}
	if offers, ok := environ.Header("Sec-WebSocket-Extensions"); ok && u.Compress {
		var answer string
		if answer, a.Deflate = negotiate(offers); a.Deflate {
			headers = append(headers, app.Header{Name: "Sec-WebSocket-Extensions", Value: answer})
		}
	}
	return headers, nil
}

// mayConnect tells whether a page of origin may connect. Browsers let any page connect anywhere, and send cookies along: it
// is for the server to refuse.
func (u *Upgrader) mayConnect(environ *app.Environ, origin string) bool {
	if origin == "" || slices.Contains(u.Origins, "*") {
		return true
	}
	for _, allowed := range u.Origins {
		if strings.EqualFold(allowed, origin) {
			return true
		}
	}
	page, err := url.Parse(origin)
	if err != nil || page.Host == "" {
		return false
	}
	host := environ.Get("HTTP_HOST")
	// The scheme is the proxy's affair: behind one that ends TLS it differs.
	return strings.EqualFold(withPort(page.Host, page.Scheme), withPort(host, page.Scheme))
}

// withPort is host with the port of scheme if it has none.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return host + ":" + strconv.Itoa(app.UsualPort(scheme))
}

// choose chooses a subprotocol of those that the client offers.
func (u *Upgrader) choose(offered string) string {
	for _, name := range u.Subprotocols {
		for one := range strings.SplitSeq(offered, ",") {
			if strings.TrimSpace(one) == name {
				return name
			}
		}
	}
	return ""
}

// hasToken tells whether a list of tokens has one, in any case.
func hasToken(list, token string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(one), token) {
			return true
		}
	}
	return false
}
