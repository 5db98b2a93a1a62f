package nats_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// gate passes connections on to an address, and can be shut.
type gate struct {
	net.Listener
	to string

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
	came   int // connections
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l, to: to, open: make(map[net.Conn]bool)}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { g.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		g.shut(true)
		done.Wait()
	})
	return g
}

// pass passes octets on, both ways, until either side or the gate closes.
func (g *gate) pass(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer s.Close()
	g.mu.Lock()
	closed := g.closed
	g.open[c] = true
	g.came++
	g.mu.Unlock()
	if closed {
		return
	}
	go func() {
		_, _ = io.Copy(s, c)
		_ = s.Close()
	}()
	_, _ = io.Copy(c, s)
	g.mu.Lock()
	delete(g.open, c)
	g.mu.Unlock()
}

// connections is how many have come.
func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.came
}

// shut ends all connections, and lets none come; or opens the gate.
func (g *gate) shut(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	if closed {
		for c := range g.open {
			_ = c.Close()
		}
	}
}
