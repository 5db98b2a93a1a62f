//go:build unix

package loop

import "sync"

// clients counts the open connections of each client address, for Options.MaxPerAddress.
type clients struct {
	mu   sync.Mutex
	max  int             // guarded by mu
	open map[address]int // by IP address, port 0; guarded by mu
}

func (k *clients) setMax(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.max = n
}

// enter counts a connection in, unless its client has as many as it may.
func (k *clients) enter(remote address) (within bool) {
	if remote.size == 0 { // a Unix socket
		return true
	}
	remote.port = 0
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[remote] >= k.max {
		return false
	}
	k.open[remote]++
	return true
}

// leave counts it out.
func (k *clients) leave(remote address) {
	if remote.size == 0 {
		return
	}
	remote.port = 0
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[remote]--; k.open[remote] <= 0 {
		delete(k.open, remote)
	}
}
