package app_test

import (
	"bytes"
	"io"
	"strings"

	"github.com/weirhttp/weir/app"
)

// span is a view: an offset into the buffer that the request was read into.
type span struct{ from, to int }

// fakeSource is a request whose octets are in one buffer, as a wire has them.
type fakeSource struct {
	buf                 []byte
	method              span
	target, path, query span
	fields              [][2]span
	length              int64
	protocol, scheme    string
	remote, local       string
	detached            int
}

// newSource makes the source of a request; fields are "Name: value", without a name those that framed the message only.
func newSource(method, target string, fields ...string) *fakeSource {
	s := &fakeSource{length: -1, protocol: "HTTP/1.1", scheme: "http", remote: "192.0.2.7", local: "127.0.0.1"}
	s.method = s.add(method)
	s.target = s.add(target)
	path, query, _ := strings.Cut(target, "?")
	s.path, s.query = s.add(path), s.add(query)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		s.fields = append(s.fields, [2]span{s.add(name), s.add(value)})
	}
	return s
}

func (s *fakeSource) add(text string) span {
	from := len(s.buf)
	s.buf = append(s.buf, text...)
	return span{from, len(s.buf)}
}

func (s *fakeSource) view(p span) []byte {
	if p.from == p.to {
		return nil
	}
	return s.buf[p.from:p.to]
}

func (s *fakeSource) Method() string   { return string(s.view(s.method)) }
func (s *fakeSource) Target() []byte   { return s.view(s.target) }
func (s *fakeSource) Path() []byte     { return s.view(s.path) }
func (s *fakeSource) Query() []byte    { return s.view(s.query) }
func (s *fakeSource) Protocol() string { return s.protocol }
func (s *fakeSource) Scheme() string   { return s.scheme }
func (s *fakeSource) Fields() int      { return len(s.fields) }
func (s *fakeSource) Field(i int) (name, value []byte) {
	f := s.fields[i]
	return s.view(f[0]), s.view(f[1])
}
func (s *fakeSource) ContentLength() int64  { return s.length }
func (s *fakeSource) Remote() (string, int) { return s.remote, 40001 }
func (s *fakeSource) Local() (string, int)  { return s.local, 8080 }

func (s *fakeSource) Detach() {
	s.detached++
	s.buf = bytes.Clone(s.buf)
}

func gateway() *app.Gateway {
	return &app.Gateway{Software: "weir/test", Errors: io.Discard, Multithread: true}
}

func newEnviron(s *fakeSource) *app.Environ {
	e := new(app.Environ)
	e.Reset(s, app.NewMemory(nil), gateway())
	return e
}

func get(target string, fields ...string) *app.Environ {
	return newEnviron(newSource("GET", target, fields...))
}
