package static

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
)

// The fields by which an application names a file instead of sending it.
const (
	byPath = "X-Sendfile"       // an absolute path
	byURI  = "X-Accel-Redirect" // the path of a URI that means something to the server only, percent-encoded
)

// Handover is a directory from which applications may have files sent.
type Handover struct {
	// Prefix is that of X-Accel-Redirect's URIs; "": the directory is for X-Sendfile.
	Prefix string
	Dir    string
}

// Sendfile sends the files that applications name with X-Sendfile or X-Accel-Redirect, from some directories and no others.
type Sendfile struct {
	log  *slog.Logger
	dirs []handoverRoot // the longest prefix first
}

// handoverRoot is where one kind of names leads to.
type handoverRoot struct {
	field  string // byPath or byURI
	prefix string // without a slash at its end
	root   *root
}

// NewSendfile returns a Sendfile. Of the options FollowSymlinks and Logger count.
func NewSendfile(handovers []Handover, options Options) (*Sendfile, error) {
	s := &Sendfile{log: options.Logger}
	if s.log == nil {
		s.log = slog.Default()
	}
	for _, h := range handovers {
		if h.Prefix != "" {
			if err := CheckPrefix(h.Prefix); err != nil {
				_ = s.Close()
				return nil, err
			}
		}
		root, err := openRoot(h.Dir, options.FollowSymlinks)
		if err != nil {
			_ = s.Close()
			return nil, err
		}
		if h.Prefix != "" {
			s.dirs = append(s.dirs, handoverRoot{byURI, strings.TrimSuffix(h.Prefix, "/"), root})
			continue
		}
		s.dirs = append(s.dirs, handoverRoot{byPath, strings.TrimSuffix(root.dir, "/"), root})
		// An application may know its directory by the name that all links lead to.
		if real, err := filepath.EvalSymlinks(root.dir); err == nil && real != root.dir {
			s.dirs = append(s.dirs, handoverRoot{byPath, strings.TrimSuffix(real, "/"), root})
		}
	}
	slices.SortStableFunc(s.dirs, func(a, b handoverRoot) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return s, nil
}

// Close closes the directories.
func (s *Sendfile) Close() error {
	for _, d := range s.dirs {
		_ = d.root.close() // one may be there twice
	}
	return nil
}

// named is what an application has answered, when that names a file.
type named struct {
	status  string
	headers []app.Header
	cause   []error
}

// names tells whether a response names a file.
func names(headers []app.Header) bool {
	return slices.ContainsFunc(headers, isName)
}

func isName(h app.Header) bool {
	return len(h.Name) == len(byPath) && strings.EqualFold(h.Name, byPath) || len(h.Name) == len(byURI) && strings.EqualFold(h.Name, byURI)
}

// withoutNames are the fields that clients may see.
func withoutNames(headers []app.Header) []app.Header {
	return slices.DeleteFunc(slices.Clone(headers), isName)
}

// hasNoContent tells whether a status goes without content: a file that is named with it is not sent.
func hasNoContent(status string) bool {
	code, _ := app.CheckStatus(status)
	return !app.HasContent(code)
}

// find returns where the file is that a response names.
func (s *Sendfile) find(headers []app.Header) (*root, string, error) {
	var field, value string
	for _, h := range headers {
		if isName(h) {
			if field != "" {
				return nil, "", errors.New("two files are named")
			}
			field, value = h.Name, h.Value
		}
	}
	path := value
	if strings.EqualFold(field, byURI) {
		field = byURI
		path, _, _ = strings.Cut(value, "?")
		var err error
		if path, err = url.PathUnescape(path); err != nil {
			return nil, "", err
		}
	} else if field = byPath; filepath.IsAbs(value) {
		path = filepath.Clean(value)
	}
	for _, d := range s.dirs {
		if rest, ok := strings.CutPrefix(path, d.prefix); ok && d.field == field && strings.HasPrefix(rest, "/") {
			if name, ok := fileName(rest, true); ok {
				return d.root, name, nil
			}
			break
		}
	}
	return nil, "", fmt.Errorf("%s is outside of all directories that --sendfile-root or NewSendfile allow", field)
}

// prepare makes the answer that a response which names a file stands for. The handle is the caller's; it is nil when the answer is that the file cannot
// be sent. It may wait for the disk.
func (s *Sendfile) prepare(n *named, method string, asked *conditions) (answer, *handle) {
	root, name, err := s.find(n.headers)
	if err == nil {
		file, info, failed := root.open(name)
		if failed == nil {
			h := newHandle(file)
			p := representationOf(n, name, validatorsOf(info, "", time.Now()), info.Size())
			if method != "GET" && method != "HEAD" || !strings.HasPrefix(n.status, "200") && !strings.HasPrefix(n.status, "206") {
				return p.whole(n.status), h
			}
			return p.answer(method, asked, time.Now()), h
		}
		err = failed
	}
	status := "500 Internal Server Error"
	if root != nil && isMissing(err) {
		status = "404 Not Found"
	}
	i := slices.IndexFunc(n.headers, isName)
	s.log.Error("the file that the application named is not sent", "answered", status, n.headers[i].Name, n.headers[i].Value, "error", err)
	return answer{status: status, headers: refusal(status).Headers}, nil
}

// representationOf is what a file is sent as whose response the application has begun: its fields are kept, its validators come before
// those of the file.
func representationOf(n *named, name string, v validators, size int64) *representation {
	p := &representation{validators: v, size: size, contentType: typeOf(name)}
	etag, modified := false, false
	for _, h := range n.headers {
		switch lower := strings.ToLower(h.Name); {
		case isName(h), lower == "content-length", lower == "content-range", lower == "accept-ranges":
		case lower == "content-type":
			p.contentType = h.Value
		case lower == "etag":
			p.etag, etag = h.Value, true
			p.headers = append(p.headers, h)
		case lower == "last-modified":
			p.more = append(p.more, h)
			modified, p.lastModified = true, ""
			if t, ok := parseDate(h.Value); ok {
				p.modified, p.lastModified = t, h.Value
			}
		case strings.HasPrefix(lower, "content-"):
			p.more = append(p.more, h) // of the content that a 304 does not have
		default:
			p.headers = append(p.headers, h)
		}
	}
	if !etag {
		p.headers = append(p.headers, app.Header{Name: "ETag", Value: p.etag})
	}
	if !modified && p.lastModified != "" {
		p.more = append(p.more, app.Header{Name: "Last-Modified", Value: p.lastModified})
	}
	return p
}

// Wrap returns an Application that does what application does, and sends the files that it names.
func (s *Sendfile) Wrap(application app.Application) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		t := &transfer{sendfile: s, environ: environ, start: start}
		environ.WrapDefer(t.deferred)
		return t.sort(application(environ, t.begin))
	}
}

// transfer is one request of an application that may name a file.
type transfer struct {
	sendfile *Sendfile
	environ  *app.Environ
	start    app.StartResponse // the server's
	begun    bool              // the application has called begin
	named    *named            // nil: the response names no file
}

// begin is the StartResponse of the application.
func (t *transfer) begin(status string, headers []app.Header, cause ...error) app.Write {
	if t.named != nil && len(cause) == 0 {
		panic(&app.StartResponseError{Reason: "called a second time without a cause"})
	}
	t.begun, t.named = true, nil
	switch {
	case !names(headers):
		return t.start(status, headers, cause...)
	case hasNoContent(status):
		return t.start(status, withoutNames(headers), cause...)
	}
	t.named = &named{status, slices.Clone(headers), cause}
	return func([]byte) (int, error) { return 0, nil } // the file takes the place of all content
}

// sort tells what is to become of the application's body.
func (t *transfer) sort(body app.Body) app.Body {
	if t.named != nil {
		return t.send(body)
	}
	if b, ok := body.(*app.BlockingBody); ok {
		return app.Blocking(func(*app.Environ, app.StartResponse) app.Body { return t.sort(b.Call()) })(t.environ, t.start)
	}
	if t.begun || body == nil {
		return body
	}
	return &lateBody{Body: body, transfer: t}
}

// send answers with the file in the place of body.
func (t *transfer) send(body app.Body) app.Body {
	if body != nil {
		if err := body.Close(); err != nil {
			t.sendfile.log.Error("application failed in Close", "error", err)
		}
	}
	return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		method, asked := environ.Method(), readConditions(environ)
		a, h := t.sendfile.prepare(t.named, method, &asked)
		defer func() {
			if h != nil {
				h.release()
			}
		}()
		start(a.status, a.headers, t.named.cause...) // panics where a field is wrong
		switch {
		case h == nil:
			return app.String(a.status[4:] + "\n")
		case len(a.parts) == 0 || method == "HEAD":
			return app.Empty()
		}
		body := a.body(&variant{handle: h})
		h = nil // the body's
		return body
	})(t.environ, t.start)
}

// lateBody is the body of an application that calls start_response when its first chunk is asked for.
type lateBody struct {
	app.Body
	transfer *transfer
	file     app.Body // in the place of Body, which is closed
}

// Next implements app.Body.
func (b *lateBody) Next() ([]byte, error) {
	if b.file != nil {
		return b.file.Next()
	}
	chunk, err := b.Body.Next()
	if b.transfer.named != nil && (err == nil || err == io.EOF) {
		b.file = b.transfer.send(b.Body)
		return b.file.Next()
	}
	return chunk, err
}

// Close implements app.Body.
func (b *lateBody) Close() error {
	if b.file != nil {
		return b.file.Close()
	}
	return b.Body.Close()
}
