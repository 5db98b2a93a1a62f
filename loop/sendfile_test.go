//go:build unix

package loop

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// makeFile returns a file of size octets, and its hash.
func makeFile(t *testing.T, size int) (*os.File, []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	sum := sha256.New()
	block := octets(1<<20 - 1)
	for left := size; left > 0; left -= len(block) {
		block = block[:min(len(block), left)]
		block[0]++
		sum.Write(block)
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	return f, sum.Sum(nil)
}

func TestSendFile(t *testing.T) {
	tests := []struct {
		name      string
		size      int
		budget    int64
		halfClose bool // the client shuts down its write side first
		atOnce    bool // Finish follows SendFile, else Drained
	}{
		{"large", large, 1 << 20, false, false},
		{"large, finished at once", large, 1 << 20, false, true},
		{"large, half-closed", large, 1 << 20, true, false},
		// A budget that is smaller than the kernel's buffer is spent while there is room: nothing but the loop itself
		// knows that the connection has to go on.
		{"budget", 1 << 20, 10_000, false, false},
		{"budget, finished at once", 1 << 20, 10_000, false, true},
		{"budget, half-closed", 1 << 20, 10_000, true, false},
		{"budget, half-closed, finished at once", 1 << 20, 10_000, true, true},
		{"one octet", 1, 1 << 20, false, false},
		{"one octet, half-closed", 1, 1 << 20, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func(n int64) { fileBudget = n }(fileBudget)
			fileBudget = tt.budget
			file, sum := makeFile(t, tt.size)
			begin := func(p *peer) {
				p.Write([]byte("head,"))
				p.SendFile(file, 0, int64(tt.size))
				if tt.atOnce {
					p.Finish(ReasonDone, true)
				} else if p.Room() {
					t.Error("there is room before the file has left")
				}
			}
			reactor := newReactor(t, 1)
			server := serve(t, reactor, "127.0.0.1:0", ListenOptions{}, hooks{
				data: func(p *peer, in []byte) int {
					if !tt.halfClose {
						begin(p)
					}
					return len(in)
				},
				eof: func(p *peer) {
					if tt.halfClose {
						begin(p)
					}
				},
				drained: func(p *peer) { p.Finish(ReasonDone, true) },
			})
			c := dial(t, server)
			_ = c.SetReadBuffer(64 << 10)
			send(t, c, []byte("go"))
			if tt.halfClose {
				_ = c.CloseWrite()
			}
			expect(t, c, "head,")
			if got, n := slowly(t, c); n != int64(tt.size) || !bytes.Equal(got, sum) {
				t.Errorf("%d octets arrived of %d, or different ones", n, tt.size)
			}
			reactor.Stop() // before fileBudget is put back
		})
	}
}

// While reading is paused, the poller is asked about output edge-triggered, and has said already that there is room.
func TestSendFileWhilePaused(t *testing.T) {
	file, _ := makeFile(t, 10)
	peers := make(chan *peer, 1)
	server := serveOne(t, hooks{
		data:    func(p *peer, in []byte) int { p.Hold(); peers <- p; return 0 },
		drained: func(p *peer) { p.Finish(ReasonDone, false) },
	})
	c := dial(t, server)
	send(t, c, make([]byte, 2*holdSize))
	p := receive(t, peers, "input")
	on(t, p.Loop(), func() {
		if !p.paused() {
			t.Error("not paused")
		}
	})
	rounds(t, p.Loop())
	on(t, p.Loop(), func() { p.SendFile(file, 0, 10) })
	if n, err := io.ReadFull(c, make([]byte, 10)); n != 10 {
		t.Errorf("%d octets, %v", n, err)
	}
}

// What is written when Drained says so comes behind the file, however little of the file was left.
func TestWriteBehindFile(t *testing.T) {
	file, sum := makeFile(t, 100_000)
	l := still(t)
	var received bytes.Buffer
	room := 0
	p := &peer{do: hooks{drained: func(p *peer) { p.Write([]byte("tail")) }}}
	m := l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
		n := min(room, len(b))
		room -= n
		received.Write(b[:n])
		return n
	})
	p.SendFile(file, 0, 100_000)
	for range 200 {
		room = 1000
		m.Drain()
	}
	got := received.Bytes()
	if len(got) != 100_004 || !bytes.HasSuffix(got, []byte("tail")) {
		t.Fatalf("%d octets, and they end with %q", len(got), got[max(0, len(got)-4):])
	}
	if h := sha256.Sum256(got[:100_000]); !bytes.Equal(h[:], sum) {
		t.Error("the file has changed on its way")
	}
}

func TestSendFileEdges(t *testing.T) {
	file, _ := makeFile(t, 100)
	t.Run("nothing", func(t *testing.T) {
		l := still(t)
		p := &peer{}
		l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int { return len(b) })
		p.SendFile(file, 50, 0)
		if !p.Room() || p.Unsent() != 0 {
			t.Error("a file of no octets is waited for")
		}
	})
	for _, finished := range []bool{false, true} {
		t.Run(fmt.Sprintf("ends early, finished %t", finished), func(t *testing.T) {
			reasons := make(chan Reason, 1)
			server := serveOne(t, hooks{
				data: func(p *peer, in []byte) int {
					p.SendFile(file, 0, 200)
					if finished {
						p.Finish(ReasonDone, false)
					}
					return len(in)
				},
				drained: func(p *peer) {
					if !p.FileShort() || !p.Room() || p.Unsent() != 0 {
						t.Errorf("short %t, room %t, %d unsent", p.FileShort(), p.Room(), p.Unsent())
					}
					p.SendFile(file, 0, 10)
					if p.FileShort() {
						t.Error("the next file is short as well")
					}
					p.Finish(ReasonAborted, false)
				},
				closed: func(_ *peer, r Reason) { reasons <- r },
			})
			c := dial(t, server)
			send(t, c, []byte("go"))
			want, reason := 110, ReasonAborted
			if finished {
				want, reason = 100, ReasonDone // that is why it was being closed
			}
			if got, err := io.ReadAll(c); len(got) != want {
				t.Errorf("%d octets, %v", len(got), err)
			}
			if r := receive(t, reasons, "end"); r != reason {
				t.Errorf("closed because: %v", r)
			}
		})
	}
	t.Run("dropped", func(t *testing.T) {
		l := still(t)
		p := &peer{}
		room := 0
		var received bytes.Buffer
		m := l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
			n := min(room, len(b))
			room -= n
			received.Write(b[:n])
			return n
		})
		p.Write(bytes.Repeat([]byte("x"), batchSize))
		p.SendFile(file, 0, 100)
		p.DropFile()
		p.Finish(ReasonAborted, false)
		room = 2 * batchSize
		m.Drain()
		if received.Len() != batchSize || !m.Closed() {
			t.Errorf("%d octets, closed %t", received.Len(), m.Closed())
		}
	})
	t.Run("dropped alone", func(t *testing.T) {
		l := still(t)
		p := &peer{}
		m := l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int { return 0 })
		p.SendFile(file, 0, 100)
		p.DropFile()
		p.DropFile()
		p.Finish(ReasonAborted, false)
		if p.Unsent() != 0 || !m.Closed() {
			t.Errorf("%d unsent, closed %t", p.Unsent(), m.Closed())
		}
	})
	t.Run("closed", func(t *testing.T) {
		l := still(t)
		p := &peer{}
		l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int { return len(b) })
		p.Abort(ReasonDone)
		p.SendFile(file, 0, 100)
		if p.Unsent() != 0 {
			t.Error("a closed connection keeps output")
		}
	})
}
