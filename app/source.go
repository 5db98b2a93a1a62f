package app

import "io"

// Source is one request as its wire read it. Environ answers the CGI keys from it, without a map in
// between. Slices are views, valid until the request ends or its buffer moves (Detach).
type Source interface {
	Method() string
	// Target is the request-target as received (RFC 9112 3.2).
	Target() []byte
	// Path is the path of the target, percent-encoded as received; Query is what follows "?".
	Path() []byte
	Query() []byte
	// Protocol is the version that the client sent: "HTTP/1.1".
	Protocol() string
	// Scheme is "http" or "https".
	Scheme() string
	// Fields is the number of header fields, Field the i'th of them in the order received. A field that
	// framed the message only, and is no longer true of what the application reads (Transfer-Encoding), has a nil name.
	Fields() int
	Field(i int) (name, value []byte)
	// ContentLength is the length of the content in octets, -1 when it is not known beforehand or there is none.
	ContentLength() int64
	// Remote is the client's address; host is "" on a Unix socket, port 0 when a proxy tells the address alone.
	Remote() (host string, port int)
	// Local is the address at which the client was accepted; never empty.
	Local() (host string, port int)
	// Detach copies the octets behind all views, so that they live as long as the Source is referenced.
	Detach()
}

// EarlyHinter is a Source that can send interim responses (Environ.EarlyHints). The fields were checked; the method does not keep
// the slice. A Content-Length among them is not sent (RFC 9110 8.6).
type EarlyHinter interface {
	EarlyHints(headers []Header) error
}

// Gateway is what is the same in the environ of every request of a server.
type Gateway struct {
	// Software is SERVER_SOFTWARE.
	Software string
	// Errors is wsgi.errors. It is written by many goroutines.
	Errors io.Writer
	// Multithread, Multiprocess and RunOnce are the wsgi keys of these names.
	Multithread, Multiprocess, RunOnce bool
	// Extra are the deployer's own keys. They are in every environ and are not changed by Set.
	Extra map[string]any
}

// UsualPort is the port of URLs that name none (RFC 9110 4.2): 443 of https, and 80 of http.
func UsualPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}
