package hub

import (
	"math"
	"slices"
	"sync"

	"github.com/weirhttp/weir/app"
)

// keepers send the streams their signs of life: one timer for all streams of a loop, and none where there is no
// stream.
type keepers struct {
	mu sync.Mutex
	of map[app.Executor]*keeper
}

// keeper has the streams of a loop; they are guarded by keepers.mu.
type keeper struct {
	hub      *Hub
	executor app.Executor
	streams  []*stream
}

func (k *keepers) add(h *Hub, s *stream) {
	executor := s.outlet.Executor()
	k.mu.Lock()
	of := k.of[executor]
	fresh := of == nil
	if fresh {
		of = &keeper{hub: h, executor: executor}
		k.of[executor] = of
	}
	s.keeper, s.index = of, len(of.streams)
	of.streams = append(of.streams, s)
	k.mu.Unlock()
	if fresh {
		of.schedule()
	}
}

// remove puts the last stream of the loop in the place of s. A round goes from the last to the first: it leaves none
// out.
func (k *keepers) remove(s *stream) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := s.keeper
	last := len(of.streams) - 1
	of.streams[s.index] = of.streams[last]
	of.streams[s.index].index = s.index
	of.streams[last] = nil
	of.streams = of.streams[:last]
}

func (k *keeper) schedule() {
	k.executor.After(k.hub.options.KeepAlive, func() { k.round(math.MaxInt) })
}

// round sends signs of life to the streams below the index end, a slice of them at a time. It runs on the loop.
func (k *keeper) round(end int) {
	keepers := &k.hub.keepers
	keepers.mu.Lock()
	end = min(end, len(k.streams))
	begin := max(end-sliceSize, 0)
	slice := slices.Clone(k.streams[begin:end])
	if len(k.streams) == 0 {
		delete(keepers.of, k.executor)
	}
	keepers.mu.Unlock()
	for _, s := range slice {
		s.keepAlive()
	}
	switch {
	case begin > 0:
		k.executor.Post(func() { k.round(begin) })
	case len(slice) > 0:
		k.schedule()
	}
}
