//go:build unix

package loop

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const lap = slots * slotTime

func newWheel(now int64) *wheel {
	w := &wheel{}
	w.init(now)
	return w
}

func TestWheelExpiry(t *testing.T) {
	const start = 12345 * slotTime
	tests := []struct {
		name string
		in   int64 // from start
	}{
		{"past", -5 * slotTime},
		{"now", 0},
		{"in this slot", 1},
		{"next slot", slotTime},
		{"in a second", 1e9},
		{"a slot less than a lap", lap - slotTime},
		{"a lap", lap},
		{"a lap and a bit", lap + 1},
		{"a slot more than a lap", lap + slotTime},
		{"seven laps", 7*lap + 3*slotTime + 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWheel(start)
			var now, ran int64
			at := start + tt.in
			w.add(&timer{at: at, f: func() { ran = now }})
			for wakeUps := 0; ran == 0; wakeUps++ {
				now = w.next()
				if now == math.MaxInt64 || wakeUps > 8 {
					t.Fatalf("lost after %d wake-ups", wakeUps)
				}
				w.advance(now)
			}
			if ran < at || ran > max(at, start)+slotTime {
				t.Errorf("ran %d ns after its time, slots have %d", ran-at, int64(slotTime))
			}
			if n := w.next(); n != math.MaxInt64 {
				t.Errorf("next is %d in an empty wheel", n)
			}
		})
	}
}

// A wheel that was not advanced for laps, because it was empty, must be right at once.
func TestWheelAfterPause(t *testing.T) {
	w := newWheel(0)
	now := int64(100*lap + 17*slotTime)
	ran := false
	w.add(&timer{at: now + 2*lap, f: func() { ran = true }})
	w.advance(now)
	for !ran {
		if now = w.next(); now == math.MaxInt64 {
			t.Fatal("lost")
		}
		w.advance(now)
	}
	if due := int64(102*lap + 17*slotTime); now < due || now > due+slotTime {
		t.Errorf("ran %d slots after its time", (now-due)/slotTime)
	}
}

func TestWheelChangesWhileExpiring(t *testing.T) {
	w := newWheel(0)
	var order []string
	note := func(s string) func() { return func() { order = append(order, s) } }
	const at = 10 * slotTime
	victim := &timer{at: at, f: note("victim")}
	later := &timer{at: 20 * slotTime, f: note("later victim")}
	again := 3
	var self *timer
	self = &timer{at: at, f: func() {
		order = append(order, "self")
		if again--; again > 0 {
			self.at = at // due: the next slot
			w.add(self)
		}
	}}
	w.add(&timer{at: at, f: func() { w.remove(victim); w.remove(later); w.remove(victim) }})
	w.add(victim)
	w.add(later)
	w.add(self)
	w.add(&timer{at: at, f: note("last")})
	w.advance(30 * slotTime)
	if want := []string{"self", "last", "self", "self"}; !slices.Equal(order, want) {
		t.Errorf("ran %v, want %v", order, want)
	}
	if n := w.next(); n != math.MaxInt64 {
		t.Errorf("next is %d in an empty wheel", n)
	}
}

// TestWheelModel compares with the obvious: a list of times.
func TestWheelModel(t *testing.T) {
	type entry struct {
		timer
		ran, removed bool
	}
	random := rand.New(rand.NewPCG(1, 2))
	now := int64(5 * slotTime)
	w := newWheel(now)
	var entries []*entry
	for range 20_000 {
		switch random.IntN(4) {
		case 0, 1:
			e := &entry{}
			e.at = now + random.Int64N([]int64{slotTime, 100 * slotTime, 3 * lap}[random.IntN(3)])
			due := e.at
			e.f = func() {
				if e.ran || e.removed || now < due {
					t.Fatalf("ran: again %v, removed %v, %d ns early", e.ran, e.removed, due-now)
				}
				e.ran = true
			}
			w.add(&e.timer)
			entries = append(entries, e)
		case 2:
			if len(entries) > 0 {
				e := entries[random.IntN(len(entries))]
				w.remove(&e.timer)
				e.removed = true
			}
		case 3:
			now += random.Int64N([]int64{slotTime / 2, 10 * slotTime, 2 * lap}[min(2, random.IntN(40))])
			w.advance(now)
			entries = slices.DeleteFunc(entries, func(e *entry) bool { return e.ran || e.removed })
			next := w.next()
			for _, e := range entries {
				if e.at+slotTime < now {
					t.Fatalf("a timer is %d slots late", (now-e.at)/slotTime)
				}
				if next > e.at+slotTime {
					t.Fatalf("the next wake-up is %d slots after a timer's time", (next-e.at)/slotTime)
				}
			}
		}
	}
	for len(entries) > 0 && w.next() != math.MaxInt64 {
		now = w.next()
		w.advance(now)
		entries = slices.DeleteFunc(entries, func(e *entry) bool { return e.ran || e.removed })
	}
	if len(entries) > 0 {
		t.Errorf("%d timers were lost", len(entries))
	}
}
