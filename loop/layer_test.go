//go:build unix

package loop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// frames is a Layer of these tests. A record is its length, a number that counts records, and octets that are disguised. One that says
// "ping" is answered by the layer itself, one that is empty is the end.
type frames struct {
	received, sent uint16
	said           []byte
}

const frameHead = 4

var (
	ping = []byte("\x00ping")
	pong = []byte("\x00pong")
)

func appendFrame(dst []byte, number uint16, p []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p)))
	dst = binary.BigEndian.AppendUint16(dst, number)
	for _, c := range p {
		dst = append(dst, c^0x5a)
	}
	return dst
}

var errFrame = errors.New("the records are not in order")

func (f *frames) Open(dst, in []byte) (out []byte, used int, ended bool, err error) {
	for len(in)-used >= frameHead {
		n := int(binary.BigEndian.Uint16(in[used:]))
		if len(in)-used < frameHead+n {
			break
		}
		if binary.BigEndian.Uint16(in[used+2:]) != f.received {
			return dst, used, false, errFrame
		}
		f.received++
		start := len(dst)
		for _, c := range in[used+frameHead : used+frameHead+n] {
			dst = append(dst, c^0x5a)
		}
		used += frameHead + n
		switch {
		case n == 0:
			return dst, used, true, nil
		case bytes.Equal(dst[start:], ping):
			dst = dst[:start]
			f.said = f.frame(f.said, pong)
		}
	}
	return dst, used, false, nil
}

func (f *frames) frame(dst, p []byte) []byte {
	f.sent++
	return appendFrame(dst, f.sent-1, p)
}

func (f *frames) Seal(dst, p []byte) ([]byte, error) {
	dst = append(dst, f.said...)
	f.said = nil
	for len(p) > 0 {
		n := min(len(p), 5000)
		dst = f.frame(dst, p[:n])
		p = p[n:]
	}
	return dst, nil
}

func (f *frames) End(dst []byte) []byte { return f.frame(dst, nil) }

// unframe reads records until the end, and returns what is in them.
func unframe(in io.Reader) (content []byte, pongs int, err error) {
	var head [frameHead]byte
	for number := uint16(0); ; number++ {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return content, pongs, err
		}
		p := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(in, p); err != nil {
			return content, pongs, err
		}
		for i := range p {
			p[i] ^= 0x5a
		}
		switch {
		case binary.BigEndian.Uint16(head[2:]) != number:
			return content, pongs, errFrame
		case len(p) == 0:
			return content, pongs, nil
		case bytes.Equal(p, pong):
			pongs++
		default:
			content = append(content, p...)
		}
	}
}

// becoming waits for a line, and hands the connection on then.
func becoming(next hooks, layer func() Layer) hooks {
	return hooks{data: func(p *peer, in []byte) int {
		line, rest, ok := bytes.Cut(in, []byte("\n"))
		if !ok {
			return 0
		}
		if !p.Become(&peer{do: next}, layer(), rest) {
			panic("the connection is closed")
		}
		return len(line)
	}}
}

func TestBecome(t *testing.T) {
	for _, cut := range []int{0, 1, 3, 5, 8} {
		ln := serveOne(t, becoming(hooks{}, func() Layer { return nil }))
		c := dial(t, ln)
		text := []byte("PXY\nhello")
		if cut > 0 {
			send(t, c, text[:cut])
			time.Sleep(10 * time.Millisecond) // usually a read of its own
		}
		send(t, c, text[cut:])
		expect(t, c, "hello")
		send(t, c, []byte("more"))
		expect(t, c, "more")
		_ = c.CloseWrite()
		expectEOF(t, c)
	}
}

// What passes through a layer arrives whole, in order, however it is cut; flow control is that of a connection without one. What the
// layer itself has to say comes in between.
func TestLayer(t *testing.T) {
	const size, clients = 1 << 20, 4
	ln := serveOne(t, becoming(hooks{}, func() Layer { return &frames{} }))
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	var wait sync.WaitGroup
	for i := range clients {
		c := dial(t, ln)
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			stream := []byte("PXY\n")
			number, pings := uint16(0), 0
			for rest := content; len(rest) > 0; number++ {
				if random.IntN(50) == 0 {
					stream = appendFrame(stream, number, ping)
					pings++
					continue
				}
				n := min(1+random.IntN(9000), len(rest))
				stream = appendFrame(stream, number, rest[:n])
				rest = rest[n:]
			}
			stream = appendFrame(stream, number, nil)
			wait.Go(func() {
				for len(stream) > 0 {
					n := min(1+random.IntN(100_000), len(stream))
					if _, err := c.Write(stream[:n]); err != nil {
						t.Error(err)
						return
					}
					stream = stream[n:]
				}
			})
			if i%2 == 0 {
				time.Sleep(100 * time.Millisecond) // the loop meets a full socket
			}
			got, pongs, err := unframe(c)
			if err != nil || pongs != pings || !bytes.Equal(got, content) {
				t.Errorf("client %d: %d octets of %d, %d pongs of %d, %v", i, len(got), size, pongs, pings, err)
			}
		})
	}
	wait.Wait()
}

// A forged record ends the connection without the end that the layer has.
func TestLayerRefuses(t *testing.T) {
	reasons := make(chan Reason, 1)
	ln := serveOne(t, becoming(hooks{closed: func(_ *peer, r Reason) { reasons <- r }}, func() Layer { return &frames{} }))
	c := dial(t, ln)
	send(t, c, append([]byte("PXY\n"), appendFrame(nil, 7, []byte("x"))...))
	if _, _, err := unframe(c); err == nil {
		t.Error("it ends well")
	}
	if r := receive(t, reasons, "end"); r != ReasonProtocol {
		t.Errorf("closed: %v", r)
	}
}

// Output through a layer leaves in order, whole records, whatever the client takes at a time; with a file in between, and the layer's end at last.
func TestLayerOutput(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	filed := bytes.Repeat([]byte("0123456789abcde\n"), 20_000)
	if _, err := file.Write(filed); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			r := newReactor(t, 1)
			l := r.Loops()[0]
			var out bytes.Buffer
			room := 0
			var want []byte
			far := &peer{do: hooks{drained: func(*peer) {}, data: func(_ *peer, in []byte) int { return len(in) }}}
			first := &peer{}
			m := l.Connect(first, NewMemoryListener("127.0.0.1", 80), func(p []byte) int {
				n := min(len(p), room)
				room -= n
				out.Write(p[:n])
				return n
			})
			if !first.Become(far, &frames{}, nil) {
				t.Fatal("it is closed")
			}
			l.settle()
			take := func() {
				room = random.IntN(150_000)
				if random.IntN(3) == 0 {
					room = random.IntN(10)
				}
				m.Drain()
				l.RunPosted()
			}
			pings := uint16(0)
			for range 30 {
				switch {
				case !far.Room(): // as a protocol does: nothing more before Drained
				case random.IntN(8) == 0:
					n := 1 + random.Int64N(int64(len(filed)))
					far.SendFile(file, int64(len(filed))-n, n)
					want = append(want, filed[int64(len(filed))-n:]...)
				default:
					p := bytes.Repeat([]byte{byte(len(want))}, 1+random.IntN([]int{10, 10_000, 200_000}[random.IntN(3)]))
					if random.IntN(2) == 0 {
						far.SetBuffer(append(far.Buffer(), "head"...))
						want = append(want, "head"...)
					}
					far.Write(p)
					want = append(want, p...)
				}
				if random.IntN(4) == 0 {
					m.Feed(appendFrame(nil, pings, ping))
					pings++
				}
				l.settle()
				for range random.IntN(3) {
					take()
				}
			}
			far.Finish(ReasonDone, false)
			l.settle()
			for i := 0; !m.Closed(); i++ {
				if take(); i > 10_000 {
					t.Fatal("it does not end")
				}
			}
			got, pongs, err := unframe(&out)
			if err != nil || !bytes.Equal(got, want) || pongs != int(pings) {
				t.Errorf("%d octets of %d, %d pongs of %d, %v", len(got), len(want), pongs, pings, err)
			}
			if out.Len() > 0 {
				t.Errorf("%d octets behind the end", out.Len())
			}
		})
	}
}

// A client that takes nothing is given up; one that takes a little is not.
func TestLayerStalls(t *testing.T) {
	const size = 12 << 20
	reasons := make(chan Reason, 2)
	r, err := New(Options{Loops: 1, WriteTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	ln, err := Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	large := hooks{
		data:   func(p *peer, in []byte) int { p.Write(make([]byte, size)); p.Finish(ReasonDone, false); return len(in) },
		closed: func(_ *peer, r Reason) { reasons <- r },
	}
	r.Listen(ln, func(*Loop) Handler { return &peer{do: becoming(large, func() Layer { return &frames{} })} })
	r.Start()
	ask := func() net.Conn {
		c := dial(t, ln)
		send(t, c, append([]byte("PXY\n"), appendFrame(nil, 0, []byte("x"))...))
		return c
	}
	ask()
	if reason := receive(t, reasons, "end"); reason != ReasonStalled {
		t.Errorf("closed: %v", reason)
	}
	c := ask()
	var taken int
	for p, until := make([]byte, 64<<10), time.Now().Add(2500*time.Millisecond); time.Now().Before(until); time.Sleep(15 * time.Millisecond) {
		n, err := c.Read(p)
		if taken += n; err != nil {
			t.Fatalf("after %d octets: %v", taken, err)
		}
	}
	n, err := io.Copy(io.Discard, c)
	if err != nil || taken+int(n) < size {
		t.Errorf("%d octets, %v", taken+int(n), err)
	}
	if reason := receive(t, reasons, "end"); reason != ReasonDone {
		t.Errorf("closed: %v", reason)
	}
}
