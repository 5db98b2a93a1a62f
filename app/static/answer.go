package static

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/weirhttp/weir/app"
)

// answer is a response with sections of one file in it.
type answer struct {
	status  string
	headers []app.Header
	parts   []part // empty: no content
	tail    string // behind the parts
	length  int64  // of the content
}

// part is a section of the file, and what is in front of it.
type part struct {
	before string
	span
}

// representation is what a file is sent as.
type representation struct {
	validators
	size        int64
	contentType string
	headers     []app.Header // of every answer with it, 304 included
	more        []app.Header // of answers with content
}

// respond answers with an acquired variant.
func (r *resource) respond(v *variant, method string, asked *conditions, start app.StartResponse) app.Body {
	p := representation{validators: v.validators, size: v.size, contentType: r.contentType}
	p.headers = make([]app.Header, 0, 4)
	p.headers = append(p.headers, app.Header{Name: "ETag", Value: v.etag})
	if r.cacheControl != "" {
		p.headers = append(p.headers, app.Header{Name: "Cache-Control", Value: r.cacheControl})
	}
	if len(r.variants) > 1 {
		p.headers = append(p.headers, app.Header{Name: "Vary", Value: "Accept-Encoding"})
	}
	if v.coding != "" {
		p.more = []app.Header{{Name: "Content-Encoding", Value: v.coding}}
	}
	if v.lastModified != "" {
		p.more = append(p.more, app.Header{Name: "Last-Modified", Value: v.lastModified})
	}
	a := p.answer(method, asked, time.Now())
	start(a.status, a.headers)
	if len(a.parts) == 0 || method == "HEAD" {
		if v.handle != nil {
			v.handle.release()
		}
		return app.Empty()
	}
	return a.body(v)
}

// answer answers a GET or HEAD.
func (p *representation) answer(method string, asked *conditions, now time.Time) answer {
	switch asked.evaluate(&p.validators) {
	case preconditionFailed:
		return answer{status: "412 Precondition Failed"}
	case notModified:
		return answer{status: "304 Not Modified", headers: p.headers}
	}
	if method == "GET" && asked.ranges != nil && asked.rangeHolds(&p.validators, now) {
		if spans, valid := parseRanges(asked.ranges, p.size); valid {
			return p.partial(spans)
		}
	}
	return p.whole("200 OK")
}

// whole answers with all of the file.
func (p *representation) whole(status string) answer {
	a := answer{status: status, length: p.size}
	a.headers = p.withContent(p.contentType, p.size)
	if p.size > 0 {
		a.parts = []part{{span: span{0, p.size}}}
	}
	return a
}

// withContent are the fields of an answer with content of that length.
func (p *representation) withContent(contentType string, length int64) []app.Header {
	headers := make([]app.Header, 0, len(p.headers)+len(p.more)+4)
	headers = append(headers, app.Header{Name: "Content-Type", Value: contentType}, app.Header{Name: "Content-Length", Value: strconv.FormatInt(length, 10)},
		app.Header{Name: "Accept-Ranges", Value: "bytes"})
	return append(append(headers, p.headers...), p.more...)
}

// partial answers with spans of the file (RFC 9110 15.3.7), or that there are none (15.5.17).
func (p *representation) partial(spans []span) answer {
	switch len(spans) {
	case 0:
		return answer{status: "416 Range Not Satisfiable", headers: []app.Header{{Name: "Content-Range", Value: fmt.Sprintf("bytes */%d", p.size)}}}
	case 1:
		a := answer{status: "206 Partial Content", length: spans[0].n, parts: []part{{span: spans[0]}}}
		a.headers = append(p.withContent(p.contentType, a.length), app.Header{Name: "Content-Range", Value: p.contentRange(spans[0])})
		return a
	}
	// Not to be guessed, so that no file can be made that has it inside.
	boundary := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	a := answer{status: "206 Partial Content", tail: "\r\n--" + boundary + "--\r\n"}
	a.length = int64(len(a.tail))
	for _, s := range spans {
		before := fmt.Sprintf("\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", boundary, p.contentType, p.contentRange(s))
		a.parts = append(a.parts, part{before, s})
		a.length += int64(len(before)) + s.n
	}
	a.headers = p.withContent("multipart/byteranges; boundary="+boundary, a.length)
	return a
}

func (p *representation) contentRange(s span) string {
	return fmt.Sprintf("bytes %d-%d/%d", s.offset, s.offset+s.n-1, p.size)
}
