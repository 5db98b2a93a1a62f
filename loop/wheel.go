//go:build unix

package loop

import "math"

// The wheel's slots, and the nanoseconds of one: a lap is 65 seconds. Longer timers go round again.
const (
	slots    = 4096
	slotTime = 16e6
)

// timer is an entry of the wheel: a connection's, or a function.
type timer struct {
	prev, next *timer
	at         int64 // nanoseconds since epoch; 0: not in the wheel
	conn       *Conn
	f          func()
}

// wheel is a hashed timing wheel. Adding and removing cost a few stores. It is the loop's own.
type wheel struct {
	slot [slots]timer // sentinels of the lists
	used [slots / 64]uint64
	pos  int64 // the slot number up to which timers have expired
}

func (w *wheel) init(now int64) {
	for i := range w.slot {
		s := &w.slot[i]
		s.prev, s.next = s, s
	}
	w.pos = now / slotTime
}

// add puts t into the wheel by t.at, and returns when its slot is reached.
func (w *wheel) add(t *timer) (at int64) {
	n := max(t.at/slotTime+1, w.pos+1)
	n = min(n, w.pos+slots-1)
	i := n % slots
	s := &w.slot[i]
	t.prev, t.next = s.prev, s
	t.prev.next, s.prev = t, t
	w.used[i/64] |= 1 << (i % 64)
	return n * slotTime
}

// remove takes t out, if it is in.
func (w *wheel) remove(t *timer) {
	if t.next != nil {
		t.prev.next, t.next.prev = t.next, t.prev
		t.prev, t.next = nil, nil
	}
	t.at = 0
}

// advance expires the timers of all slots up to now.
func (w *wheel) advance(now int64) {
	end := now / slotTime
	if end-w.pos > slots {
		w.pos = end - slots
	}
	for w.pos < end {
		w.pos++
		i := w.pos % slots
		if w.used[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		w.used[i/64] &^= 1 << (i % 64)
		// The list is taken off first: what expires may add timers to this very slot, for the next lap.
		s := &w.slot[i]
		var due timer
		if s.next == s {
			continue
		}
		due.next, due.prev = s.next, s.prev
		due.next.prev, due.prev.next = &due, &due
		s.prev, s.next = s, s
		for due.next != &due {
			t := due.next
			w.expire(t, now)
		}
	}
}

func (w *wheel) expire(t *timer, now int64) {
	at := t.at
	w.remove(t)
	switch {
	case t.conn != nil:
		t.conn.expire()
	case at > now: // a lap or more to go
		t.at = at
		w.add(t)
	default:
		t.f()
	}
}

// next is when the first slot that is not empty is reached, math.MaxInt64 when all are empty.
func (w *wheel) next() int64 {
	for n := w.pos + 1; n < w.pos+slots; n++ {
		i := n % slots
		if w.used[i/64] == 0 {
			n |= 63 // on to the last slot of this word
			continue
		}
		if w.used[i/64]&(1<<(i%64)) != 0 {
			if s := &w.slot[i]; s.next != s {
				return n * slotTime
			}
			w.used[i/64] &^= 1 << (i % 64)
		}
	}
	return math.MaxInt64
}
