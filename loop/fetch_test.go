//go:build linux

package loop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// diskFile is a file whose disk answers when the test says so.
type diskFile struct {
	*os.File
	reads chan chan struct{}
}

func (f *diskFile) ReadAt(p []byte, offset int64) (int, error) {
	answer := make(chan struct{})
	f.reads <- answer
	<-answer
	return f.File.ReadAt(p, offset)
}

// slowDisk has each part of each file be cold once.
func slowDisk(t *testing.T) (looks *atomic.Int64) {
	t.Helper()
	looks = new(atomic.Int64)
	isCold = func(File, int64, int64) bool { looks.Add(1); return true }
	t.Cleanup(func() { isCold = cold })
	return looks
}

// TestColdFile: while a disk is waited for, the loop serves others, and does not ask again and again; then the file goes on. Reading is paused, or not.
func TestColdFile(t *testing.T) {
	for _, held := range []bool{false, true} {
		t.Run(fmt.Sprint("held ", held), func(t *testing.T) {
			looks := slowDisk(t)
			defer func(n int64) { fileBudget = n }(fileBudget)
			fileBudget = 100_000
			const size = 250_000
			plain, _ := makeFile(t, size)
			file := &diskFile{plain, make(chan chan struct{})}
			reactor := newReactor(t, 1)
			server := serve(t, reactor, "127.0.0.1:0", ListenOptions{}, hooks{
				data: func(p *peer, in []byte) int {
					if string(in) == "ping" {
						p.Write([]byte("pong"))
						return len(in)
					}
					if held {
						p.Hold()
					}
					p.Write([]byte("head,"))
					p.SendFile(file, 0, size)
					return len(in)
				},
				drained: func(p *peer) { p.Finish(ReasonDone, true) },
			})
			c, other := dial(t, server), dial(t, server)
			send(t, c, []byte("file"))
			expect(t, c, "head,")
			type outcome struct {
				content []byte
				err     error
			}
			end := make(chan outcome, 1)
			go func() {
				content, err := io.ReadAll(c)
				end <- outcome{content, err}
			}()
			for part := int64(1); part <= 3; part++ { // of 100,000 octets at most, which is one read
				answer := receive(t, file.reads, "a read of the disk")
				for range 20 {
					send(t, other, []byte("ping"))
					expect(t, other, "pong")
				}
				if n := looks.Load(); n != part {
					t.Errorf("it was looked %d times whether a part is there, want %d", n, part)
				}
				close(answer)
			}
			got := receive(t, end, "the file")
			want := make([]byte, size)
			if _, err := plain.ReadAt(want, 0); err != nil {
				t.Fatal(err)
			}
			if got.err != nil || !bytes.Equal(got.content, want) {
				t.Errorf("%d octets, or others, and %v", len(got.content), got.err)
			}
			reactor.Stop() // before fileBudget is put back
		})
	}
}

// TestColdFileGone: a client that leaves while a disk is waited for, and one whose response is given up.
func TestColdFileGone(t *testing.T) {
	for _, end := range []string{"client", "drop"} {
		t.Run(end, func(t *testing.T) {
			slowDisk(t)
			plain, _ := makeFile(t, 1000)
			file := &diskFile{plain, make(chan chan struct{})}
			peers, gone := make(chan *peer, 1), make(chan Reason, 1)
			server := serveOne(t, hooks{
				data: func(p *peer, in []byte) int {
					p.SendFile(file, 0, 1000)
					peers <- p
					return len(in)
				},
				closed: func(_ *peer, reason Reason) { gone <- reason },
			})
			c := dial(t, server)
			send(t, c, []byte("file"))
			p := receive(t, peers, "the connection")
			answer := receive(t, file.reads, "a read of the disk")
			if end == "client" {
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
			} else {
				on(t, p.Loop(), func() { p.DropFile(); p.Finish(ReasonDone, false) })
			}
			receive(t, gone, "the end of the connection")
			close(answer)
			rounds(t, p.Loop())
			rounds(t, p.Loop())
		})
	}
}

// TestWarmFile: what was just written is in memory, or the file system cannot say.
func TestWarmFile(t *testing.T) {
	file, _ := makeFile(t, 1<<20)
	if cold(file, 0, 1<<20) || cold(file, 1<<20, 10) {
		t.Error("cold")
	}
}
