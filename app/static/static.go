// Package static serves files: a directory at a prefix (Site), and files that an application names instead of sending
// them (Sendfile, for X-Sendfile and X-Accel-Redirect).
//
// What is open already is served on the loop, without a system call but for the sending. Everything that may wait for a disk runs on
// a goroutine (app.Blocking), whatever server.Config.Inline promises.
package static

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/app"
)

// Options configure a Site. The zero value is good.
type Options struct {
	// FollowSymlinks has symbolic links followed that stay inside the directory. By default what a link leads to does not exist. Those that leave
	// the directory are never followed.
	FollowSymlinks bool
	// Dotfiles has files and directories served whose name begins with a dot. By default they do not exist, but for /.well-known.
	Dotfiles bool
	// CacheControl is the value of that field; "": the field is not sent.
	CacheControl string
	// Immutable are the paths, from the directory on, without a leading slash, whose content never changes: they are sent with the longest
	// Cache-Control there is. nil: none.
	Immutable *regexp.Regexp
	// MaxOpen is how many files stay open when nobody is sent them. 0: 128; negative: none.
	MaxOpen int
	// Logger is told of files that cannot be read. nil: slog.Default.
	Logger *slog.Logger
}

// immutable is the Cache-Control of what never changes: a year is what caches take for ever (RFC 8246).
const immutable = "public, max-age=31536000, immutable"

// index is the file that stands for its directory.
const index = "index.html"

// Site serves the files of one directory. Its methods are safe for concurrent use.
type Site struct {
	options Options
	root    *root
	cache   cache
}

// New returns the Site of the directory dir.
func New(dir string, options Options) (*Site, error) {
	root, err := openRoot(dir, options.FollowSymlinks)
	if err != nil {
		return nil, err
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.MaxOpen == 0 {
		options.MaxOpen = 128
	}
	return &Site{options: options, root: root, cache: cache{maxOpen: max(options.MaxOpen, 0)}}, nil
}

// Close closes what the Site has open; files that are being sent stay open until they were. The Site answers 404 from then on.
func (s *Site) Close() error {
	s.cache.clear()
	return s.root.close()
}

// Application is an app.Application that serves PATH_INFO.
func (s *Site) Application(environ *app.Environ, start app.StartResponse) app.Body {
	return s.serve(environ, start, 0)
}

// Mount returns an Application that serves the paths below prefix from the Site, and has next answer the others. prefix is "/", or begins
// with a slash; one at its end does not matter.
func (s *Site) Mount(prefix string, next app.Application) (app.Application, error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, err
	}
	prefix = strings.TrimSuffix(prefix, "/")
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		path := environ.Path()
		if len(path) < len(prefix) || string(path[:len(prefix)]) != prefix || len(path) > len(prefix) && path[len(prefix)] != '/' {
			return next(environ, start)
		}
		return s.serve(environ, start, len(prefix))
	}, nil
}

// CheckPrefix tells what is wrong with a prefix of paths.
func CheckPrefix(prefix string) error {
	if !strings.HasPrefix(prefix, "/") {
		return fmt.Errorf("the prefix %q does not begin with a slash", prefix)
	}
	if _, ok := fileName(prefix, true); !ok {
		return fmt.Errorf("the prefix %q is no plain path", prefix)
	}
	return nil
}

// serve answers with the file that the path behind the first skip octets names.
func (s *Site) serve(environ *app.Environ, start app.StartResponse, skip int) app.Body {
	method := environ.Method()
	if method != "GET" && method != "HEAD" {
		return refuse(start, "405 Method Not Allowed", app.Header{Name: "Allow", Value: "GET, HEAD"})
	}
	asked := readConditions(environ)
	if r := s.cache.get(environ.Path()[skip:], time.Now()); r != nil {
		if v := r.negotiate(asked.acceptEncoding); v.acquire() {
			return r.respond(v, method, &asked, start)
		}
	}
	return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		asked := readConditions(environ) // the views from before the environ was detached have ended
		return s.load(environ, start, string(environ.Path()[skip:]), method, &asked)
	})(environ, start)
}

// load is serve for what is not in the cache. It may wait for the disk.
func (s *Site) load(environ *app.Environ, start app.StartResponse, path, method string, asked *conditions) app.Body {
	name, ok := fileName(path, s.options.Dotfiles)
	if !ok {
		return refuse(start, "404 Not Found")
	}
	isDirectory := strings.HasSuffix(path, "/")
	if isDirectory {
		name = strings.TrimPrefix(name+"/"+index, "./")
	}
	r, v, err := s.open(path, name, asked)
	if err == errDirectory && !isDirectory {
		return redirect(environ, start)
	}
	if err != nil {
		return s.failed(start, name, err)
	}
	return r.respond(v, method, asked, start)
}

// open makes the resource of a name, and puts it into the cache. The variant that it returns is acquired.
func (s *Site) open(path, name string, asked *conditions) (*resource, *variant, error) {
	now := time.Now()
	old := s.cache.peek(path)
	r, err := s.stat(name, now)
	if err != nil {
		s.cache.remove(path)
		return nil, nil, err
	}
	r.inherit(old)
	v := r.negotiate(asked.acceptEncoding)
	if !v.acquire() {
		if err := v.open(s.root); err != nil {
			r.release()
			s.cache.remove(path)
			return nil, nil, err
		}
		v.acquire()
	}
	s.cache.put(path, r)
	return r, v, nil
}

// stat looks at a file and at its compressed siblings.
func (s *Site) stat(name string, now time.Time) (*resource, error) {
	info, err := s.root.stat(name)
	if err != nil {
		return nil, err
	}
	r := &resource{checked: now, contentType: typeOf(name), cacheControl: s.options.CacheControl}
	if s.options.Immutable != nil && s.options.Immutable.MatchString(name) {
		r.cacheControl = immutable
	}
	r.variants = append(r.variants, newVariant(name, "", info, now))
	for _, c := range codings {
		if info, err := s.root.stat(name + c.suffix); err == nil {
			r.variants = append(r.variants, newVariant(name+c.suffix, c.name, info, now))
		}
	}
	return r, nil
}

// failed answers for a file that cannot be opened.
func (s *Site) failed(start app.StartResponse, name string, err error) app.Body {
	switch {
	case isMissing(err):
		return refuse(start, "404 Not Found")
	case errors.Is(err, fs.ErrPermission):
		return refuse(start, "403 Forbidden")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		s.cache.clear() // so that the next one finds room
		s.options.Logger.Error("no descriptor is left for a file, answered 503", "file", name, "error", err)
		return refuse(start, "503 Service Unavailable", app.Header{Name: "Retry-After", Value: "1"})
	}
	s.options.Logger.Error("file cannot be read, answered 500", "directory", s.root.dir, "file", name, "error", err)
	return refuse(start, "500 Internal Server Error")
}

// redirect sends the client to the path with a slash behind it, so that relative links in the index work.
func redirect(environ *app.Environ, start app.StartResponse) app.Body {
	location := string(environ.RawPath()) + "/"
	if query := environ.Query(); len(query) > 0 {
		location += "?" + string(query)
	}
	return refuse(start, "301 Moved Permanently", app.Header{Name: "Location", Value: location})
}

// refuse answers with a status alone.
func refuse(start app.StartResponse, status string, headers ...app.Header) app.Body {
	r := refusal(status, headers...)
	start(r.Status, r.Headers)
	return app.Bytes(r.Content)
}

// refusal is a Response that is a status alone.
func refusal(status string, headers ...app.Header) *app.Response {
	return &app.Response{
		Status:  status,
		Headers: append([]app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, headers...),
		Content: []byte(status[4:] + "\n"),
	}
}

// isMissing tells whether an error means that there is no such file to be seen.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || err == errDirectory || err == errSpecial || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.ELOOP) || isEscape(err)
}
