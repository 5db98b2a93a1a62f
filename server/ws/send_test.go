package ws_test

import (
	"bufio"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/server"
)

// TestSend: any goroutine may send, messages of one keep their order, and a client that reads slowly gets them all.
func TestSend(t *testing.T) {
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{MaxUnsent: 100 << 20}))
	_, in := s.open(t, "")
	c := r.conn(t)
	prepared, err := websocket.Prepare(websocket.Binary, slices.Repeat([]byte("p"), 100_000))
	if err != nil {
		t.Fatal(err)
	}
	const senders, messages = 4, 200
	for i := range senders {
		go func() {
			for n := range messages {
				if _, err := c.Send(websocket.Text, fmt.Appendf(nil, "%d %d", i, n)); err != nil {
					t.Error(err)
				}
				if n%20 == 0 {
					if _, err := c.SendPrepared(prepared); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	next := [senders]int{}
	for range senders * (messages + messages/20) {
		f, err := ws.ReadFrame(in)
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode == ws.OpBinary {
			if len(f.Payload) != 100_000 || strings.Trim(string(f.Payload), "p") != "" {
				t.Fatal("the prepared message is another one")
			}
			continue
		}
		var i, n int
		if _, err := fmt.Sscan(string(f.Payload), &i, &n); err != nil || n != next[i] {
			t.Fatalf("%q: %v", f.Payload, err)
		}
		next[i]++
	}
	for _, wrong := range []struct {
		kind websocket.Kind
		data string
	}{{websocket.Text, "\xff"}, {0, ""}, {9, "ping"}} {
		if _, err := c.Send(wrong.kind, []byte(wrong.data)); !errors.Is(err, websocket.ErrMessage) {
			t.Errorf("%v: %v", wrong, err)
		}
		if _, err := websocket.Prepare(wrong.kind, []byte(wrong.data)); !errors.Is(err, websocket.ErrMessage) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	for code, reason := range map[websocket.Code]string{0: "", 999: "", 1005: "", 1006: "", 1015: "", 5000: "", 1000: strings.Repeat("x", 124), 1001: "\xff"} {
		if err := c.Close(code, reason); !errors.Is(err, websocket.ErrMessage) {
			t.Errorf("Close(%v, %q): %v", code, reason, err)
		}
	}
}

// drains has something when the client of c has caught up.
func drains(c websocket.Conn) <-chan struct{} {
	drained := make(chan struct{}, 1)
	c.Watch(&watcher{drained: func() {
		select {
		case drained <- struct{}{}:
		default:
		}
	}})
	return drained
}

// TestSlowClient: what waits for a client is bounded, the sender is told, and again when there is room.
func TestSlowClient(t *testing.T) {
	const limit = 1 << 20
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{MaxUnsent: limit}))
	_, in := s.open(t, "")
	c := r.conn(t)
	drained := drains(c)
	data := make([]byte, 10_000)
	sent := 0
	for {
		unsent, err := c.Send(websocket.Binary, data)
		if errors.Is(err, websocket.ErrFull) {
			break
		}
		if err != nil || unsent > limit {
			t.Fatal(unsent, err)
		}
		if sent++; sent > 100_000 { // a gigabyte
			t.Fatal("the client takes it all, unread")
		}
	}
	for range sent {
		if f, err := ws.ReadFrame(in); err != nil || len(f.Payload) != len(data) {
			t.Fatal(f.Header, err)
		}
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("Drained was not called")
	}
	if _, err := c.Send(websocket.Text, []byte("again")); err != nil {
		t.Error(err)
	}
	expect(t, in, `s text "again"`)
}

// TestFull: a sender that waits for Drained whenever there was no room for a message sends them all.
func TestFull(t *testing.T) {
	for _, c := range []struct {
		name           string
		limit, size, n int
	}{
		{"a small bound", 32 << 10, 10_000, 3000},
		{"messages beyond the bound", 1 << 20, 6 << 20, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder()
			s := serve(t, r.application(websocket.Upgrader{MaxUnsent: c.limit}))
			_, in := s.open(t, "")
			conn := r.conn(t)
			drained := drains(conn)
			var sent atomic.Int64
			stuck := make(chan struct{})
			go func() {
				data := make([]byte, c.size)
				for int(sent.Load()) < c.n {
					_, err := conn.Send(websocket.Binary, data)
					switch {
					case err == nil:
						sent.Add(1)
					case errors.Is(err, websocket.ErrFull):
						select {
						case <-drained:
						case <-time.After(patience):
							close(stuck)
							return
						}
					default:
						t.Error(err)
						return
					}
				}
			}()
			for before := int64(-1); before < sent.Load(); time.Sleep(50 * time.Millisecond) { // the client takes nothing until there is no room
				before = sent.Load()
			}
			received := make(chan error)
			go func() {
				var err error
				for i := 0; i < c.n && err == nil; i++ {
					_, err = ws.ReadFrame(in)
				}
				received <- err
			}()
			select {
			case err := <-received:
				if err != nil {
					t.Error(err)
				}
			case <-stuck:
				t.Errorf("Drained was not called: %d of %d messages are sent", sent.Load(), c.n)
			}
		})
	}
}

// TestPreparedIsShared: slow clients do not have a copy each of a large message that they share.
func TestPreparedIsShared(t *testing.T) {
	const n, size = 40, 8 << 20
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{}))
	var ins []*bufio.Reader
	var conns []websocket.Conn
	for range n {
		_, in := s.open(t, "")
		ins, conns = append(ins, in), append(conns, r.conn(t))
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	prepared, err := websocket.Prepare(websocket.Binary, make([]byte, size))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		if _, err := c.SendPrepared(prepared); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range ins {
		if _, err := in.Peek(1); err != nil { // it has been written as far as there is room
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > size+n*(512<<10) {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	for _, in := range ins {
		if f, err := ws.ReadFrame(in); err != nil || len(f.Payload) != size {
			t.Fatal(f.Header, err)
		}
	}
}

// TestStalled: a client that takes nothing is cut off, one that sends without reading is not read.
func TestStalled(t *testing.T) {
	r := newRecorder()
	var got atomic.Int64
	r.OnMessage = func(c websocket.Conn, kind websocket.Kind, data []byte) {
		got.Add(int64(len(data)))
		_, _ = c.Send(kind, data)
	}
	s := serve(t, r.application(websocket.Upgrader{}), func(c *server.Config) { c.WriteTimeout = 500 * time.Millisecond })
	c, _ := s.open(t, "")
	frame := octets(t, "c binary x*60000")
	var written int64
	for {
		n, err := c.Write(frame)
		written += int64(n)
		if err != nil {
			break
		}
		if written > 1<<30 {
			t.Fatal("the server reads a gigabyte that nobody takes back")
		}
	}
	r.end(t, "1006 ")
}
