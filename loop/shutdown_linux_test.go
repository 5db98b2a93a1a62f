package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// noLeaks fails the test when, at its end, there are more goroutines or descriptors than now.
func noLeaks(t *testing.T) {
	t.Helper()
	// The first use of the network opens what stays open: Go's own poller.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
	goroutines, open := runtime.NumGoroutine(), descriptors(t)
	t.Cleanup(func() {
		var g, o int
		end := time.Now().Add(2 * time.Second)
		for {
			g, o = runtime.NumGoroutine(), descriptors(t)
			if g <= goroutines && o <= open {
				return
			}
			if time.Now().After(end) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		stacks := make([]byte, 64<<10)
		stacks = stacks[:runtime.Stack(stacks, true)]
		t.Errorf("goroutines: %d, there were %d; descriptors: %d, there were %d", g, goroutines, o, open)
		if g > goroutines {
			t.Logf("%s", stacks)
		}
	})
}

// background returns a context for Shutdown that ends long after all is well.
func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestShutdown(t *testing.T) {
	for _, o := range []ListenOptions{{}, {Sockets: 2}} {
		t.Run(fmt.Sprintf("%d sockets", max(1, o.Sockets)), func(t *testing.T) {
			noLeaks(t)
			r := newReactor(t, 2)
			var told atomic.Int64
			busy := make(chan *peer, 1)
			server := serve(t, r, "127.0.0.1:0", o, hooks{
				data: func(p *peer, in []byte) int { // a request that takes its time
					p.Hold()
					busy <- p
					return len(in)
				},
				shutdown: func(p *peer) {
					told.Add(1)
					if !p.Held() {
						p.Finish(ReasonShutdown, false)
					}
				},
			})
			const idle = 20
			var clients []stream
			for range idle {
				clients = append(clients, dial(t, server))
			}
			running := dial(t, server)
			send(t, running, []byte("request"))
			p := receive(t, busy, "request")
			eventually(t, "all are connected", func() bool { return r.Connections() == idle+1 })

			done := make(chan error, 1)
			go func() { done <- r.Shutdown(background(t)) }()
			for _, c := range clients {
				expectEOF(t, c)
			}
			eventually(t, "the running one is left", func() bool { return r.Connections() == 1 })
			eventually(t, "connecting is refused", func() bool {
				c, err := net.Dial("tcp", server.String())
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			none(t, done, "Shutdown did not wait")
			if told.Load() != idle+1 {
				t.Errorf("%d connections were told of %d", told.Load(), idle+1)
			}
			p.Loop().Post(func(any) {
				p.Write([]byte("answer"))
				p.Finish(ReasonDone, false)
			}, nil)
			expect(t, running, "answer")
			expectEOF(t, running)
			if err := receive(t, done, "end of Shutdown"); err != nil {
				t.Error(err)
			}
			if r.Connections() != 0 {
				t.Errorf("%d connections", r.Connections())
			}
			if err := r.Shutdown(background(t)); err != nil {
				t.Errorf("the second time: %v", err)
			}
			for _, c := range append(clients, running) {
				_ = c.Close()
			}
		})
	}
}

func TestShutdownCutsOff(t *testing.T) {
	noLeaks(t)
	r := newReactor(t, 2)
	reasons := make(chan Reason, 5)
	server := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{
		shutdown: func(*peer) {},
		closed:   func(_ *peer, reason Reason) { reasons <- reason },
	})
	var clients []stream
	for range 5 {
		clients = append(clients, dial(t, server))
	}
	eventually(t, "all are connected", func() bool { return r.Connections() == 5 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	for _, c := range clients {
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("received %d octets, %v; want a reset: none of them is idle", n, err)
		}
		_ = c.Close()
		if reason := receive(t, reasons, "end"); reason != ReasonShutdown {
			t.Errorf("closed: %v", reason)
		}
	}
	if r.Connections() != 0 {
		t.Errorf("%d connections", r.Connections())
	}
}

// Clients whose handshake was complete when accepting ended are served, however many they are, and though the end comes before the loop has begun to listen.
func TestShutdownTakesBacklog(t *testing.T) {
	for _, listens := range []bool{true, false} {
		t.Run(fmt.Sprint(listens), func(t *testing.T) { shutdownTakesBacklog(t, listens) })
	}
}

func shutdownTakesBacklog(t *testing.T, listens bool) {
	noLeaks(t)
	r := newReactor(t, 2)
	blocked := make(chan struct{})
	block := func() { r.Loops()[0].Post(func(any) { <-blocked }, nil) }
	if !listens {
		block()
	}
	server := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{
		shutdown: func(p *peer) { p.Write([]byte("hello")); p.Finish(ReasonShutdown, false) },
	})
	if listens {
		on(t, r.Loops()[0], func() {}) // it does
		block()
	}
	var clients []stream
	for range 5 * acceptBudget {
		clients = append(clients, dial(t, server))
	}
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(background(t)) }()
	eventually(t, "shutting down", func() bool { return r.draining.Load() && r.Loops()[0].tasks.Length() > 0 })
	close(blocked)
	for _, c := range clients {
		expect(t, c, "hello")
		_ = c.Close()
	}
	if err := receive(t, done, "end of Shutdown"); err != nil {
		t.Error(err)
	}
}

// Whatever was begun and not finished, Stop frees it.
func TestStopFreesDescriptors(t *testing.T) {
	listen := func(t *testing.T, r *Reactor) *Listener {
		ln, err := Listen("127.0.0.1:0", ListenOptions{Sockets: 2})
		if err != nil {
			t.Fatal(err)
		}
		r.Listen(ln, func(*Loop) Handler { return &peer{} })
		return ln
	}
	tests := []struct {
		name string
		act  func(t *testing.T, r *Reactor)
	}{
		{"New, Stop", func(t *testing.T, r *Reactor) { r.Stop() }},
		{"New, Listen, Stop", func(t *testing.T, r *Reactor) { listen(t, r); r.Stop() }},
		{"New, Listen, Shutdown", func(t *testing.T, r *Reactor) {
			listen(t, r)
			if err := r.Shutdown(background(t)); err != nil {
				t.Error(err)
			}
		}},
		{"New, Listen, Start, Stop", func(t *testing.T, r *Reactor) { listen(t, r); r.Start(); r.Stop() }},
		{"Stop, Start, Listen", func(t *testing.T, r *Reactor) { r.Stop(); r.Start(); listen(t, r); r.Stop() }},
		{"Stop, Listen, Shutdown", func(t *testing.T, r *Reactor) { r.Start(); r.Stop(); listen(t, r); _ = r.Shutdown(background(t)) }},
		{"several Stops", func(t *testing.T, r *Reactor) {
			listen(t, r)
			r.Start()
			var stops sync.WaitGroup
			for range 5 {
				stops.Go(r.Stop)
			}
			stops.Wait()
		}},
		{"a memory listener", func(t *testing.T, r *Reactor) {
			r.Listen(NewMemoryListener("127.0.0.1", 80), func(*Loop) Handler { return &peer{} })
			r.Start()
		}},
		{"connections on their way to another loop", func(t *testing.T, r *Reactor) {
			ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{})
			blocked := make(chan struct{})
			r.Loops()[1].Post(func(any) { <-blocked }, nil)
			var clients []stream
			for range 10 {
				clients = append(clients, dial(t, ln))
			}
			eventually(t, "all are accepted", func() bool { return r.Connections() == 10 })
			stopped := make(chan struct{})
			go func() { r.Stop(); close(stopped) }()
			eventually(t, "the loop that accepts has ended", func() bool {
				select {
				case <-r.Loops()[0].exited:
					return true
				default:
					return false
				}
			})
			close(blocked)
			receive(t, stopped, "end of Stop")
			for _, c := range clients {
				_, _ = io.ReadAll(c)
				_ = c.Close()
			}
			if r.Connections() != 0 {
				t.Errorf("%d connections", r.Connections())
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			tt.act(t, newReactor(t, 2))
		})
	}
	t.Run("a loop that ends before a socket for it comes", func(t *testing.T) {
		noLeaks(t)
		r := newReactor(t, 2)
		ln := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{})
		on(t, r.Loops()[1], func() { r.Loops()[1].stopped = true })
		<-r.Loops()[1].exited
		var clients []stream
		for range 10 {
			clients = append(clients, dial(t, ln))
		}
		eventually(t, "all are accepted", func() bool { return r.Connections() == 10 })
		r.Stop()
		for _, c := range clients {
			_ = c.Close()
		}
		if r.Connections() != 0 {
			t.Errorf("%d connections", r.Connections())
		}
	})
}

func TestNew(t *testing.T) {
	noLeaks(t)
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "0 loops") {
		t.Errorf("a reactor of no loops: %v", err)
	}
}
