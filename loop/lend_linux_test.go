package loop

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLend: while octets are lent the kernel takes as many as it has room for, and from then on as few as before.
func TestLend(t *testing.T) {
	bound := func(p *peer) int {
		n, err := unix.GetsockoptInt(int(p.fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for _, tt := range []struct {
		name   string
		octets int
		rest   bool // the kernel leaves some while the client does not read
		want   int  // bound while it does not
	}{
		{"few", maxUnsent, false, maxUnsent},
		{"taken at once", 2 * maxUnsent, false, maxUnsent},
		{"more than the kernel has room for", 64 << 20, true, 64<<20 + maxUnsent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			r := newReactor(t, 1)
			lent := make(chan *peer, 1)
			ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{data: func(p *peer, in []byte) int {
				p.Lend(make([]byte, tt.octets))
				lent <- p
				return len(in)
			}})
			client := dial(t, ln)
			send(t, client, []byte("?"))
			p := receive(t, lent, "connection")
			on(t, r.Loops()[0], func() {
				if got := bound(p); got != tt.want || p.Unsent() > 0 != tt.rest {
					t.Errorf("the kernel takes %d octets beyond those that are on their way, %d wait; want %d", got, p.Unsent(), tt.want)
				}
			})
			if _, err := io.CopyN(io.Discard, client, int64(tt.octets)); err != nil {
				t.Fatal(err)
			}
			on(t, r.Loops()[0], func() {
				if got := bound(p); got != maxUnsent {
					t.Errorf("the kernel takes %d octets beyond those that are on their way afterwards, want %d", got, maxUnsent)
				}
			})
		})
	}
}
