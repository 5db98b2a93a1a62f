package secure

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/weirhttp/weir/loop"
)

// record returns a record of a message of n octets.
func record(n int) []byte {
	b := []byte{recordHello, 3, 1, byte(n >> 8), byte(n)}
	for i := range n {
		b = append(b, byte(i*i>>4))
	}
	return b
}

// TestCutHello: the message stays what it was, and so does what is behind the record.
func TestCutHello(t *testing.T) {
	for _, tt := range []struct {
		message int
		want    []int // octets of the records
	}{
		{0, []int{0}},
		{1, []int{1}},
		{helloPiece, []int{helloPiece}},
		{helloPiece + 1, []int{257, 256}},
		{1500, []int{375, 375, 375, 375}},
		{1501, []int{376, 376, 376, 373}},
		{maxHello, slices.Repeat([]int{helloPiece}, maxHello/helloPiece)},
	} {
		in := append(record(tt.message), "behind"...)
		before := bytes.Clone(in)
		var buffer bytes.Buffer
		cutHello(&buffer, in)
		out := buffer.Bytes()
		var got []int
		var message []byte
		for range tt.want {
			if len(out) < recordHead || !bytes.Equal(out[:3], in[:3]) || len(out) < recordHead+recordLength(out) {
				t.Fatalf("%d octets: %x is not a record", tt.message, out)
			}
			n := recordLength(out)
			got = append(got, n)
			message = append(message, out[recordHead:recordHead+n]...)
			out = out[recordHead+n:]
		}
		if !slices.Equal(got, tt.want) || string(out) != "behind" || !bytes.Equal(message, before[recordHead:recordHead+tt.message]) {
			t.Errorf("%d octets: records of %d, %q behind them", tt.message, got, out)
		}
		if !bytes.Equal(in, before) {
			t.Errorf("%d octets: what was received was changed", tt.message)
		}
	}
}

// keeper takes the connection of a socket off its loop as soon as it is there.
type keeper struct {
	sink
	to chan<- *loop.Detached
}

func (k *keeper) Opened() {
	d, err := k.Detach(nil)
	if err != nil {
		panic(err)
	}
	k.to <- d
}

// detached returns a connection that has left its loop, and its client.
func detached(t *testing.T) (net.Conn, *loop.Detached) {
	t.Helper()
	reactor, err := loop.New(loop.Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	reactor.Start()
	t.Cleanup(reactor.Stop)
	to := make(chan *loop.Detached, 1)
	ln, err := loop.Listen("127.0.0.1:0", loop.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reactor.Listen(ln, func(*loop.Loop) loop.Handler { return &keeper{to: to} })
	client, err := net.Dial("tcp", ln.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	d := <-to
	_ = d.SetDeadline(time.Now().Add(patience))
	return client, d
}

// TestRecords: no Read goes beyond a record, whatever its size is and however it comes, and nothing is lost.
func TestRecords(t *testing.T) {
	sizes := []int{60, 0, 1, 571, 16 << 10, 3, maxCiphertext, 0, 2000}
	var all []byte
	for _, n := range sizes {
		all = append(all, record(n)...)
	}
	for _, tt := range []struct {
		name  string
		write int // octets at a time
		read  int
	}{
		{"at once", len(all), 1 << 20},
		{"small reads", len(all), 3},
		{"small writes", 7, 1 << 20},
		{"as crypto/tls does", 1400, 576},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, d := detached(t)
			go func() {
				for piece := range slices.Chunk(all, tt.write) {
					_, _ = client.Write(piece)
				}
				_, _ = client.Write(all[:recordHead-1])
				_ = client.(*net.TCPConn).CloseWrite()
			}()
			r := &records{Detached: d}
			p := make([]byte, tt.read)
			for i, size := range sizes {
				want := record(size)
				for len(want) > 0 {
					n, err := r.Read(p)
					if err != nil || n == 0 || n > len(want) || !bytes.Equal(p[:n], want[:n]) {
						t.Fatalf("record %d, %d octets of it left: read %d, %v", i, len(want), n, err)
					}
					want = want[n:]
				}
			}
			if n, err := r.Read(p); n != 0 || err != io.ErrUnexpectedEOF {
				t.Errorf("in the middle of a head: %d octets, %v", n, err)
			}
		})
	}
}

// TestHelloOfAnySize: a client's greeting is understood, be it short or long.
func TestHelloOfAnySize(t *testing.T) {
	b := newBench(t)
	for _, protocols := range []int{1, 20, 100, 1000} { // offered, of 15 octets each
		config := &tls.Config{InsecureSkipVerify: true}
		for range protocols {
			config.NextProtos = append(config.NextProtos, "http/1.1-or-not")
		}
		s := tls.Client(b.dial(), config)
		if err := s.Handshake(); err != nil {
			t.Errorf("%d protocols: %v", protocols, err)
		}
	}
}
