package python

import (
	"os"
	"slices"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
)

// What a worker sends is read on the loop of one of the server's cores, where its answers go out without a detour. Which loops there are is learned from
// the requests that come; until then, and where requests come from no such loop, a goroutine reads.

// homes is the loops that requests came from.
type homes struct{ list atomic.Pointer[[]app.Poller] }

func (h *homes) all() []app.Poller {
	if list := h.list.Load(); list != nil {
		return *list
	}
	return nil
}

// meet notes the loop of a request, if it is new. It returns the lane of its requests: its place in the list, or 0 when it is no Poller. Any
// goroutine may call it.
func (h *homes) meet(executor app.Executor) (lane int) {
	for i, p := range h.all() {
		if p == executor {
			return i
		}
	}
	p, ok := executor.(app.Poller)
	if !ok {
		return 0
	}
	h.change(func(list []app.Poller) []app.Poller {
		if slices.Contains(list, p) {
			return list
		}
		return append(list, p)
	})
	return max(0, slices.Index(h.all(), p))
}

// forget notes that a loop has ended.
func (h *homes) forget(p app.Poller) {
	h.change(func(list []app.Poller) []app.Poller {
		return slices.DeleteFunc(list, func(other app.Poller) bool { return other == p })
	})
}

func (h *homes) change(f func([]app.Poller) []app.Poller) {
	for {
		old := h.list.Load()
		var list []app.Poller
		if old != nil {
			list = slices.Clone(*old)
		}
		list = f(list)
		if h.list.CompareAndSwap(old, &list) {
			return
		}
	}
}

// of is the loop that the worker of a slot is read on, and its lane; nil: there is none.
func (h *homes) of(slot int) (home app.Poller, lane int) {
	if list := h.all(); len(list) > 0 {
		lane = slot % len(list)
		return list[lane], lane
	}
	return nil, anyLane
}

// read reads packets until the connection ends, which it does when the worker is dead, or until a loop does it.
func (w *worker) read() {
	for {
		if w.move(); w.home != nil {
			if w.home.AddReader(w.fd, w.readable, w.homeless) == nil {
				return
			}
			w.supervisor.homes.forget(w.home)
			continue
		}
		packet, file, err := w.reader.receiver.receive(w.fd, true)
		if !w.take(packet, file, err) {
			close(w.drained)
			return
		}
	}
}

// move notes which loop is to read.
func (w *worker) move() {
	s := w.supervisor
	home, lane := s.homes.of(w.slot)
	w.home = home
	s.mu.Lock()
	w.lane = lane
	s.mu.Unlock()
}

// readable reads a packet, on the loop.
func (w *worker) readable() {
	packet, file, err := w.reader.receiver.receive(w.fd, false)
	if err == errNothing {
		return
	}
	if !w.take(packet, file, err) {
		w.home.RemoveReader(w.fd)
		close(w.drained)
		return
	}
	if home, _ := w.supervisor.homes.of(w.slot); home != w.home { // more loops are known by now
		w.home.RemoveReader(w.fd)
		go w.read()
	}
}

// homeless goes on reading when the loop has ended.
func (w *worker) homeless() {
	w.supervisor.homes.forget(w.home)
	go w.read()
}

// take sees to a packet. It is false when there is nothing more to read.
func (w *worker) take(packet []byte, file *os.File, err error) bool {
	if packet == nil || err != nil {
		closeFile(file)
		return false
	}
	if err := w.receive(packet, file); err != nil {
		w.supervisor.log.Error("worker has sent what nobody understands and is killed", "pid", w.pid, "error", err)
		w.kill()
		return false
	}
	return true
}
