//go:build unix

package loop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// TestFinish goes through the ways in which a connection ends, with memory connections.
func TestFinish(t *testing.T) {
	type end struct {
		closed bool
		reason Reason
	}
	still := func(t *testing.T) *Loop { return still(t) }
	tests := []struct {
		name  string
		room  int // what the client takes before it is drained
		act   func(p *peer, m *Memory)
		want  end // after act
		after func(p *peer, m *Memory)
		then  end // after that
		sent  string
	}{
		{"nothing unsent", 100, func(p *peer, _ *Memory) { p.Write([]byte("bye")); p.Finish(ReasonIdle, false) },
			end{true, ReasonIdle}, nil, end{true, ReasonIdle}, "bye"},
		{"unsent", 1, func(p *peer, m *Memory) { p.Write([]byte("bye")); p.Finish(ReasonIdle, false) },
			end{}, func(_ *peer, m *Memory) { m.Drain() }, end{true, ReasonIdle}, "bye"},
		{"linger until the client ends", 100, func(p *peer, _ *Memory) { p.Write([]byte("bye")); p.Finish(ReasonProtocol, true) },
			end{}, func(_ *peer, m *Memory) { m.EOF() }, end{true, ReasonProtocol}, "bye"},
		{"unsent, then linger", 1, func(p *peer, m *Memory) { p.Write([]byte("bye")); p.Finish(ReasonDone, true); m.Drain() },
			end{}, func(_ *peer, m *Memory) { m.EOF() }, end{true, ReasonDone}, "bye"},
		{"no linger after the client's end", 100, func(p *peer, m *Memory) {
			p.do.eof = func(p *peer) { p.Write([]byte("bye")); p.Finish(ReasonEOF, true) }
			m.EOF()
		}, end{true, ReasonEOF}, nil, end{true, ReasonEOF}, "bye"},
		{"end while draining", 1, func(p *peer, m *Memory) { p.Write([]byte("bye")); p.Finish(ReasonDone, true); m.EOF() },
			end{}, func(_ *peer, m *Memory) { m.Drain() }, end{true, ReasonDone}, "bye"},
		{"reset while draining keeps the reason", 1, func(p *peer, m *Memory) { p.Write([]byte("bye")); p.Finish(ReasonIdle, true) },
			end{}, func(_ *peer, m *Memory) { m.Reset() }, end{true, ReasonIdle}, "b"},
		{"reset", 100, func(_ *peer, m *Memory) { m.Reset() }, end{true, ReasonReset}, nil, end{true, ReasonReset}, ""},
		{"twice", 1, func(p *peer, _ *Memory) {
			p.Write([]byte("bye"))
			p.Finish(ReasonDone, false)
			p.Finish(ReasonIdle, true)
		},
			end{}, func(_ *peer, m *Memory) { m.Drain() }, end{true, ReasonDone}, "bye"},
		{"abort loses what is unsent", 1, func(p *peer, m *Memory) { p.Write([]byte("bye")); p.Abort(ReasonAborted) },
			end{true, ReasonAborted}, func(_ *peer, m *Memory) { m.Drain() }, end{true, ReasonAborted}, "b"},
		{"abort after finish", 1, func(p *peer, m *Memory) { p.Write([]byte("bye")); p.Finish(ReasonDone, true); p.Abort(ReasonAborted) },
			end{true, ReasonAborted}, nil, end{true, ReasonAborted}, "b"},
		{"input after finish is discarded", 100, func(p *peer, m *Memory) { p.Finish(ReasonDone, true); m.Feed([]byte("more")) },
			end{}, func(_ *peer, m *Memory) { m.EOF() }, end{true, ReasonDone}, ""},
		{"finish inside Data", 100, func(p *peer, m *Memory) {
			p.do.data = func(p *peer, in []byte) int { p.Write(in[:1]); p.Finish(ReasonDone, false); p.Write(in); return 0 }
			m.Feed([]byte("abc"))
		}, end{true, ReasonDone}, func(_ *peer, m *Memory) { m.Feed([]byte("def")) }, end{true, ReasonDone}, "a"},
		{"abort inside Data", 100, func(p *peer, m *Memory) {
			p.do.data = func(p *peer, in []byte) int { p.Write(in[:1]); p.Abort(ReasonAborted); return 0 }
			m.Feed([]byte("abc"))
		}, end{true, ReasonAborted}, nil, end{true, ReasonAborted}, "a"},
		{"finish inside EOF", 100, func(p *peer, m *Memory) { m.EOF() }, end{true, ReasonEOF},
			func(_ *peer, m *Memory) { m.EOF() }, end{true, ReasonEOF}, ""},
		{"abort inside Drained", 1, func(p *peer, m *Memory) {
			p.do.drained = func(p *peer) { p.Abort(ReasonAborted) }
			p.Write(make([]byte, HighWater+10))
			m.c.loop.settle()
			p.Write([]byte("x"))
			m.Drain()
		}, end{true, ReasonAborted}, nil, end{true, ReasonAborted}, string(make([]byte, HighWater+10)) + "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := still(t)
			var got end
			var sent bytes.Buffer
			calls := 0
			first := true
			p := &peer{do: hooks{
				data:   func(*peer, []byte) int { t.Error("Data"); return 0 },
				closed: func(_ *peer, r Reason) { calls++; got = end{true, r} },
			}}
			m := l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
				if first && len(b) > tt.room {
					first = false
					b = b[:tt.room]
				}
				sent.Write(b)
				return len(b)
			})
			tt.act(p, m)
			l.settle()
			if got != tt.want {
				t.Fatalf("closed: %+v, want %+v", got, tt.want)
			}
			if tt.after != nil {
				tt.after(p, m)
				l.settle()
			}
			if got != tt.then || m.Closed() != got.closed || calls > 1 {
				t.Fatalf("then closed: %+v in %d calls, want %+v", got, calls, tt.then)
			}
			if sent.String() != tt.sent {
				t.Errorf("sent %d octets, %.20q; want %.20q", sent.Len(), sent.String(), tt.sent)
			}
			if l.open.Load() != 0 {
				t.Error("still counted")
			}
		})
	}
}

// A view that Data was given stays as it is until Data returns, even if the connection is closed in between.
func TestViewOutlivesClose(t *testing.T) {
	for name, end := range map[string]func(*peer){
		"Finish": func(p *peer) { p.Finish(ReasonDone, false) },
		"Abort":  func(p *peer) { p.Abort(ReasonDone) },
	} {
		t.Run(name, func(t *testing.T) {
			l := still(t)
			m := l.Connect(&peer{do: hooks{data: func(p *peer, in []byte) int {
				if len(in) < 2 {
					return 0
				}
				end(p)
				for range 10 { // another connection keeps its input
					copy(newInput(holdSize).room(), "XXXXXXXX")
				}
				if string(in) != "ab" {
					t.Errorf("the view shows %q", in)
				}
				return len(in)
			}}}, NewMemoryListener("127.0.0.1", 80), func(b []byte) int { return len(b) })
			m.Feed([]byte("a"))
			m.Feed([]byte("b"))
		})
	}
}

// A client that is still sending when it is answered for the last time gets the whole answer.
func TestLinger(t *testing.T) {
	answer := octets(100_000)
	for _, halfCloses := range []bool{false, true} {
		server := serveOne(t, hooks{data: func(p *peer, in []byte) int {
			if !p.IsOpen() {
				t.Error("Data after Finish")
			}
			p.Write(answer)
			p.Finish(ReasonProtocol, true)
			return len(in)
		}})
		c := dial(t, server)
		sent := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 4<<20))
			if halfCloses {
				err = errors.Join(err, c.CloseWrite())
			}
			sent <- err
		}()
		if err := receive(t, sent, "end of sending"); err != nil { // before the first octet is read
			t.Errorf("half-closes %v: the client could not send: %v", halfCloses, err)
		}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, answer) {
			t.Errorf("half-closes %v: %d octets of the answer arrived, %v", halfCloses, len(got), err)
		}
	}
}

// Without lingering a client that is still sending is reset: the test above shows something.
func TestNoLinger(t *testing.T) {
	blocked := make(chan struct{})
	server := serveOne(t, hooks{data: func(p *peer, in []byte) int {
		<-blocked // the client's second part has arrived
		p.Finish(ReasonProtocol, false)
		return len(in)
	}})
	c := dial(t, server)
	send(t, c, make([]byte, 200_000))
	close(blocked)
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the end is %v", err)
	}
}

func TestReset(t *testing.T) {
	tests := []struct {
		name string
		do   hooks
		send int
		act  func(c net.Conn)
	}{
		{"idle", hooks{}, 1, reset},
		{"held", hooks{data: func(p *peer, _ []byte) int { p.Hold(); return 0 }}, 1, reset},
		{"paused", hooks{data: func(p *peer, _ []byte) int { p.Hold(); return 0 }}, 2 * holdSize, reset},
		{"during output", hooks{data: func(p *peer, in []byte) int { p.Write(make([]byte, 32<<20)); return len(in) }}, 1, reset},
		{"during a little output", hooks{data: func(p *peer, in []byte) int {
			for p.Unsent() == 0 {
				p.Write(make([]byte, batchSize/4))
			}
			return len(in)
		}}, 1, reset},
		{"vanishes during output", hooks{data: func(p *peer, in []byte) int { p.Write(make([]byte, 32<<20)); return len(in) }}, 1,
			func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 1<<20)); _ = c.Close() }},
		{"draining", hooks{data: func(p *peer, in []byte) int {
			p.Write(make([]byte, 32<<20))
			p.Finish(ReasonReset, true) // the reason stays that of Finish
			return len(in)
		}}, 1, reset},
		{"half-closed, held", hooks{data: func(p *peer, _ []byte) int { p.Hold(); return 0 }, eof: func(*peer) {}}, 1,
			func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite(); reset(c) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reasons := make(chan Reason, 1)
			seen := make(chan *peer, 1)
			data := tt.do.data
			tt.do.data = func(p *peer, in []byte) int {
				select {
				case seen <- p:
				default:
				}
				if data != nil {
					return data(p, in)
				}
				return len(in)
			}
			tt.do.closed = func(_ *peer, r Reason) { reasons <- r }
			r := newReactor(t, 1)
			c := dial(t, serve(t, r, "127.0.0.1:0", ListenOptions{}, tt.do))
			send(t, c, make([]byte, tt.send))
			p := receive(t, seen, "input")
			rounds(t, p.Loop())
			tt.act(c)
			if reason := receive(t, reasons, "end"); reason != ReasonReset {
				t.Errorf("closed: %v", reason)
			}
			if r.Connections() != 0 {
				eventually(t, "no connections", func() bool { return r.Connections() == 0 })
			}
		})
	}
}
