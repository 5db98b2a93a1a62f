package loop

import (
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startCounting is Start, and counts the events.
func startCounting(r *Reactor) *atomic.Int64 {
	n := new(atomic.Int64)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
	go r.clock.run()
	for _, l := range r.loops {
		go func() {
			defer close(l.exited)
			defer l.closeAll()
			_ = l.poller.poll(func(fd int, ev readiness) bool {
				n.Add(1)
				return l.event(fd, ev)
			}, l.idle, l.yields)
		}()
	}
	return n
}

// A connection that waits for something has the poller wait, whatever it waits for: events that are announced again
// and again would keep a core busy.
func TestNoSpinning(t *testing.T) {
	hold := func(p *peer, _ []byte) int { p.Hold(); return 0 }
	much := make([]byte, 32<<20)
	tests := []struct {
		name   string
		do     hooks
		client func(t *testing.T, c stream)
	}{
		{"idle", hooks{}, func(t *testing.T, c stream) { send(t, c, []byte("x")); expect(t, c, "x") }},
		{"held", hooks{data: hold}, func(t *testing.T, c stream) { send(t, c, []byte("x")) }},
		{"paused", hooks{data: hold}, func(t *testing.T, c stream) { send(t, c, make([]byte, 5*holdSize)) }},
		{"held, half-closed", hooks{data: hold, eof: func(*peer) {}}, func(t *testing.T, c stream) { send(t, c, []byte("x")); _ = c.CloseWrite() }},
		{"paused, half-closed", hooks{data: hold, eof: func(*peer) {}}, func(t *testing.T, c stream) { send(t, c, make([]byte, 5*holdSize)); _ = c.CloseWrite() }},
		{"half-closed", hooks{eof: func(*peer) {}}, func(_ *testing.T, c stream) { _ = c.CloseWrite() }},
		{"client takes nothing", hooks{data: func(p *peer, in []byte) int { p.Write(much); return len(in) }},
			func(t *testing.T, c stream) { send(t, c, []byte("x")) }},
		{"client takes nothing and sends", hooks{data: func(p *peer, in []byte) int { p.Write(much); return len(in) }},
			func(t *testing.T, c stream) { send(t, c, []byte("x")); fill(t, c, much) }},
		{"client takes nothing, draining", hooks{data: func(p *peer, in []byte) int { p.Write(much); p.Finish(ReasonDone, true); return len(in) }},
			func(t *testing.T, c stream) { send(t, c, []byte("x")); fill(t, c, much) }},
		{"after much output", hooks{data: func(p *peer, in []byte) int { p.Write(much); return len(in) }},
			func(t *testing.T, c stream) { send(t, c, []byte("x")); expect(t, c, string(much)) }},
		{"lingering", hooks{data: func(p *peer, in []byte) int { p.Finish(ReasonDone, true); return len(in) }},
			func(t *testing.T, c stream) { send(t, c, []byte("x")); expectEOF(t, c); send(t, c, []byte("more")) }},
		{"urgent data", hooks{}, func(t *testing.T, c stream) {
			raw, err := c.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil) })
			if err != nil {
				t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReactor(t, 1)
			ln, err := Listen("127.0.0.1:0", ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			r.Listen(ln, func(*Loop) Handler { return &peer{do: tt.do} })
			events := startCounting(r)
			tt.client(t, dial(t, ln))
			eventually(t, "the loop rests", func() bool {
				n := events.Load()
				time.Sleep(20 * time.Millisecond)
				return events.Load()-n <= 2
			})
			if r.Connections() != 1 {
				t.Errorf("%d connections", r.Connections())
			}
		})
	}
}

// After the last of much output, the connection lingers reading: it takes what the client still sends,
// and sees its end.
func TestLingerAfterDraining(t *testing.T) {
	const size = 16 << 20
	reasons := make(chan Reason, 1)
	server := serveOne(t, hooks{
		data:   func(p *peer, in []byte) int { p.Write(make([]byte, size)); p.Finish(ReasonDone, true); return len(in) },
		closed: func(_ *peer, r Reason) { reasons <- r },
	})
	c := dial(t, server)
	send(t, c, []byte("x"))
	expect(t, c, string(make([]byte, size)))
	expectEOF(t, c)
	send(t, c, make([]byte, size))
	_ = c.Close()
	if r := receive(t, reasons, "end"); r != ReasonDone {
		t.Errorf("closed: %v", r)
	}
}
