package nethttp

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
)

// source is app.Source over an *http.Request. Its slices are copies, so Detach has nothing to do.
type source struct {
	r                   *http.Request
	target, path, query []byte
	script, info        string // SCRIPT_NAME; with one, PATH_INFO
	fields              []field
	length              int64
	scheme, localHost   string
	localPort           int
	response            *response // for Defer
}

type field struct{ name, value []byte }

func newSource(r *http.Request, localOf func(*http.Request) (string, string, int)) *source {
	s := &source{r: r, query: []byte(r.URL.RawQuery), length: contentLength(r)}
	target := r.RequestURI
	if target == "" { // made by http.NewRequest, for a test or by middleware
		target = r.URL.RequestURI()
	}
	s.target = []byte(target)
	var path string
	s.script, path = mount(target, r.URL)
	s.path = []byte(path)
	if s.script != "" {
		s.info = string(app.AppendPercentDecoded(nil, s.path))
		raw, _, _ := strings.Cut(target, "?")
		s.path = []byte(raw) // as it was received
	}

	s.fields = make([]field, 0, len(r.Header)+1)
	if r.Host != "" {
		s.fields = append(s.fields, field{[]byte("Host"), []byte(r.Host)})
	}
	for name, values := range r.Header {
		if name == "Host" || name == "Transfer-Encoding" {
			continue
		}
		for _, value := range values {
			s.fields = append(s.fields, field{[]byte(name), []byte(value)})
		}
	}
	if localOf == nil {
		localOf = local
	}
	s.scheme, s.localHost, s.localPort = localOf(r)
	return s
}

// mount is SCRIPT_NAME, decoded, and the path below it, percent-encoded: they differ from the path of the
// target where middleware like http.StripPrefix took a prefix off URL.Path.
func mount(target string, u *url.URL) (script, path string) {
	path = u.EscapedPath()
	if !strings.HasPrefix(target, "/") {
		// "*", the authority of CONNECT, and an absolute form without a path: PATH_INFO begins with "/".
		if !strings.HasPrefix(path, "/") {
			path = "/"
		}
		return "", path
	}
	raw, _, _ := strings.Cut(target, "?")
	if whole, err := url.PathUnescape(raw); err == nil && whole != u.Path {
		script, _ = strings.CutSuffix(whole, u.Path)
		if script == whole && u.Path != "" {
			script = "" // URL.Path is no part of the target any more
		}
	}
	script = strings.TrimRight(script, "/")
	if !strings.HasPrefix(path, "/") && (path != "" || script == "") {
		path = "/" + path
	}
	return script, path
}

// contentLength is the length of the content, -1 when the client has not told one.
func contentLength(r *http.Request) int64 {
	if r.ContentLength == 0 && r.Header["Content-Length"] == nil {
		return -1
	}
	return r.ContentLength
}

// local is the address at which the client was accepted, or what else comes close to it.
func local(r *http.Request) (scheme, host string, port int) {
	if scheme = "http"; r.TLS != nil {
		scheme = "https"
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if host, port = splitHostPort(addr.String()); host != "" {
			return scheme, host, port
		}
	}
	if host, port = splitHostPort(r.Host); host == "" {
		if host = r.Host; host == "" {
			host = "localhost"
		}
	}
	return scheme, host, cmp.Or(port, app.UsualPort(scheme))
}

// splitHostPort is net.SplitHostPort; host is "" where address is of another form.
func splitHostPort(address string) (host string, port int) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0
	}
	port, _ = strconv.Atoi(service)
	return host, port
}

func (s *source) Method() string {
	if s.r.Method == "" { // http.NewRequest's and the zero Request's way to say GET
		return http.MethodGet
	}
	return s.r.Method
}

func (s *source) Target() []byte { return s.target }
func (s *source) Path() []byte   { return s.path }
func (s *source) Query() []byte  { return s.query }

func (s *source) Protocol() string { return s.r.Proto }

func (s *source) Scheme() string { return s.scheme }

// TLS implements app.Encrypted.
func (s *source) TLS() *tls.ConnectionState { return s.r.TLS }

func (s *source) Fields() int                      { return len(s.fields) }
func (s *source) Field(i int) (name, value []byte) { return s.fields[i].name, s.fields[i].value }
func (s *source) ContentLength() int64             { return s.length }
func (s *source) Remote() (string, int)            { return splitHostPort(s.r.RemoteAddr) }
func (s *source) Local() (string, int)             { return s.localHost, s.localPort }
func (s *source) Detach()                          {}

// input is wsgi.input for r.
func input(r *http.Request) app.Input {
	if r.Body == nil || r.Body == http.NoBody {
		return app.NewMemory(nil)
	}
	if in, ok := r.Body.(app.Input); ok { // what is below net/http knows it better
		return in
	}
	return &lineReader{src: r.Body}
}
