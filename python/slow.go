package python

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// slowPaths remembers paths whose calls take long, so that only their requests come one by one, alone in a worker, and others go on coming
// together. It is for workers that make one call at a time. The zero value is empty. Any goroutine may call find.
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

// tookLong tells whether r, whose call has ended at time t, took long after the worker had found it to.
func (r *request) tookLong(t int64) bool { return r.noticed > 0 && t-r.noticed > int64(slowCall) }

// learn takes note of r's call, which has ended. mu is held.
func (s *Supervisor) learn(r *request, long bool) {
	if long && !r.slow.isSlow() {
		s.longAt = now()
	}
	if s.capacity() == 1 {
		s.slow.note(r.slow, r.packet.path, long)
	}
}

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
	if p == nil && long {
		p = s.entry(path)
	}
	if p == nil {
		return
	}
	p.history <<= 1
	if long {
		p.history |= 1
	}
	if p.history == 0 {
		s.forget(p)
	}
}

// entry returns the entry of a path, in the place of another, one that is not slow if there is one, when there are too many; nil when the path is too long.
// Supervisor.mu is held.
func (s *slowPaths) entry(path []byte) *slowPath {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.paths[string(path)]
	if p != nil || len(path) > maxSlowPath {
		return p
	}
	if len(s.paths) == maxSlowPaths {
		victim := ""
		for name, other := range s.paths {
			if victim = name; !other.isSlow() {
				break
			}
		}
		delete(s.paths, victim)
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
