package exchange

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Paths is a table of paths whose applications have blocked. A path enters it when a call of it has stopped a loop. It is
// bounded: paths with the fewest blocking calls make room. The zero value is empty. All goroutines may use it.
type Paths struct {
	mu    sync.Mutex // held by writers
	known atomic.Int32
	sets  [pathSets][pathWays]atomic.Pointer[Path]
}

// The table has sets of places; a path's hash tells its set.
const (
	pathSets = 256
	pathWays = 4
)

// maxPath bounds the length of a path in the table, in octets. Longer ones are not learned.
const maxPath = 1024

// Path is what is known of one path.
type Path struct {
	// Path is the path as it was received: percent-encoded.
	Path string
	// history has a bit for each of the last 64 calls, the newest lowest: it blocked.
	history atomic.Uint64
}

// blockingCalls is from how many of a path's last 64 calls on it is one that blocks: a tenth. Less would condemn innocent paths,
// because a busy system takes a loop off its core for milliseconds.
const blockingCalls = 7

// Blocks tells whether requests of the path go to a goroutine.
func (p *Path) Blocks() bool { return p.Blocked() >= blockingCalls }

// Blocked is how many of the last 64 calls have blocked.
func (p *Path) Blocked() int { return bits.OnesCount64(p.history.Load()) }

// note takes note of a call.
func (p *Path) note(blocked bool) {
	for {
		old := p.history.Load()
		history := old << 1
		if blocked {
			history |= 1
		}
		if p.history.CompareAndSwap(old, history) {
			return
		}
	}
}

// All calls f for each path of the table until it returns false.
func (t *Paths) All(f func(*Path) bool) {
	for i := range t.sets {
		for j := range t.sets[i] {
			if p := t.sets[i][j].Load(); p != nil && !f(p) {
				return
			}
		}
	}
}

var pathSeed = maphash.MakeSeed()

func (t *Paths) empty() bool { return t.known.Load() == 0 }

// find returns what is known of path, nil when it is nothing.
func (t *Paths) find(path []byte) *Path {
	set := &t.sets[maphash.Bytes(pathSeed, path)%pathSets]
	for i := range set {
		if p := set[i].Load(); p != nil && p.Path == string(path) {
			return p
		}
	}
	return nil
}

// add notes the first call of path that has blocked. It returns nil for a path that is too long.
func (t *Paths) add(path []byte) *Path {
	if len(path) > maxPath {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.find(path)
	if p == nil {
		p = &Path{Path: string(path)}
		set := &t.sets[maphash.Bytes(pathSeed, path)%pathSets]
		place := &set[0]
		for i := range set {
			old := set[i].Load()
			if old == nil {
				place = &set[i]
				t.known.Add(1)
				break
			}
			if old.Blocked() < place.Load().Blocked() {
				place = &set[i]
			}
		}
		place.Store(p)
	}
	p.note(true)
	return p
}
