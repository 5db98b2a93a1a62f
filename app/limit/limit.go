// Package limit is middleware that bounds how many requests an application gets, in a time (Rate) and at a time (Concurrency). More are
// answered with 503 and Retry-After.
package limit

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/weirhttp/weir/app"
)

// Key tells whose request it is: those with the same key share a limit. The string is kept; "" is a key like others.
type Key func(environ *app.Environ) string

// ByAddress is the address of the client: of IPv6 the first 64 bits, which one client has all of. Behind a proxy it is the proxy's, unless the server has it from
// there.
func ByAddress(environ *app.Environ) string {
	host := environ.Get("REMOTE_ADDR")
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil: // a Unix socket
		return host
	case address.Unmap().Is4():
		return address.Unmap().String()
	}
	prefix, _ := address.Prefix(64)
	return prefix.String()
}

// refuse answers a request that is too much. after is when another one may be tried.
func refuse(start app.StartResponse, status string, after time.Duration) app.Body {
	seconds := max(int64((after+time.Second-1)/time.Second), 1)
	start(status, []app.Header{
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		{Name: "Retry-After", Value: strconv.FormatInt(seconds, 10)},
	})
	return app.String("Too many requests.\n")
}
