//go:build unix

package loop

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// fill writes to c until the kernel takes no more for a while, and returns how much it took.
func fill(t *testing.T, c net.Conn, p []byte) (n int) {
	t.Helper()
	for n < len(p) {
		_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		m, err := c.Write(p[n:])
		n += m
		if err != nil {
			return n
		}
	}
	t.Fatal("the client's sends never block")
	return n
}

// A handler that holds stops the client, and Release goes on with every octet in order.
func TestHold(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = "unix:" + t.TempDir() + "/s"
			}
			peers := make(chan *peer, 1)
			var received atomic.Int64
			sum := sha256.New()
			ends := make(chan struct{})
			server := serve(t, newReactor(t, 1), address, ListenOptions{}, hooks{
				opened: func(p *peer) { p.Hold(); peers <- p },
				data: func(p *peer, in []byte) int {
					if p.Held() {
						t.Error("Data while held")
					}
					n := max(len(in)-99, min(len(in), 1)) // the rest comes again
					sum.Write(in[:n])
					received.Add(int64(n))
					return n
				},
				eof: func(p *peer) { close(ends) },
			})
			c := dial(t, server)
			p := receive(t, peers, "connection")
			all := octets(16 << 20)
			n := fill(t, c, all)
			if received.Load() != 0 {
				t.Errorf("%d octets were delivered", received.Load())
			}
			on(t, p.Loop(), func() {
				if kept := p.Kept(); kept < holdSize || kept > 4*holdSize {
					t.Errorf("%d octets were read ahead", kept)
				}
				p.Release()
			})
			_ = c.SetWriteDeadline(time.Now().Add(patience))
			send(t, c, all[n:])
			// With nothing more coming, what Data leaves stays with the connection.
			eventually(t, "all was received", func() bool {
				on(t, p.Loop(), func() {
					if p.Kept() > 0 {
						p.Hold()
						p.Release()
					}
				})
				return received.Load() == int64(len(all))
			})
			_ = c.CloseWrite()
			receive(t, ends, "end of file")
			if want := sha256.Sum256(all); !bytes.Equal(sum.Sum(nil), want[:]) {
				t.Error("it arrived in another order")
			}
		})
	}
}

// What Data leaves comes again, with more behind it, wherever the reads are cut.
func TestLeftovers(t *testing.T) {
	message := octets(40_000)
	for _, cut := range []int{1, 2, 1000, 4095, 4096, 4097, 16_384, 30_000} {
		for _, takes := range []int{1, 7, 4096, 9999} { // how much is consumed at once
			t.Run(fmt.Sprintf("read %d, take %d", cut, takes), func(t *testing.T) {
				l := still(t)
				var got []byte
				m := l.Connect(&peer{do: hooks{data: func(p *peer, in []byte) int {
					if !bytes.HasPrefix(message[len(got):], in) {
						t.Fatalf("after %d octets came others", len(got))
					}
					n := len(in) / takes * takes
					if len(got)+len(in) == len(message) {
						n = len(in)
					}
					got = append(got, in[:n]...)
					return n
				}}}, NewMemoryListener("127.0.0.1", 80), func(b []byte) int { return len(b) })
				for p := message; len(p) > 0; p = p[min(cut, len(p)):] {
					m.Feed(p[:min(cut, len(p))])
				}
				if !bytes.Equal(got, message) {
					t.Errorf("%d octets of %d", len(got), len(message))
				}
				if m.c.in != nil {
					t.Error("a buffer is kept for nothing")
				}
			})
		}
	}
}

// A client that half-closes behind its input loses none of it, whatever the connection is at.
func TestHalfClose(t *testing.T) {
	for _, size := range []int{1, holdSize - 1, holdSize, holdSize + 1, ReadSize, 3*ReadSize + 1} {
		for _, held := range []bool{false, true} {
			for _, network := range []string{"tcp", "unix"} {
				t.Run(fmt.Sprintf("%s, %d octets, held %v", network, size, held), func(t *testing.T) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = "unix:" + t.TempDir() + "/s"
					}
					peers := make(chan *peer, 1)
					var got bytes.Buffer
					answer := func(p *peer) {
						if p.EndOfFile() && p.Kept() == 0 && !p.Held() && p.IsOpen() {
							p.Write(got.Bytes())
							p.Finish(ReasonDone, true)
						}
					}
					server := serve(t, newReactor(t, 1), address, ListenOptions{}, hooks{
						opened: func(p *peer) {
							if held {
								p.Hold()
							}
							peers <- p
						},
						data: func(p *peer, in []byte) int {
							got.Write(in)
							return len(in)
						},
						eof: answer,
					})
					c := dial(t, server)
					p := receive(t, peers, "connection")
					go func() {
						_, _ = c.Write(octets(size))
						_ = c.CloseWrite()
					}()
					if held {
						eventually(t, "the read-ahead is full", func() (full bool) {
							on(t, p.Loop(), func() { full = p.Kept() >= min(size, holdSize) })
							return full
						})
						rounds(t, p.Loop())
						on(t, p.Loop(), func() { p.Release() })
					}
					all, err := io.ReadAll(c)
					if err != nil || !bytes.Equal(all, octets(size)) {
						t.Errorf("%d octets of %d came back, %v", len(all), size, err)
					}
				})
			}
		}
	}
}

// A client that has sent everything and is gone, as only Unix sockets show at once, has its input read.
func TestInputOfGoneClient(t *testing.T) {
	var got atomic.Int64
	done := make(chan Reason, 1)
	address := "unix:" + t.TempDir() + "/s"
	const size = 100_000
	r := newReactor(t, 1)
	server := serve(t, r, address, ListenOptions{}, hooks{
		data:   func(p *peer, in []byte) int { got.Add(int64(len(in))); return len(in) },
		closed: func(_ *peer, reason Reason) { done <- reason },
	})
	blocked := make(chan struct{})
	r.Loops()[0].Post(func(any) { <-blocked }, nil) // all of it is there when the loop looks
	c := dial(t, server)
	send(t, c, octets(size))
	_ = c.Close()
	close(blocked)
	receive(t, done, "end")
	if got.Load() != size {
		t.Errorf("%d octets of %d", got.Load(), size)
	}
}
