package gateway_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/gateway"
)

// requestOf is a GET of path in a format. FastCGI keeps the connection.
func requestOf(format gateway.Format, path string) []byte {
	pairs := []pair{{"CONTENT_LENGTH", "0"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", path}}
	switch format {
	case gateway.UWSGI:
		return uwsgiPacket(0, pairs)
	case gateway.SCGI:
		return netstring(pairs)
	}
	b := append(record(1, 7, []byte{0, 1, 1, 0, 0, 0, 0, 0}, 0), record(4, 7, block(pairs), 0)...)
	return append(append(b, record(4, 7, nil, 0)...), record(5, 7, nil, 0)...)
}

// contentOf is the content of the response in out, and whether a FastCGI request was ended behind it.
func contentOf(t *testing.T, format gateway.Format, out []byte) (content []byte, ended bool) {
	t.Helper()
	if format == gateway.FastCGI {
		var stdout []byte
		for len(out) >= 8 {
			size := int(out[4])<<8 | int(out[5])
			if len(out) < 8+size {
				break
			}
			if out[1] == 6 {
				stdout = append(stdout, out[8:8+size]...)
			}
			ended = out[1] == 3
			out = out[8+size+int(out[6]):]
		}
		out = stdout
	}
	_, content, _ = bytes.Cut(out, []byte("\r\n\r\n"))
	return content, ended
}

// slowly is a client that takes room octets, and more when it is told so.
type slowly struct {
	*loop.Memory
	out  bytes.Buffer
	room int
}

func (h *house) dialSlowly(format gateway.Format) (*slowly, loop.Handler) {
	c := &slowly{}
	handler := gateway.New(h.config, format, h.loop).NewConn()
	c.Memory = h.loop.Connect(handler, loop.NewMemoryListener("127.0.0.1", 8000), func(p []byte) int {
		n := min(len(p), c.room)
		c.room -= n
		c.out.Write(p[:n])
		return n
	})
	return c, handler
}

// TestSlowReader: what a web server receives does not depend on how much it takes at a time, whatever the body is. Files leave in
// records, too, and the octets that wait are bounded.
func TestSlowReader(t *testing.T) {
	const size = 300_001
	want := bytes.Repeat([]byte("0123456789abcdefg"), size/17+1)[:size]
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *os.File {
		f, err := os.Open(path)
		if err != nil {
			panic(err)
		}
		return f
	}
	application := func(environ *app.Environ, start app.StartResponse) app.Body {
		chunks := app.Seq(func(yield func([]byte) bool) {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 7777)
				if !yield(rest[:n]) {
					return
				}
				rest = rest[n:]
			}
		})
		switch string(environ.Path()) {
		case "/whole":
			start("200 OK", nil)
			return app.Bytes(want)
		case "/file":
			start("200 OK", nil)
			return app.FileWrapper(open(), 0)
		case "/blocking":
			return app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return chunks
			})(environ, start)
		case "/deferred":
			d := environ.Defer()
			d.Post(func() {
				_ = d.Start("200 OK", nil)
				_, _ = d.Write(want[:10])
				_ = d.SendFile(open(), 10, size-20)
				_, _ = d.Write(want[size-10:])
				_ = d.Close()
			})
			return nil
		}
		start("200 OK", nil)
		return chunks
	}
	for name, format := range formats {
		for _, path := range []string{"/whole", "/chunks", "/file", "/blocking", "/deferred"} {
			for _, step := range []int{1 << 20, 65_536, 10_007} {
				t.Run(fmt.Sprint(name, path, "/", step), func(t *testing.T) {
					h := newHouse(t)
					h.config.Application = application
					c, handler := h.dialSlowly(format)
					c.Feed(requestOf(format, path))
					if !h.until(func() bool {
						c.room = step
						c.Drain()
						content, ended := contentOf(t, format, c.out.Bytes())
						return len(content) >= size && (ended || c.Closed())
					}) {
						t.Fatalf("%d octets came, then nothing", c.out.Len())
					}
					if content, _ := contentOf(t, format, c.out.Bytes()); !bytes.Equal(content, want) {
						t.Errorf("%d octets came, and not the ones that were sent", len(content))
					}
					if format != gateway.FastCGI {
						return
					}
					before := c.out.Len()
					c.room = 1 << 20
					c.Feed(requestOf(format, "/whole"))
					if content, ended := contentOf(t, format, c.out.Bytes()[before:]); !ended || !bytes.Equal(content, want) {
						t.Errorf("the connection is not good for another request: %v", handler)
					}
					c.Reset()
				})
			}
		}
	}
}

// TestAbortInAnswer: a request of FastCGI that is aborted in the middle of its answer ends, and so does its body, and the connection goes on.
func TestAbortInAnswer(t *testing.T) {
	for _, path := range []string{"/chunks", "/file", "/blocking"} {
		t.Run(path[1:], func(t *testing.T) {
			h := newHouse(t)
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			closed := make(chan bool, 1)
			h.config.Application = func(environ *app.Environ, start app.StartResponse) app.Body {
				endless := func(_ *app.Environ, start app.StartResponse) app.Body {
					start("200 OK", nil)
					return app.Seq(func(yield func([]byte) bool) {
						defer func() { closed <- true }()
						for yield(make([]byte, 5000)) {
						}
					})
				}
				switch string(environ.Path()) {
				case "/file":
					start("200 OK", nil)
					f, err := os.Open(file)
					if err != nil {
						panic(err)
					}
					closed <- true
					return app.FileWrapper(f, 0)
				case "/chunks":
					return endless(environ, start)
				case "/blocking":
					return app.Blocking(endless)(environ, start)
				}
				start("200 OK", nil)
				return app.String("next")
			}
			c, _ := h.dialSlowly(gateway.FastCGI)
			c.room = 100_000
			c.Feed(requestOf(gateway.FastCGI, path))
			if !h.until(func() bool {
				c.Drain()
				return c.out.Len() == 100_000
			}) {
				t.Fatalf("%d octets came", c.out.Len())
			}
			c.Feed(record(2, 7, nil, 0))
			if !h.until(func() bool {
				c.room = 1 << 20
				c.Drain()
				_, ended := contentOf(t, gateway.FastCGI, c.out.Bytes())
				return len(closed) == 1 && (ended || path == "/file" && c.Closed())
			}) {
				t.Fatal("the request does not end")
			}
			if path == "/file" { // in the middle of a record the end of the connection is the only one
				return
			}
			before := c.out.Len()
			c.Feed(requestOf(gateway.FastCGI, "/next"))
			if content, ended := contentOf(t, gateway.FastCGI, c.out.Bytes()[before:]); string(content) != "next" || !ended {
				t.Errorf("the next request is answered %q", c.out.Bytes()[before:])
			}
			c.Reset()
		})
	}
}

// borrowed is a body whose file is somebody else's from Close on.
type borrowed struct {
	app.Body
	closed  atomic.Bool
	misread atomic.Bool
}

func (b *borrowed) Size() int64             { return 1 << 20 }
func (b *borrowed) File() (app.File, int64) { return b, 0 }
func (b *borrowed) Fd() uintptr             { return ^uintptr(0) }

func (b *borrowed) ReadAt(p []byte, _ int64) (int, error) {
	b.misread.Store(b.misread.Load() || b.closed.Load())
	return len(p), nil
}

func (b *borrowed) Close() error {
	b.closed.Store(true)
	return nil
}

// TestFileOfNobody: when a connection ends in the middle of a file, nothing more is sent of it: its number may be another file's by then.
func TestFileOfNobody(t *testing.T) {
	h := newHouse(t)
	body := &borrowed{}
	h.config.Application = func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return body
	}
	c, _ := h.dialSlowly(gateway.FastCGI)
	c.room = 100_000
	c.Feed(requestOf(gateway.FastCGI, "/"))
	if !h.until(func() bool {
		c.Drain()
		return c.out.Len() == 100_000
	}) {
		t.Fatalf("%d octets came", c.out.Len())
	}
	c.Feed([]byte("no record"))
	if !h.until(body.closed.Load) {
		t.Fatal("the body is not closed")
	}
	if !h.until(func() bool {
		c.room = 1 << 20
		c.Drain()
		c.EOF()
		return c.Closed()
	}) {
		t.Error("the connection does not end")
	}
	if body.misread.Load() {
		t.Error("the file was read when it was closed")
	}
}

// TestRepliesAreBounded: a web server that asks for values without end and reads no answers is not listened to any more.
func TestRepliesAreBounded(t *testing.T) {
	h := newHouse(t)
	c, handler := h.dialSlowly(gateway.FastCGI)
	ask := record(9, 0, []byte("\x0e\x00FCGI_MAX_CONNS"), 0)
	for range 20 {
		c.Feed(bytes.Repeat(ask, 1000))
	}
	if unsent := handler.(interface{ Unsent() int }).Unsent(); unsent > 2*loop.HighWater {
		t.Errorf("%d octets wait", unsent)
	}
	if !h.until(func() bool {
		c.room = 1 << 20
		c.Drain()
		return strings.Count(c.out.String(), "FCGI_MAX_CONNS") == 20_000
	}) {
		t.Errorf("of 20000 answers %d came", strings.Count(c.out.String(), "FCGI_MAX_CONNS"))
	}
	c.Reset()
}
