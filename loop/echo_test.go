//go:build unix

package loop

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
)

func TestEcho(t *testing.T) {
	unixSocket := "unix:" + filepath.Join(t.TempDir(), "s")
	tests := []struct {
		name, address string
		options       ListenOptions
		evenly        bool // every loop gets the same number of connections
	}{
		{"distribute", "127.0.0.1:0", ListenOptions{}, true},
		{"reuseport", "127.0.0.1:0", ListenOptions{Sockets: 2}, false},
		{"unix", unixSocket, ListenOptions{}, true},
	}
	const connections, messages = 64, 20
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReactor(t, 2)
			var mu sync.Mutex
			opened := map[int]int{}
			ln := serve(t, r, tt.address, tt.options, hooks{opened: func(p *peer) {
				mu.Lock()
				defer mu.Unlock()
				opened[p.Loop().Index]++
				if tcp := ln(p).Network() == "tcp"; tcp != p.Remote().IsValid() {
					t.Errorf("the remote address is %v", p.Remote())
				}
			}})
			var clients sync.WaitGroup
			for i := range connections {
				c := dial(t, ln)
				clients.Go(func() {
					for j := range messages {
						// Sizes around those of the buffers: 4 KiB held, 64 KiB read at once.
						message := bytes.Repeat([]byte(fmt.Sprintf("%d-%d,", i, j)), 1+(j%5)*(j%5)*700)
						got := make([]byte, len(message))
						clients.Go(func() { _, _ = c.Write(message) })
						if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, message) {
							t.Errorf("connection %d: message %d of %d octets came back different: %v", i, j, len(message), err)
							return
						}
					}
					_ = c.CloseWrite()
					if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
						t.Errorf("connection %d: after the end came %d octets, %v", i, len(rest), err)
					}
				})
			}
			clients.Wait()
			eventually(t, "no connections", func() bool { return r.Connections() == 0 })
			mu.Lock()
			defer mu.Unlock()
			if n := opened[0] + opened[1]; n != connections {
				t.Errorf("%d connections were opened, want %d", n, connections)
			}
			// The kernel hashes addresses: 64 connections on one of two sockets are as likely as 2^-63.
			if opened[0] == 0 || opened[1] == 0 || tt.evenly && opened[0] != opened[1] {
				t.Errorf("connections of loops 0 and 1: %d, %d", opened[0], opened[1])
			}
		})
	}
}

func ln(p *peer) *Listener { return p.Listener() }

func TestRemote(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]", "[::]"} {
		t.Run(host, func(t *testing.T) {
			remote := make(chan string, 1)
			r := newReactor(t, 1)
			l, err := Listen(host+":0", ListenOptions{})
			if err != nil {
				t.Skip(err) // no IPv6
			}
			r.Listen(l, func(*Loop) Handler {
				return &peer{do: hooks{opened: func(p *peer) { remote <- p.Remote().String() }}}
			})
			r.Start()
			c := dial(t, l)
			if got := receive(t, remote, "connection"); got != c.LocalAddr().String() {
				t.Errorf("the client is %s, and seen as %s", c.LocalAddr(), got)
			}
		})
	}
}
