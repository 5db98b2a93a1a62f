package grip

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

const (
	maxAsking  = 64     // requests to applications at a time
	maxAsks    = 65_536 // that wait for their turn
	askTimeout = 60 * time.Second
	maxContent = 64 << 10 // of a request that can be asked again
)

// site is an application behind the proxy.
type site struct {
	proxy       *Proxy
	application app.Application
}

// request is what is kept of a request, to ask again: one object of octets, since very many may wait.
type request struct {
	octets []byte
	whole  bool // with all of its content
}

// newRequest copies what an application may want to know again.
func newRequest(environ *app.Environ) *request {
	q := &request{octets: make([]byte, 0, 512)}
	for _, key := range []string{"REQUEST_METHOD", "wsgi.url_scheme", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME"} {
		q.add([]byte(environ.Get(key)))
	}
	q.add(environ.Path())
	q.add(environ.Query())
	content, whole := environ.Input().View()
	if q.whole = whole && len(content) <= maxContent; q.whole {
		q.add(content)
	} else {
		q.add(nil)
	}
	for name, value := range environ.Fields() {
		if !isGrip(string(name)) {
			q.add(name)
			q.add(value)
		}
	}
	q.octets = bytes.Clone(q.octets)
	return q
}

func (q *request) add(value []byte) {
	q.octets = append(binary.AppendUvarint(q.octets, uint64(len(value))), value...)
}

// question is a request to an application, read.
type question struct {
	method, scheme, remoteAddr, remotePort, host, port, script, path, query string

	content []byte
	fields  []app.Header
	last    string // Grip-Last
}

func (q *request) question() *question {
	rest := q.octets
	next := func() string {
		var value []byte
		value, rest = cut(rest)
		return string(value)
	}
	a := &question{}
	for _, field := range []*string{&a.method, &a.scheme, &a.remoteAddr, &a.remotePort, &a.host, &a.port, &a.script, &a.path, &a.query} {
		*field = next()
	}
	a.content = []byte(next())
	for len(rest) > 0 {
		a.fields = append(a.fields, app.Header{Name: next(), Value: next()})
	}
	return a
}

func (q *request) method() string {
	first, _ := cut(q.octets)
	return string(first)
}

// cut takes the first value off what a request consists of.
func cut(octets []byte) (value, rest []byte) {
	n, size := binary.Uvarint(octets)
	end := size + int(n)
	return octets[size:end], octets[end:]
}

func (q *request) path() string { return q.question().path }

// url is that of the request, as the client has it.
func (a *question) url() *url.URL {
	u := &url.URL{Scheme: a.scheme, Host: a.host, Path: a.script + a.path, RawQuery: a.query}
	for _, h := range a.fields {
		if strings.EqualFold(h.Name, "Host") {
			u.Host = h.Value
		}
	}
	return u
}

var errElsewhere = errors.New("grip: a link leads to another host, or out of the application")

// follow is the request of a link. Links lead to the same application: others are not fetched, since whatever is behind the server could be
// reached by them.
func (a *question) follow(method, link, last string) (*question, error) {
	base := a.url()
	u, err := base.Parse(link)
	if err != nil {
		return nil, err
	}
	path, inside := strings.CutPrefix(u.Path, a.script)
	if authority(u) != authority(base) || u.Scheme != base.Scheme || !inside {
		return nil, errElsewhere
	}
	next := *a
	next.method, next.path, next.query, next.content, next.last = method, path, u.RawQuery, nil, last
	next.fields = []app.Header{{Name: "Host", Value: base.Host}}
	return &next, nil
}

// authority is the host and the port of a URL, in the one way of several to write them (RFC 9110 4.2.3).
func authority(u *url.URL) string {
	port := cmp.Or(u.Port(), strconv.Itoa(app.UsualPort(u.Scheme)))
	return strings.ToLower(u.Hostname()) + ":" + port
}

// ask asks the application. It is for goroutines.
func (s *site) ask(a *question) (*app.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	r := (&http.Request{
		Method: a.method, URL: &url.URL{Path: a.path, RawQuery: a.query}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), RemoteAddr: net.JoinHostPort(a.remoteAddr, a.remotePort),
		Body: io.NopCloser(bytes.NewReader(a.content)), ContentLength: int64(len(a.content)),
	}).WithContext(ctx)
	r.RequestURI = (&url.URL{Path: a.script + a.path, RawQuery: a.query}).RequestURI()
	for _, h := range a.fields {
		switch {
		case strings.EqualFold(h.Name, "Host"):
			r.Host = h.Value
		case !app.HopByHop(h.Name) && !strings.EqualFold(h.Name, "Content-Length"):
			r.Header.Add(h.Name, h.Value)
		}
	}
	w := &answer{header: make(http.Header), limit: s.proxy.options.MaxResponse}
	err := s.serve(w, r, a)
	switch {
	case w.tooLarge:
		return nil, app.ErrIntercepted
	case err != nil:
		return nil, err
	}
	return w.response(), nil
}

// serve calls the application. A panic says that the response was cut off.
func (s *site) serve(w *answer, r *http.Request, a *question) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = http.ErrAbortHandler
		}
	}()
	handler := &nethttp.ApplicationHandler{
		Application: func(environ *app.Environ, start app.StartResponse) app.Body {
			environ.Set("SCRIPT_NAME", a.script)
			environ.Set("PATH_INFO", a.path)
			s.proxy.mark(environ, a.last)
			return s.application(environ, start)
		},
		Failed: func(_ *app.Environ, wrong error) {
			s.proxy.log.Error("the application failed", "path", a.path, "error", wrong)
		},
		Local: func(*http.Request) (string, string, int) {
			port, _ := strconv.Atoi(a.port)
			return a.scheme, a.host, port
		},
	}
	handler.ServeHTTP(w, r)
	return nil
}

// answer is the http.ResponseWriter of such a request.
type answer struct {
	header   http.Header
	code     int
	content  []byte
	limit    int
	tooLarge bool
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(code int) {
	if w.code == 0 && code >= 200 {
		w.code = code
	}
}

func (w *answer) Write(chunk []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.tooLarge = w.tooLarge || len(w.content)+len(chunk) > w.limit; w.tooLarge {
		return 0, app.ErrIntercepted
	}
	w.content = append(w.content, chunk...)
	return len(chunk), nil
}

func (w *answer) response() *app.Response {
	w.WriteHeader(http.StatusOK)
	r := &app.Response{Status: strconv.Itoa(w.code) + " " + http.StatusText(w.code), Content: w.content}
	names := make([]string, 0, len(w.header))
	for name := range w.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == "Date" || name == "Server" {
			continue
		}
		for _, value := range w.header[name] {
			r.Headers = append(r.Headers, app.Header{Name: name, Value: value})
		}
	}
	return r
}

// asks are requests to applications, of which a bounded number is under way.
type asks struct {
	mu      sync.Mutex
	asking  int
	waiting []func()
}

// do has f called on a goroutine. It is false when too many wait already.
func (a *asks) do(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.asking < maxAsking:
		a.asking++
		go a.work(f)
	case len(a.waiting) < maxAsks:
		a.waiting = append(a.waiting, f)
	default:
		return false
	}
	return true
}

func (a *asks) work(f func()) {
	for f != nil {
		f()
		a.mu.Lock()
		f = nil
		if len(a.waiting) > 0 {
			f = a.waiting[0]
			a.waiting[0] = nil
			a.waiting = a.waiting[1:]
		} else {
			a.asking--
		}
		a.mu.Unlock()
	}
}
