package hub

import (
	"time"
	"unsafe"
)

// PollSize is what a held poll takes.
const PollSize = unsafe.Sizeof(poll{})

// SliceSize is how many waiters a loop wakes in a row.
const SliceSize = sliceSize

// Sweep has m forget what is too old at the time now.
func (m *Memory) Sweep(now time.Time) { m.sweep(now) }

// Bytes is what m counts against its bounds.
func (m *Memory) Bytes() int { return int(m.bytes.Load()) }

// Links is the number of links in h's table.
func (h *Hub) Links() (n int) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for _, m := range s.topics {
			for ; m != nil; m = m.next {
				n += m.n
			}
		}
		s.mu.Unlock()
	}
	return n
}

// Keepers is the number of loops with a timer.
func (h *Hub) Keepers() int {
	h.keepers.mu.Lock()
	defer h.keepers.mu.Unlock()
	return len(h.keepers.of)
}

// JournalSize is how many messages a Memory knows of all topics together.
const JournalSize = journalSize

// Patterns is the number of nodes of h's tree of patterns.
func (h *Hub) Patterns() int {
	h.patterns.mu.RLock()
	defer h.patterns.mu.RUnlock()
	return h.patterns.root.size()
}

func (n *patternNode) size() (nodes int) {
	for _, next := range n.next {
		nodes += 1 + next.size()
	}
	return nodes
}
