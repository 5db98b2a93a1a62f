//go:build unix

package loop

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

const large = 64 << 20

// producer writes a large response in chunks, as long as there is room.
type producer struct {
	chunk   []byte
	left    int
	sum     hash.Hash
	highest atomic.Int64 // Unsent
}

func newProducer(size, chunk int) *producer {
	return &producer{chunk: octets(chunk), left: size, sum: sha256.New()}
}

func (w *producer) goOn(p *peer, linger bool) {
	for p.Room() && w.left > 0 {
		binary.BigEndian.PutUint64(w.chunk, uint64(w.left))
		chunk := w.chunk[:min(len(w.chunk), w.left)]
		w.sum.Write(chunk)
		w.left -= len(chunk)
		p.Write(chunk)
		w.highest.Store(max(w.highest.Load(), int64(p.Unsent())))
	}
	if w.left == 0 {
		p.Finish(ReasonDone, linger)
	}
}

// slowly reads all of c, with a rest now and then so that the server is ahead, and returns its hash.
func slowly(t *testing.T, c net.Conn) (sum []byte, n int64) {
	t.Helper()
	h := sha256.New()
	buf := make([]byte, 64<<10)
	for reads := 0; ; reads++ {
		if reads%50 == 0 {
			time.Sleep(500 * time.Microsecond)
		}
		m, err := c.Read(buf)
		h.Write(buf[:m])
		n += int64(m)
		if err == io.EOF {
			return h.Sum(nil), n
		}
		if err != nil {
			t.Fatalf("after %d octets: %v", n, err)
		}
	}
}

func TestLargeResponse(t *testing.T) {
	tests := []struct {
		name      string
		chunk     int
		network   string
		halfClose bool // the client shuts down its write side first
		linger    bool
	}{
		{"batched chunks", 5000, "tcp", false, true},
		{"large chunks", 40_000, "tcp", false, false},
		{"half-closed", 12_345, "tcp", true, true},
		{"half-closed, large chunks", 100_000, "tcp", true, false},
		{"unix", 12_345, "unix", false, true},
		{"unix, half-closed", 40_000, "unix", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newProducer(large, tt.chunk)
			reasons := make(chan Reason, 1)
			address := "127.0.0.1:0"
			if tt.network == "unix" {
				address = "unix:" + t.TempDir() + "/s"
			}
			server := serve(t, newReactor(t, 1), address, ListenOptions{}, hooks{
				data: func(p *peer, in []byte) int {
					if !tt.halfClose {
						w.goOn(p, tt.linger)
					}
					return len(in)
				},
				eof: func(p *peer) {
					if tt.halfClose {
						w.goOn(p, tt.linger)
					}
				},
				drained: func(p *peer) { w.goOn(p, tt.linger) },
				closed:  func(_ *peer, r Reason) { reasons <- r },
			})
			c := dial(t, server)
			_ = c.SetReadBuffer(64 << 10)
			send(t, c, []byte("go"))
			if tt.halfClose {
				_ = c.CloseWrite()
			}
			sum, n := slowly(t, c)
			_ = c.Close()
			if r := receive(t, reasons, "end"); r != ReasonDone {
				t.Errorf("closed: %v", r)
			}
			if n != large || !bytes.Equal(sum, w.sum.Sum(nil)) {
				t.Errorf("%d octets arrived of %d, or different ones", n, large)
			}
			if highest := int(w.highest.Load()); highest > HighWater+tt.chunk {
				t.Errorf("%d octets were kept, over %d and a chunk of %d", highest, HighWater, tt.chunk)
			}
		})
	}
}

// One Write of everything is kept whole, and leaves whole before the connection closes.
func TestOneLargeWrite(t *testing.T) {
	all := octets(8 << 20)
	server := serveOne(t, hooks{data: func(p *peer, in []byte) int {
		p.Write([]byte("head,"))
		p.Write(all)
		p.Write([]byte(",tail"))
		p.Finish(ReasonDone, true)
		return len(in)
	}})
	c := dial(t, server)
	send(t, c, []byte("go"))
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, append(append([]byte("head,"), all...), ",tail"...)) {
		t.Errorf("%d octets arrived, or different ones: %v", len(got), err)
	}
}

// What one event writes to several connections arrives at each in order, whatever way it was written.
func TestOutputOrder(t *testing.T) {
	l := still(t)
	var sinks [3]bytes.Buffer
	var peers [3]*peer
	for i := range peers {
		peers[i] = &peer{}
		l.Connect(peers[i], NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
			n, _ := sinks[i].Write(b)
			return n
		})
	}
	var want [3]bytes.Buffer
	for round := range 300 {
		i := round * 7 % 3
		p := octets([]int{1, 100, 5000, batchSize / 4, batchSize + 1}[round%5])
		if round%2 == 0 {
			peers[i].Write(p)
		} else {
			peers[i].SetBuffer(append(peers[i].Buffer(), p...))
		}
		want[i].Write(p)
	}
	l.settle()
	for i := range sinks {
		if !bytes.Equal(sinks[i].Bytes(), want[i].Bytes()) {
			t.Errorf("connection %d received something else", i)
		}
	}
}

// A batch leaves in one piece at the end of the event, and not before.
func TestBatch(t *testing.T) {
	l := still(t)
	var sent []string
	m := l.Connect(&peer{do: hooks{data: func(p *peer, in []byte) int {
		for i := range in {
			p.Write(in[i : i+1])
			if len(sent) > 0 {
				t.Error("sent before the end of the event")
			}
		}
		return len(in)
	}}}, NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
		sent = append(sent, string(b))
		return len(b)
	})
	m.Feed([]byte("abcdef"))
	if len(sent) != 1 || sent[0] != "abcdef" {
		t.Errorf("sent %q", sent)
	}
}

// Closed of a connection that failed may write to others: that leaves as well, without another event.
func TestOutputFromClosed(t *testing.T) {
	var other *peer
	opened := make(chan *peer, 2)
	server := serveOne(t, hooks{
		opened: func(p *peer) { opened <- p },
		closed: func(_ *peer, r Reason) {
			if r == ReasonReset {
				other.Write([]byte("it has gone"))
			}
		},
	})
	dial(t, server)
	p := receive(t, opened, "connection")
	c := dial(t, server)
	other = receive(t, opened, "connection")
	p.Loop().Post(func(any) { p.fail() }, nil) // as when sending fails
	expect(t, c, "it has gone")
}

// Sending fails inside Data: Closed comes when Data has returned.
func TestFailureWaits(t *testing.T) {
	inside := false
	ends := make(chan bool, 1)
	gone := make(chan struct{})
	server := serveOne(t, hooks{
		data: func(p *peer, in []byte) int {
			inside = true
			<-gone
			for range 3 {
				p.Write(make([]byte, batchSize))
			}
			if p.IsOpen() || p.Room() {
				t.Error("the failure does not show")
			}
			inside = false
			return len(in)
		},
		closed: func(_ *peer, r Reason) { ends <- inside },
	})
	c := dial(t, server)
	send(t, c, []byte("x"))
	reset(c)
	close(gone)
	if receive(t, ends, "end") {
		t.Error("Closed was called inside Data")
	}
}

func TestWaterMarks(t *testing.T) {
	l := still(t)
	room, drained := 0, 0
	p := &peer{do: hooks{drained: func(p *peer) {
		drained++
		if !p.Room() {
			t.Error("Drained, and no room")
		}
	}}}
	m := l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
		n := min(room, len(b))
		room -= n
		return n
	})
	steps := []struct {
		write, room int
		wantRoom    bool
		wantDrained int
	}{
		{HighWater, 0, true, 0}, // exactly at the mark
		{1, 0, false, 0},
		{0, 1, false, 0}, // below the high mark is not enough
		{0, HighWater - LowWater - 1, false, 0},
		{0, 1, true, 1},
		{HighWater - LowWater, 0, true, 1},
		{1, 0, false, 1},
		{0, 10 * HighWater, true, 2},
		{5, 100, true, 2}, // never full: not told
	}
	for i, s := range steps {
		room = s.room
		if s.write > 0 {
			p.Write(make([]byte, s.write))
			l.settle()
		} else {
			m.Drain()
		}
		if p.Room() != s.wantRoom || drained != s.wantDrained {
			t.Fatalf("step %d: room %v, drained %d times, unsent %d; want %v, %d", i, p.Room(), drained, p.Unsent(), s.wantRoom, s.wantDrained)
		}
	}
}

// A client that sends and takes nothing must not have the server keep more and more for it.
func TestOutputBoundsInput(t *testing.T) {
	var highest, received atomic.Int64
	server := serveOne(t, hooks{
		data: func(p *peer, in []byte) int { // an echo that does not look for room
			p.Write(in)
			received.Add(int64(len(in)))
			highest.Store(max(highest.Load(), int64(p.Unsent())))
			return len(in)
		},
		drained: func(*peer) {},
	})
	c := dial(t, server)
	const size = 32 << 20
	go func() { _, _ = c.Write(make([]byte, size)) }()
	eventually(t, "the server is full", func() bool { return highest.Load() > HighWater })
	if n, _ := io.ReadFull(c, make([]byte, size)); n != size {
		t.Errorf("%d octets came back", n)
	}
	if n := highest.Load(); n > HighWater+ReadSize {
		t.Errorf("%d octets were kept", n)
	}
}
