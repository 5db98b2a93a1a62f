package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// frames is a client that sends the frames it likes.
type frames struct {
	*http2.Framer
	net.Conn
	stream uint32
	block  []byte // a header block that asks for "/"
	fields *hpack.Decoder
}

// http2Frames opens a connection of s up to the first SETTINGS.
func (r *running) http2Frames(settings ...http2.Setting) *frames {
	r.t.Helper()
	c := r.dial()
	f := &frames{Framer: http2.NewFramer(c, c), Conn: c, stream: 1}
	f.block = headerBlock("/")
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		r.t.Fatal(err)
	}
	if err := f.WriteSettings(settings...); err != nil {
		r.t.Fatal(err)
	}
	return f
}

// headerBlock is the head of a GET.
func headerBlock(path string, more ...hpack.HeaderField) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, field := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path}, {Name: ":authority", Value: "a.example"},
	}, more...) {
		_ = e.WriteField(field)
	}
	return b.Bytes()
}

// headers begins a stream.
func (f *frames) headers(block []byte, endStream, endHeaders bool) error {
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: block, EndStream: endStream, EndHeaders: endHeaders})
	f.stream += 2
	return err
}

// last reads frames up to the end of the connection, and returns the code of the last GOAWAY; none: 99.
func (f *frames) last() (code http2.ErrCode, err error) {
	code = 99
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return code, err
		}
		if g, ok := frame.(*http2.GoAwayFrame); ok {
			code = g.ErrCode
		}
	}
}

// heapInUse is how many octets of memory are in use.
func heapInUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestHTTP2Floods: a client that sends without end what costs it nothing is sent away, holds no more memory and calls no more
// applications than may be, and nobody else notices.
func TestHTTP2Floods(t *testing.T) {
	var padding [200]byte
	goroutines, before := runtime.NumGoroutine(), heapInUse()
	t.Run("floods", func(t *testing.T) {
		for _, test := range []struct {
			name  string
			reads bool // what it is sent
			begin func(f *frames) error
			frame func(f *frames) error
		}{
			{"rapid reset", true, nil, func(f *frames) error {
				if err := f.headers(f.block, true, true); err != nil {
					return err
				}
				return f.WriteRSTStream(f.stream-2, http2.ErrCodeCancel)
			}},
			{"requests that are reset by a fault", true, nil, func(f *frames) error {
				if err := f.headers(f.block, true, true); err != nil {
					return err
				}
				return f.WriteRawFrame(http2.FrameWindowUpdate, 0, f.stream-2, []byte{0, 0, 0, 0})
			}},
			{"CONTINUATION", true, func(f *frames) error { return f.headers(f.block, true, false) }, func(f *frames) error {
				return f.WriteContinuation(1, false, bytes.Repeat([]byte{0x80 | 2}, 16<<10))
			}},
			{"CONTINUATION, empty", true, func(f *frames) error { return f.headers(f.block, true, false) }, func(f *frames) error {
				return f.WriteContinuation(1, false, nil)
			}},
			{"SETTINGS", true, nil, func(f *frames) error {
				return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: f.stream})
			}},
			{"SETTINGS, acknowledgements not read", false, nil, func(f *frames) error { return f.WriteSettings() }},
			{"SETTINGS beside many streams", true, func(f *frames) error {
				for range 200 {
					if err := f.headers(f.block, false, true); err != nil {
						return err
					}
				}
				return nil
			}, func(f *frames) error {
				f.stream++
				return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: f.stream & 0xffff})
			}},
			{"PING", true, nil, func(f *frames) error { return f.WritePing(false, [8]byte{1}) }},
			{"PING, answers not read", false, nil, func(f *frames) error { return f.WritePing(false, [8]byte{1}) }},
			{"PING, answers to none", true, nil, func(f *frames) error { return f.WritePing(true, [8]byte{1}) }},
			{"empty DATA", true, func(f *frames) error { return f.headers(f.block, false, true) }, func(f *frames) error {
				return f.WriteData(1, false, nil)
			}},
			{"DATA of padding", true, func(f *frames) error { return f.headers(f.block, false, true) }, func(f *frames) error {
				return f.WriteDataPadded(1, false, nil, padding[:1])
			}},
			{"WINDOW_UPDATE", true, nil, func(f *frames) error { return f.WriteWindowUpdate(0, 1) }},
			{"PRIORITY", true, nil, func(f *frames) error {
				f.stream += 2
				return f.WritePriority(f.stream, http2.PriorityParam{Weight: 1})
			}},
			{"frames that nobody knows", true, nil, func(f *frames) error { return f.WriteRawFrame(0xbe, 0, 0, nil) }},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				var calls, most atomic.Int64
				release := make(chan struct{})
				s, client := serveHTTP2(t, server.Config{ContentTimeout: -1, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
					if environ.Get("HTTP_HOST") != "a.example" {
						return plain("healthy")(environ, start)
					}
					n := calls.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					<-release
					calls.Add(-1)
					return plain("late")(environ, start)
				}})
				healthy := func() {
					if _, body := s.fetch(client, "GET", "/", ""); body != "healthy" {
						t.Errorf("a healthy client got %q", body)
					}
				}
				healthy()
				f := s.http2Frames()
				gone := make(chan struct{})
				if test.reads {
					go func() {
						defer close(gone)
						code, err := f.last()
						t.Logf("GOAWAY with %v, then %v", code, err)
					}()
				} else {
					close(gone)
				}
				var err error
				if test.begin != nil {
					err = test.begin(f)
				}
				const flood = 1_000_000
				sent := 0
				_ = f.SetWriteDeadline(time.Now().Add(patience))
				for ; err == nil && sent < flood; sent++ {
					if err = test.frame(f); sent%5000 == 0 {
						healthy()
					}
				}
				var late net.Error
				if err == nil || errors.As(err, &late) && late.Timeout() {
					t.Errorf("%d frames were taken, %v", sent, err)
				}
				<-gone
				healthy()
				if grown := heapInUse() - before; grown > 32<<20 { // by all that are at it
					t.Errorf("%d MiB of memory are held", grown>>20)
				}
				if n := most.Load(); n > 250 {
					t.Errorf("%d applications ran at a time", n)
				}
				t.Logf("gone after %d frames, %d calls at a time", sent, most.Load())
				close(release)
				until(t, "all calls to end", func() bool { return calls.Load() == 0 })
			})
		}
	})
	noGoroutinesLeft(t, goroutines)
}

// TestHTTP2HeadBomb: a head that is long only when it is unpacked is not unpacked.
func TestHTTP2HeadBomb(t *testing.T) {
	var called atomic.Int64
	s, _ := serveHTTP2(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		called.Add(1)
		return plain("served")(environ, start)
	}})
	bomb := headerBlock("/", hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 3900)})
	bomb = append(bomb, bytes.Repeat([]byte{0x80 | 62}, 8<<10)...) // the same field again, from the table: 32 MiB
	f := s.http2Frames()
	before := heapInUse()
	go func() {
		for range 200 {
			if f.headers(bomb, true, true) != nil {
				return
			}
		}
	}()
	for range 200 {
		if got := firstVerdict(f); got != "431" {
			t.Fatalf("got %s", got)
		}
	}
	if grown := heapInUse() - before; grown > 16<<20 || called.Load() > 0 {
		t.Errorf("%d MiB of memory are held, %d calls", grown>>20, called.Load())
	}
}

// TestHTTP2Patience: a client that begins what it does not end is sent away in time.
func TestHTTP2Patience(t *testing.T) {
	const soon = 50 * time.Millisecond
	for _, test := range []struct {
		name   string
		config func(c *server.Config)
		begin  func(f *frames) error
		after  func(f *frames) error // again and again, until the end
		want   string                // what the client sees
	}{
		{"no request", func(c *server.Config) { c.IdleTimeout = soon }, nil, nil, "goaway NO_ERROR"},
		{"PINGs alone", func(c *server.Config) { c.IdleTimeout = soon }, nil,
			func(f *frames) error { return f.WritePing(false, [8]byte{}) }, "goaway NO_ERROR"},
		{"half a frame", func(c *server.Config) { c.HeadTimeout = soon },
			func(f *frames) error { _, err := f.Write([]byte{0, 0, 10}); return err }, nil, "goaway ENHANCE_YOUR_CALM"},
		{"half a head", func(c *server.Config) { c.HeadTimeout = soon },
			func(f *frames) error { return f.headers(f.block[:3], true, false) }, nil, "goaway ENHANCE_YOUR_CALM"},
		{"a head drop by drop", func(c *server.Config) { c.HeadTimeout = soon },
			func(f *frames) error { return f.headers(f.block[:3], true, false) },
			func(f *frames) error { return f.WriteContinuation(1, false, nil) }, "goaway ENHANCE_YOUR_CALM"},
		{"no content", func(c *server.Config) { c.ContentTimeout = soon },
			func(f *frames) error { return f.headers(f.block, false, true) }, nil, "408"},
		{"no content, although much is announced", func(c *server.Config) { c.ContentTimeout, c.ContentBuffer = soon, 1 },
			func(f *frames) error {
				return f.headers(headerBlock("/", hpack.HeaderField{Name: "content-length", Value: "100000"}), false, true)
			}, nil, "408"},
		{"content drop by drop", func(c *server.Config) { c.ContentRate, c.ContentGrace = 1_000_000, soon },
			func(f *frames) error { return f.headers(f.block, false, true) },
			func(f *frames) error { return f.WriteData(1, false, []byte("x")) }, "408"},
		{"an answer that is not read", func(c *server.Config) { c.WriteTimeout = soon },
			func(f *frames) error { return f.headers(headerBlock("/large"), true, true) }, nil, "rst INTERNAL_ERROR"},
		{"a short answer that is not read", func(c *server.Config) { c.WriteTimeout = soon },
			func(f *frames) error {
				if err := f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
					return err
				}
				return f.headers(f.block, true, true)
			}, nil, "rst INTERNAL_ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
				if _, err := io.Copy(io.Discard, environ.Input()); err != nil {
					panic(err)
				}
				if string(environ.Path()) == "/large" {
					return plain(strings.Repeat("large", 1<<20))(environ, start)
				}
				return plain("served")(environ, start)
			}}
			test.config(&config)
			s, _ := serveHTTP2(t, config)
			f := s.http2Frames()
			if test.begin != nil {
				if err := test.begin(f); err != nil {
					t.Fatal(err)
				}
			}
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for test.after != nil && test.after(f) == nil {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
			}()
			got := firstVerdict(f)
			close(stop)
			<-stopped
			if calm := "goaway " + http2.ErrCodeEnhanceYourCalm.String(); got != test.want && !(test.want == calm && got == "EOF") {
				t.Errorf("got %s, want %s", got, test.want) // from Go 1.27 on x/net does not take the error for one of its own
			}
		})
	}
}

// firstVerdict is what a client is told of its first stream, or of its connection.
func firstVerdict(f *frames) string {
	if f.fields == nil {
		f.fields = hpack.NewDecoder(4096, nil)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			return "goaway " + frame.ErrCode.String()
		case *http2.RSTStreamFrame:
			return "rst " + frame.ErrCode.String()
		case *http2.HeadersFrame:
			fields, err := f.fields.DecodeFull(frame.HeaderBlockFragment())
			if err != nil {
				return err.Error()
			}
			if status := fields[0].Value; status != "200" {
				return status
			}
		}
	}
}

// TestHTTP2SlowReaders: answers that many streams of one connection do not take wait in the application, not in memory.
func TestHTTP2SlowReaders(t *testing.T) {
	var produced atomic.Int64
	s, client := serveHTTP2(t, server.Config{Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/healthy" {
			return plain("healthy")(environ, start)
		}
		start("200 OK", nil)
		return app.Seq(func(yield func([]byte) bool) {
			for range 1 << 10 {
				produced.Add(64 << 10)
				if !yield(make([]byte, 64<<10)) {
					return
				}
			}
		})
	}})
	before := heapInUse()
	f := s.http2Frames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for range 200 {
		if err := f.headers(f.block, true, true); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the answers to begin", func() bool { return produced.Load() >= 200*64<<10 })
	for range 20 {
		if _, body := s.fetch(client, "GET", "/healthy", ""); body != "healthy" {
			t.Fatalf("a healthy client got %q", body)
		}
	}
	if n := produced.Load(); n > 200*64<<10 {
		t.Errorf("%d MiB were produced for nobody", n>>20)
	}
	if grown := heapInUse() - before; grown > 64<<20 {
		t.Errorf("%d MiB of memory are held", grown>>20)
	}
	_ = f.Close()
}

// TestHTTP2Vanishing: whatever a client was at when it goes, nothing of it is left.
func TestHTTP2Vanishing(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	l := newLot()
	s := serve(t, server.Config{H2C: true, Application: l.application()})
	up := s.dial() // the loops run when it is answered, and its connection is closed at both ends when it has ended
	send(t, up, "GET /up HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if _, err := io.Copy(io.Discard, up); err != nil {
		t.Fatal(err)
	}
	_ = up.Close()
	descriptors := openDescriptors(t)
	for _, reset := range []bool{false, true} {
		for name, act := range map[string]func(f *frames) error{
			"nothing":      func(*frames) error { return nil },
			"half a frame": func(f *frames) error { _, err := f.Write([]byte{0, 0}); return err },
			"half a head":  func(f *frames) error { return f.headers(f.block[:2], true, false) },
			"no content":   func(f *frames) error { return f.headers(f.block, false, true) },
			"a request":    func(f *frames) error { return f.headers(f.block, true, true) },
			"one deferred": func(f *frames) error { return f.headers(headerBlock("/defer"), true, true) },
			"garbage": func(f *frames) error {
				_, err := f.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n", 100)))
				return err
			},
			"a preface cut": nil,
		} {
			c := s.dial()
			if act == nil {
				_, _ = io.WriteString(c, http2.ClientPreface[:20])
			} else {
				_ = c.Close()
				f := s.http2Frames()
				c = f.Conn
				if err := act(f); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if name == "one deferred" {
					d := l.take(t)
					defer func() { <-d.Done() }()
				}
			}
			if reset {
				_ = c.(*net.TCPConn).SetLinger(0)
			}
			_ = c.Close()
		}
	}
	until(t, "descriptors to be closed", func() bool { return openDescriptors(t) <= descriptors })
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, goroutines)
}

// TestHTTP2MaxPerAddress: connections count until they are closed, whatever they speak.
func TestHTTP2MaxPerAddress(t *testing.T) {
	s, client := serveHTTP2(t, server.Config{Application: plain("ok"), MaxPerAddress: 1})
	if _, body := s.fetch(client, "GET", "/", ""); body != "ok" {
		t.Fatalf("got %q", body)
	}
	if response, _ := ask(t, s.dial(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a second connection is answered with %d", response.StatusCode)
	}
	client.CloseIdleConnections()
	until(t, "room for another", func() bool {
		c := s.dial()
		defer c.Close()
		response, _ := ask(t, c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		return response.StatusCode == 200
	})
}

// TestHTTP2LateConnection: a connection whose preface comes when the server is ending already is told so.
func TestHTTP2LateConnection(t *testing.T) {
	for _, asks := range []bool{false, true} {
		s, _ := serveHTTP2(t, server.Config{Application: plain("late")})
		c := s.dial()
		send(t, c, http2.ClientPreface[:10])
		if response, _ := ask(t, s.dial(), get("/")); response.StatusCode != 200 { // the octets above were read before
			t.Fatal(response.StatusCode)
		}
		s.cancel()
		s.untilRefusing()
		send(t, c, http2.ClientPreface[10:])
		f := &frames{Framer: http2.NewFramer(c, c), Conn: c, stream: 1, block: headerBlock("/")}
		if err := f.WriteSettings(); err != nil {
			t.Fatal(err)
		}
		if asks {
			if err := f.headers(f.block, true, true); err != nil {
				t.Fatal(err)
			}
		}
		if code, err := f.last(); code != http2.ErrCodeNo || !errors.Is(err, io.EOF) {
			t.Errorf("GOAWAY with %v, then %v", code, err)
		}
		if err := s.wait(); err != nil {
			t.Error(err)
		}
	}
}
