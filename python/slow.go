package python

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// slowPaths remembers paths whose calls take long, so that only their requests come one by one, alone in a worker, and others go on coming
// together. It is for workers that make one call at a time. The zero value is empty; any goroutine may call its methods.
type slowPaths struct {
	known atomic.Int32 // of them
	mu    sync.RWMutex
	paths map[string]*slowPath
}

// slowPath is what is known of one path. Supervisor.mu guards history.
type slowPath struct {
	name    string // percent-encoded, as it was received
	history uint64 // a bit for each of the last 64 calls, the newest lowest: it took long
}

const (
	maxSlowPaths = 1024
	// maxSlowPath bounds the length of a path that is remembered, in octets.
	maxSlowPath = 1024
	// slowCalls is from how many long calls of the last 64 on a path is slow: a tenth. Fewer may be the system's doing.
	slowCalls = 7
)

// isSlow tells whether the next call of the path better has nothing behind it. p may be nil.
func (p *slowPath) isSlow() bool { return p != nil && bits.OnesCount64(p.history) >= slowCalls }

// find returns what is known of a path, nil when it is nothing.
func (s *slowPaths) find(path []byte) *slowPath {
	if s.known.Load() == 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.paths[string(path)]
}

// note takes note of a call of path, about which p is what was known when its request came. Supervisor.mu is held.
func (s *slowPaths) note(p *slowPath, path []byte, long bool) {
	if p == nil && !long {
		return
	}
	if p == nil {
		if p = s.learn(path); p == nil {
			return
		}
	}
	p.history <<= 1
	if long {
		p.history |= 1
	}
	if p.history == 0 {
		s.forget(p)
	}
}

// learn returns the entry of a path, in the place of one that is not slow if there is no other; nil when all are, or the path is too long.
// Supervisor.mu is held.
func (s *slowPaths) learn(path []byte) *slowPath {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.paths[string(path)]
	if p != nil || len(path) > maxSlowPath {
		return p
	}
	if len(s.paths) == maxSlowPaths {
		for name, other := range s.paths {
			if !other.isSlow() {
				delete(s.paths, name)
				break
			}
		}
		if len(s.paths) == maxSlowPaths {
			return nil
		}
	}
	if s.paths == nil {
		s.paths = make(map[string]*slowPath)
	}
	p = &slowPath{name: string(path)}
	s.paths[p.name] = p
	s.known.Store(int32(len(s.paths)))
	return p
}

// forget removes an entry. A request that still has it is none the worse.
func (s *slowPaths) forget(p *slowPath) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paths[p.name] == p {
		delete(s.paths, p.name)
		s.known.Store(int32(len(s.paths)))
	}
}
