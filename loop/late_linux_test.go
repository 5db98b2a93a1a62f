package loop

import (
	"testing"

	"golang.org/x/sys/unix"
)

// An event may be late, of a connection that had the same descriptor and was closed earlier in the same batch: the end that
// it tells of is not the one's that has the descriptor now.
func TestLateEvents(t *testing.T) {
	for name, kept := range map[string]int{"reading": 1, "paused": 2 * holdSize} {
		t.Run(name, func(t *testing.T) {
			r := newReactor(t, 1)
			opened := make(chan *peer, 1)
			ended := make(chan string, 10)
			ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{
				opened: func(p *peer) { opened <- p },
				data: func(p *peer, in []byte) int {
					if in[0] == 'h' {
						p.Hold()
						return 0
					}
					p.Write(in)
					return len(in)
				},
				eof:    func(p *peer) { ended <- "end of file"; p.Finish(ReasonEOF, false) },
				closed: func(_ *peer, reason Reason) { ended <- reason.String() },
			})
			c := dial(t, ln)
			octets := make([]byte, kept)
			octets[0] = 'h'
			send(t, c, octets)
			p := receive(t, opened, "connection")
			l := r.Loops()[0]
			eventually(t, "input is held", func() (held bool) {
				on(t, l, func() { held = p.Kept() >= min(kept, holdSize) && p.paused() == (kept >= holdSize) })
				return held
			})
			for _, ev := range []uint32{unix.EPOLLHUP, unix.EPOLLERR | unix.EPOLLHUP | unix.EPOLLRDHUP | unix.EPOLLOUT, unix.EPOLLRDHUP} {
				on(t, l, func() { p.ready(ev); l.settle() })
			}
			none(t, ended, "the connection was told of an end")
			// That of its own client is not missed.
			reset(c)
			if got := receive(t, ended, "end"); got != ReasonReset.String() && got != "end of file" {
				t.Errorf("told of %s", got)
			}
		})
	}
}
