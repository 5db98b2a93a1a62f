package nethttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/weirhttp/weir/app"
)

// requestContext answers for a request what net/http's server and this package put into its context.
type requestContext struct {
	context.Context
	environ *app.Environ
}

type environKey struct{}

func (c *requestContext) Value(key any) any {
	switch key {
	case environKey{}:
		return c.environ
	case http.LocalAddrContextKey:
		return localAddr(net.JoinHostPort(c.environ.Get("SERVER_NAME"), c.environ.Get("SERVER_PORT")))
	}
	return c.Context.Value(key)
}

// localAddr is a net.Addr of which only the text is known.
type localAddr string

func (a localAddr) Network() string { return "tcp" }
func (a localAddr) String() string  { return string(a) }

// FromContext returns the environ of the request to which ctx belongs; ok is false outside of an Application.
func FromContext(ctx context.Context) (environ *app.Environ, ok bool) {
	environ, ok = ctx.Value(environKey{}).(*app.Environ)
	return environ, ok
}

// newRequest returns the request of environ as net/http's server would have read it.
func newRequest(environ *app.Environ) (*http.Request, context.CancelFunc) {
	parent := context.Background()
	if v, ok := environ.Value(RequestKey); ok {
		if outer, ok := v.(*http.Request); ok {
			parent = outer.Context()
		}
	}
	ctx, cancel := withDeadline(&requestContext{parent, environ}, environ)

	r := new(http.Request).WithContext(ctx)
	r.Method = environ.Method()
	r.RequestURI = environ.Get("REQUEST_URI")
	r.Proto = environ.Get("SERVER_PROTOCOL")
	var ok bool
	if r.ProtoMajor, r.ProtoMinor, ok = http.ParseHTTPVersion(r.Proto); !ok {
		r.ProtoMajor, r.ProtoMinor = 1, 1
	}
	r.URL = requestURL(environ, r.RequestURI)
	r.Header, r.Host = fields(environ)
	r.Host = cmp.Or(r.Host, r.URL.Host) // the environ's is that of an absolute form (RFC 9112 3.2.2), or what a proxy says
	if host := environ.Get("REMOTE_ADDR"); host != "" {
		r.RemoteAddr = net.JoinHostPort(host, cmp.Or(environ.Get("REMOTE_PORT"), "0"))
	}
	if r.TLS = environ.TLS(); r.TLS == nil && environ.Get("wsgi.url_scheme") == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: hostname(r.Host)}
	}
	setContent(r, environ)
	return r, cancel
}

// withDeadline returns a context that ends at the deadline of the request, if there is one.
func withDeadline(parent context.Context, environ *app.Environ) (context.Context, context.CancelFunc) {
	if at, ok := app.Deadline(environ); ok {
		return context.WithDeadline(parent, at)
	}
	return context.WithCancel(parent)
}

// fields returns the header of the request and, apart from it, Host.
func fields(environ *app.Environ) (header http.Header, host string) {
	header = make(http.Header, 16)
	values := make([]string, 0, 16) // one allocation for the usual case of no repetition
	for name, value := range environ.Fields() {
		if len(name) == len("Host") && strings.EqualFold(string(name), "Host") {
			host = string(value)
			continue
		}
		key := http.CanonicalHeaderKey(string(name))
		if before, repeated := header[key]; repeated {
			header[key] = append(before, string(value))
			continue
		}
		values = append(values, string(value))
		n := len(values)
		header[key] = values[n-1 : n : n]
	}
	return header, host
}

// requestURL is the URL of a request whose target is target, as seen below SCRIPT_NAME.
func requestURL(environ *app.Environ, target string) *url.URL {
	u := &url.URL{Path: string(environ.Path()), RawQuery: string(environ.Query())}
	raw, _, query := strings.Cut(target, "?")
	u.ForceQuery = query && u.RawQuery == ""
	switch {
	case strings.HasPrefix(target, "/"):
	case target == "*":
		u.Path = "*"
		return u
	case environ.Method() == http.MethodConnect:
		return &url.URL{Host: target}
	default:
		absolute, err := url.ParseRequestURI(target)
		if err != nil {
			return u
		}
		u.Scheme, u.Host, u.User = absolute.Scheme, absolute.Host, absolute.User
		raw = absolute.EscapedPath()
	}
	// RawPath is kept, as url.Parse does, where Path does not tell how it was written ("%2F").
	script := (&url.URL{Path: environ.Get("SCRIPT_NAME")}).EscapedPath()
	raw = strings.TrimPrefix(raw, script)
	if raw != u.EscapedPath() {
		if decoded, err := url.PathUnescape(raw); err == nil && decoded == u.Path {
			u.RawPath = raw
		}
	}
	return u
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// setContent sets Body and what tells of its length.
func setContent(r *http.Request, environ *app.Environ) {
	r.Body = http.NoBody
	in := environ.Input()
	r.ContentLength = environ.ContentLength()
	if r.ContentLength < 0 {
		all, inMemory := in.View()
		if !inMemory {
			r.TransferEncoding = []string{"chunked"}
		}
		if r.ContentLength = -1; inMemory {
			r.ContentLength = int64(len(all))
		}
	}
	if r.ContentLength != 0 {
		r.Body = &content{in: in}
	}
}

// content is wsgi.input as the Body of a request.
type content struct {
	in     app.Input
	closed bool
}

func (c *content) Read(p []byte) (int, error) {
	if c.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return c.in.Read(p)
}

func (c *content) WriteTo(w io.Writer) (int64, error) {
	if c.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return c.in.WriteTo(w)
}

func (c *content) Close() error {
	c.closed = true
	return nil
}
