package main

import (
	"strings"
	"testing"
	"time"
)

// TestCheck: each way in which a client may not have got what it must have is a fault.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		got   [2][]uint64 // of both clients
		acked uint64      // the id of the last message, 0 when it was not acknowledged
		want  string      // "" for no fault
	}{
		{"all", [2][]uint64{{1, 2, 3}, {1, 2, 3}}, 3, ""},
		{"none has what was not acknowledged", [2][]uint64{{1, 2}, {1, 2}}, 0, ""},
		{"all have what was not acknowledged", [2][]uint64{{1, 2, 3}, {1, 2, 3}}, 0, ""},
		{"one has not what was not acknowledged", [2][]uint64{{1, 2, 3}, {1, 2}}, 0, "2 messages of 3"},
		{"lost", [2][]uint64{{1, 2, 3}, {1, 3}}, 3, "3 as its message 1"},
		{"lost at the end", [2][]uint64{{1, 2}, {1, 2}}, 3, "2 messages of 3"},
		{"twice", [2][]uint64{{1, 2, 2, 3}, {1, 2, 3}}, 3, "2 as its message 2"},
		{"out of order", [2][]uint64{{1, 3, 2}, {1, 2, 3}}, 3, "3 as its message 1"},
		{"another id", [2][]uint64{{1, 2, 4}, {1, 2, 4}}, 3, "came with the id 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &messages{all: make([]message, 3), begun: time.Now()}
			for i := range l.all {
				l.all[i].id = uint64(i + 1)
			}
			l.all[2].id = c.acked
			crowd := &crowd{o: &options{topics: 1, clients: 2}}
			for _, ids := range c.got {
				for _, id := range ids {
					l.read(min(int(id), 3)-1, id, 0)
				}
				crowd.clients = append(crowd.clients, &reader{crowd: crowd, ids: ids})
			}
			_, faults, wrong := l.check(crowd)
			if (faults == 0) != (c.want == "") || !strings.Contains(strings.Join(wrong, "\n"), c.want) {
				t.Errorf("%d faults: %q", faults, wrong)
			}
		})
	}
}

// TestWhole: the service is whole again when the last message that was late or failed is over.
func TestWhole(t *testing.T) {
	const s = time.Second
	l := &messages{all: []message{
		{at: 1 * s, id: 1, reads: []time.Duration{9 * s}}, // long before
		{at: 10 * s, id: 2, reads: []time.Duration{10*s + 1, 13 * s}},
		{at: 11 * s, failed: 16 * s},
		{at: 12 * s, id: 3, reads: []time.Duration{12*s + 5}},
		{at: 21 * s, id: 4, reads: []time.Duration{29 * s}}, // of what comes next
	}}
	after, failed, late := l.whole(10*s, 20*s)
	if after != 6*s || failed != 1 || late != 1 {
		t.Errorf("whole after %v, %d failed, %d late", after, failed, late)
	}
}
