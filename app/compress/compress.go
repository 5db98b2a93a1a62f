// Package compress is middleware that compresses responses, and decodes requests where that is asked for (Request): zstd, brotli and
// gzip, negotiated with Accept-Encoding (RFC 9110 12.5.3).
package compress

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
)

// Options say what is compressed, and how. The zero value is a good choice.
type Options struct {
	// Codings are those that are offered, the preferred one first: "zstd", "br", "gzip". What the client prefers counts more. Default: these,
	// in this order.
	Codings []string
	// GzipLevel is 1 to 9 (default 5), ZstdLevel 1 to 4 (default 1), BrotliLevel 0 to 11 (default 4; 0 stands for it, -1 for level 0).
	GzipLevel, ZstdLevel, BrotliLevel int
	// MinSize is how many octets content must have to be worth it, where its length is known. Default: 1024; -1: none.
	MinSize int64
	// MaxStreams bounds the memory: so many responses that are longer than 64 KiB, or of unknown length, are compressed at a time, for about 1 MiB
	// each, 1.5 in brotli. More of them leave as they are. Default: 128.
	MaxStreams int
	// Skip are media types that are not compressed, beside those that are compressed as it is: "text/csv", "application/*".
	Skip []string
}

// The limits that Options have by default.
const (
	minSize    = 1024
	maxStreams = 128
)

// New returns application with its responses compressed. An error names the field of the options that is wrong.
//
// Left alone are responses that are coded already, have a type that does not gain from it or none, are too short, say
// "Cache-Control: no-transform", are part of a representation, or have a digest of their octets. Every chunk is flushed: an event stream is
// not held back.
//
// A compressed response has "Vary: Accept-Encoding", as has one that would be for another client, and its ETag is weak, since the octets
// are others (RFC 9110 8.8.1). A HEAD is answered with the fields of the GET.
//
// Content of up to 64 KiB is compressed where the application runs, for a millisecond or so; longer content and files on a
// goroutine. Streams are compressed a chunk at a time: one that takes long is a call that blocks, and the loop goes on without it.
func New(application app.Application, options Options) (app.Application, error) {
	m, err := newMiddleware(options)
	if err != nil {
		return nil, err
	}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		r := m.request(environ)
		if r.codec == nil {
			return application(environ, app.FilterHead(environ, start, r.filter))
		}
		return app.FilterContent(application, environ, start, r.filter)
	}, nil
}

// middleware is what all responses share.
type middleware struct {
	codecs     []*codec
	minSize    int64
	maxStreams int64
	skip       []string
	streams    atomic.Int64 // that are open
}

func newMiddleware(options Options) (*middleware, error) {
	m := &middleware{minSize: options.MinSize, maxStreams: int64(options.MaxStreams), skip: options.Skip}
	if m.minSize == 0 {
		m.minSize = minSize
	}
	if m.maxStreams == 0 {
		m.maxStreams = maxStreams
	}
	if m.maxStreams < 0 {
		return nil, fmt.Errorf("compress: Options.MaxStreams must be 1 or more, or 0 for %d", maxStreams)
	}
	for _, skip := range m.skip {
		if main, sub, ok := strings.Cut(skip, "/"); !ok || main == "" || sub == "" || strings.ContainsAny(skip, "; ") {
			return nil, fmt.Errorf("compress: Options.Skip must be media types such as text/csv or application/*, not %q", skip)
		}
	}
	names := options.Codings
	if len(names) == 0 {
		names = []string{"zstd", "br", "gzip"}
	}
	for _, name := range names {
		c, err := newCodec(name, options)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(m.codecs, func(other *codec) bool { return other.name == c.name }) {
			return nil, fmt.Errorf("compress: Options.Codings names %s twice", name)
		}
		m.codecs = append(m.codecs, c)
	}
	return m, nil
}

// request is what matters of one request.
type request struct {
	*middleware
	codec   *codec // nil: the client wants none
	must    bool   // it does not take content as it is
	head    bool   // the method is HEAD
	matches string // If-None-Match
}

func (m *middleware) request(environ *app.Environ) *request {
	r := &request{middleware: m, head: environ.Method() == "HEAD"}
	if accept, ok := environ.Header("Accept-Encoding"); ok {
		r.codec, r.must = m.negotiate(string(accept))
	}
	if matches, ok := environ.Header("If-None-Match"); ok && bytes.Contains(matches, []byte("W/")) {
		r.matches = string(matches)
	}
	return r
}

// filter implements app.Filter.
func (r *request) filter(h *app.Head) {
	code := h.Code()
	if code == 304 {
		r.notModified(h)
		return
	}
	if code == 204 || code == 205 || code == 206 || !r.gains(h) {
		return
	}
	if r.head {
		if _, declared := h.Get("Content-Length"); !declared {
			h.Size = -1
		}
	}
	if h.Size >= 0 && h.Size < r.minSize && !r.must || h.Size == 0 {
		return
	}
	h.Vary("Accept-Encoding")
	if r.codec == nil || r.head && h.Size < 0 {
		return // of a HEAD nobody knows
	}
	if r.head {
		h.Body = app.Empty() // or the length of what is not sent would be told, and a file be read
	} else if h.Coder = r.coder(h.Size); h.Coder == nil {
		return
	}
	h.Delete("Content-Length")
	h.Delete("Accept-Ranges")
	h.Set("Content-Encoding", r.codec.name)
	weaken(h)
}

// gains tells whether a response may be compressed, and would be shorter for it.
func (r *request) gains(h *app.Head) bool {
	for _, f := range h.Headers {
		switch strings.ToLower(f.Name) {
		case "content-encoding", "content-range", "content-digest", "repr-digest", "digest", "content-md5":
			return false
		}
	}
	if h.Lists("Cache-Control", "no-transform") {
		return false
	}
	mediaType, ok := h.Get("Content-Type")
	return ok && compressible(mediaType) && !r.skips(mediaType)
}

// notModified gives a 304 the fields of the response that the client has (RFC 9110 15.4.5), which was compressed when its tag is the weak one.
func (r *request) notModified(h *app.Head) {
	if tag, ok := h.Get("ETag"); ok && strings.HasPrefix(tag, `"`) && strings.Contains(r.matches, "W/"+tag) {
		weaken(h)
		h.Vary("Accept-Encoding")
	}
}

// weaken makes the entity tag a weak one.
func weaken(h *app.Head) {
	for i, f := range h.Headers {
		if strings.EqualFold(f.Name, "ETag") && strings.HasPrefix(f.Value, `"`) {
			h.Headers[i].Value = "W/" + f.Value
		}
	}
}
