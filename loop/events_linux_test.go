package loop

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// An event may be late: of a connection that was closed earlier in the poller's batch, and whose descriptor is
// another's now.
func TestLateEvent(t *testing.T) {
	peers := make(chan *peer, 1)
	ends := make(chan Reason, 1)
	server := serveOne(t, hooks{
		opened: func(p *peer) { peers <- p },
		closed: func(_ *peer, r Reason) { ends <- r },
	})
	c := dial(t, server)
	p := receive(t, peers, "connection")
	for _, ev := range []uint32{unix.EPOLLIN, unix.EPOLLOUT, unix.EPOLLIN | unix.EPOLLOUT, unix.EPOLLIN | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLRDHUP} {
		on(t, p.Loop(), func() { p.Loop().event(int(p.fd), ev) })
		none(t, ends, "closed")
	}
	send(t, c, []byte("alive"))
	expect(t, c, "alive")
	// Descriptors of nobody.
	on(t, p.Loop(), func() { p.Loop().event(1<<20, unix.EPOLLIN) })
	_ = c.Close()
	receive(t, ends, "end")
	on(t, p.Loop(), func() {
		if p.Loop().conns.get(int(p.fd)) != nil {
			t.Error("the table has a closed connection")
		}
	})
}

// The client has sent its end already, far behind what was read. When the server ends as well, both directions are shut,
// which is announced as a hang-up: it must not cut off the reading, or the unread input makes a reset of the close.
func TestLingerToEnd(t *testing.T) {
	answer := octets(200_000) // more than the client's kernel takes, less than the server's keeps
	r := newReactor(t, 1)
	server := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{
		opened: func(p *peer) {
			_ = unix.SetsockoptInt(int(p.fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
			_ = unix.SetsockoptInt(int(p.fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20)
			_ = unix.SetsockoptInt(int(p.fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 1<<20)
			end := []unix.PollFd{{Fd: p.fd, Events: unix.POLLRDHUP}}
			for {
				if _, err := unix.Poll(end, int(patience.Milliseconds())); err != unix.EINTR {
					break
				}
			}
			if end[0].Revents&unix.POLLRDHUP == 0 {
				t.Error("the client's end does not arrive")
			}
		},
		data: func(p *peer, in []byte) int {
			p.Write(answer)
			p.Finish(ReasonProtocol, true)
			return len(in)
		},
	})
	c := dial(t, server)
	_ = c.SetReadBuffer(32 << 10)
	send(t, c, make([]byte, 5*ReadSize))
	_ = c.CloseWrite()
	eventually(t, "closed", func() bool { return r.Connections() == 0 })
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, answer) {
		t.Errorf("received %d octets, %v", len(got), err)
	}
}
