//go:build unix

package loop

import (
	"testing"
	"time"
)

// idler is a peer that is an Idler: until it has received octets.
type idler struct {
	peer
	busy bool
}

func (i *idler) Data(in []byte) int {
	i.busy = true
	return i.peer.Data(in)
}

func (i *idler) Idle() bool { return !i.busy }

// TestFarewell: connections without a request are closed at the end of the server when their time is over, and no others are.
func TestFarewell(t *testing.T) {
	for _, farewell := range []time.Duration{0, time.Hour} {
		l := newReactor(t, 1).Loops()[0]
		l.reactor.farewell.Store(int64(farewell))
		told, timeouts := 0, 0
		do := hooks{shutdown: func(*peer) { told++ }, timeout: func(*peer) { timeouts++ }}
		connect := func() (*idler, *Memory) {
			i := &idler{peer: peer{do: do}}
			return i, l.Connect(i, NewMemoryListener("127.0.0.1", 80), func(p []byte) int { return len(p) })
		}
		// pass has the time pass that there is for the farewell.
		pass := func(i *idler) {
			l.now += int64(2 * farewell)
			if farewell > 0 && i.state == open {
				i.expire()
			}
			l.RunPosted()
		}

		i, m := connect()
		m.Shutdown()
		if m.Closed() != (farewell == 0) {
			t.Errorf("%v: an idle connection is closed at once: %v", farewell, m.Closed())
		}
		if pass(i); !m.Closed() || i.reason != ReasonShutdown || timeouts != 0 {
			t.Errorf("%v: an idle connection is closed: %v, by %v, behind %d timeouts", farewell, m.Closed(), i.reason, timeouts)
		}

		i, m = connect()
		m.Feed([]byte("request"))
		if m.Shutdown(); m.Closed() || i.deadline != 0 {
			t.Errorf("%v: a busy connection is closed: %v", farewell, m.Closed())
		}
		i.busy = false
		i.Farewell()
		if pass(i); !m.Closed() {
			t.Errorf("%v: a connection is still open that has become idle", farewell)
		}

		if farewell > 0 {
			i, m = connect()
			m.Shutdown()
			m.Feed([]byte("request"))
			if pass(i); m.Closed() || timeouts != 1 {
				t.Errorf("a connection whose request came late is closed: %v; %d timeouts", m.Closed(), timeouts)
			}
			m.Reset()
		}

		// Who takes a connection over is told too.
		i, m = connect()
		m.Feed([]byte("request"))
		m.Shutdown()
		told = 0
		i.Handle(&struct {
			*Conn
			*successor
		}{&i.Conn, &successor{&told}})
		l.RunPosted()
		j := &idler{peer: peer{do: do}}
		i.Become(j, nil, nil)
		l.settle()
		l.RunPosted()
		if told != 2 {
			t.Errorf("%v: %d successors were told", farewell, told)
		}
		m.Reset()
	}
}

// successor is what a Handler has beside its Conn.
type successor struct{ told *int }

func (s *successor) Opened()              {}
func (s *successor) Data(in []byte) int   { return len(in) }
func (s *successor) EOF()                 {}
func (s *successor) Drained()             {}
func (s *successor) Timeout()             {}
func (s *successor) Shutdown()            { *s.told++ }
func (s *successor) Closed(reason Reason) {}
