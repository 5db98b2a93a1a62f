package ws

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
)

// heard is what a connection made of its input.
type heard struct {
	messages []string
	output   []byte
	end      string // what Close was told
}

// still is a loop that does not run: who feeds its connections drives it.
var still = sync.OnceValue(func() *loop.Loop {
	reactor, err := loop.New(loop.Options{Loops: 1})
	if err != nil {
		panic(err)
	}
	return reactor.Loops()[0]
})

// hear feeds a fresh connection with pieces, of which nothing is left to read then.
func hear(t *testing.T, deflate bool, pieces ...[]byte) (h heard) {
	l := still()
	host := exchange.NewHost(&exchange.Config{Log: slog.New(slog.DiscardHandler), MaxBlocking: 10}, l)
	u := &websocket.Upgrader{MaxMessage: 2000, MaxFrame: 1500, MaxFragments: 5, MaxUnsent: 1 << 20}
	c := &starter{accepted: &websocket.Accepted{Upgrader: u, Deflate: deflate, Handler: websocket.Funcs{
		OnMessage: func(c websocket.Conn, kind websocket.Kind, data []byte) {
			h.messages = append(h.messages, fmt.Sprint(kind, " ", string(data)))
			_, _ = c.Send(kind, data)
		},
		OnClose: func(_ websocket.Conn, code websocket.Code, reason string) { h.end += fmt.Sprint(code, " ", reason) },
	}}, host: host}
	m := l.Connect(c, loop.NewMemoryListener("127.0.0.1", 80), func(p []byte) int {
		h.output = append(h.output, p...)
		return len(p)
	})
	for _, p := range pieces {
		m.Feed(p)
		l.RunPosted()
	}
	m.EOF()
	l.RunPosted()
	m.Reset()
	l.RunPosted()
	return h
}

// starter is the handler that a connection has before it becomes a WebSocket.
type starter struct {
	loop.Conn
	host     *exchange.Host
	accepted *websocket.Accepted
}

func (s *starter) Opened() {
	next := New(s.host, &s.Conn, s.accepted)
	s.Handle(next)
	next.Opened()
}
func (s *starter) Data(in []byte) int { return len(in) }
func (s *starter) EOF()               {}
func (s *starter) Drained()           {}
func (s *starter) Timeout()           {}
func (s *starter) Shutdown()          {}
func (s *starter) Closed(loop.Reason) {}

// FuzzFrames: whatever comes, in whatever pieces, the messages, the answer and the end are the same; what goes out are frames of a server,
// and nothing follows a close.
func FuzzFrames(f *testing.F) {
	add := func(list ...ws.Frame) {
		var b []byte
		for _, one := range list {
			b = append(b, ws.MustCompileFrame(ws.MaskFrameInPlaceWith(one, [4]byte{1, 2, 3, 4}))...)
		}
		f.Add(b, 3, false)
		f.Add(b, 1, true)
	}
	add(ws.NewTextFrame([]byte("Hello")))
	add(ws.NewFrame(ws.OpText, false, []byte("\xe2\x82")), ws.NewPingFrame([]byte("x")), ws.NewFrame(ws.OpContinuation, true, []byte("\xac")))
	add(ws.NewBinaryFrame(make([]byte, 300)), ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye")))
	add(ws.NewFrame(ws.OpText, false, nil), ws.NewFrame(ws.OpContinuation, false, nil), ws.NewTextFrame(nil))
	add(ws.NewTextFrame([]byte("\xff")))
	compressed := ws.NewTextFrame([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
	compressed.Header.Rsv = ws.Rsv(true, false, false)
	add(compressed, ws.NewTextFrame([]byte("x")))
	f.Fuzz(func(t *testing.T, in []byte, size int, deflate bool) {
		size = max(size&0xff, 1)
		if len(in) > 1<<16 {
			return
		}
		whole := hear(t, deflate, slices.Clone(in))
		var pieces [][]byte
		for p := range slices.Chunk(in, size) {
			pieces = append(pieces, slices.Clone(p))
		}
		parts := hear(t, deflate, pieces...)
		if !slices.Equal(whole.messages, parts.messages) || !bytes.Equal(whole.output, parts.output) || whole.end != parts.end {
			t.Fatalf("whole %+v\nin pieces %+v", whole, parts)
		}
		out := bytes.NewReader(whole.output)
		closed := false
		for out.Len() > 0 {
			frame, err := ws.ReadFrame(out)
			if err != nil {
				t.Fatalf("what goes out is no frame: %v", err)
			}
			if frame.Header.Masked || !frame.Header.Fin || closed {
				t.Fatalf("%+v, behind a close: %v", frame.Header, closed)
			}
			closed = frame.Header.OpCode == ws.OpClose
		}
		if whole.end == "" {
			t.Fatal("Close was not called")
		}
	})
}

// FuzzHeader: a header is what gobwas/ws reads, and one that is not whole is not read.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"", "\x81", "\x81\x05", "\x81\x85\x01\x02\x03\x04", "\x82\x7e\x00\x80", "\x82\xfe\x00\x80\x01\x02\x03\x04", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n := parseHeader(in)
		r := bytes.NewReader(in)
		want, err := ws.ReadHeader(r)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			if n != 0 {
				t.Fatalf("%d octets of %x are a header, gobwas/ws wants more", n, in)
			}
		case err != nil: // a length with its highest bit set
			if h.Length >= 0 && n != 0 {
				t.Fatalf("%+v, gobwas/ws says %v", h, err)
			}
		case h != want || n != len(in)-r.Len():
			t.Fatalf("%d octets, %+v, gobwas/ws has %d, %+v", n, h, len(in)-r.Len(), want)
		}
	})
}

// FuzzText: a text that is checked in pieces is valid when the whole is, and what is refused early cannot become valid.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "Hello", "\u20ac\U0001F44B", "\xe2\x82", "\xf4\x90", "a\xff", "\xed\xa0\x80"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = max(size&7, 1)
		checked, ok, at := 0, true, 0
		for ok && at < len(in) {
			at = min(at+size, len(in))
			checked, ok = checkText(in[:at], checked, at == len(in))
		}
		if valid := strings.ToValidUTF8(string(in), "") == string(in); ok != valid {
			t.Fatalf("%x is valid: %v, checked: %v", in, valid, ok)
		}
	})
}
