package tally

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	const turn = int64(1) << (momentBits + unitBits) // 52 days
	for _, from := range []int64{16, 17, 31, 1e9, turn - 16, turn - 1, turn, turn + 5, 3*turn + 12345} {
		m := momentOf(from)
		if m == (Moment{}) {
			t.Errorf("%d has the zero Moment", from)
		}
		for _, d := range []time.Duration{16, time.Microsecond, time.Second, 24 * time.Hour, 51 * 24 * time.Hour} {
			got := m.until(from + int64(d))
			if off := got - int64(d); off < -32 || off > 32 {
				t.Errorf("from %d, after %v: %v", from, d, time.Duration(got))
			}
		}
	}
}

// TestRequests: requests that come together follow one another in time, and each has its own.
func TestRequests(t *testing.T) {
	var r Requests
	r.Arrive()
	first := r.Begin()
	r.End(first, 200)
	second := r.Begin()
	if time.Sleep(2 * time.Millisecond); r.Active != 1 || second == (Moment{}) {
		t.Errorf("%d are active, the second began %v", r.Active, second)
	}
	r.End(second, 5000)
	r.End(Moment{}, 400) // it was never whole
	r.Refuse(3)
	var all Requests
	all.Merge(&r)
	if all.Active != 0 || all.Latency.Count != 2 || all.Latency.Sum < int64(2*time.Millisecond) ||
		all.Answered[200] != 1 || all.Answered[Codes-1] != 1 || all.Answered[400] != 1 || all.Malformed[3] != 1 {
		t.Errorf("active %d, latency %d, %d", all.Active, all.Latency.Count, all.Latency.Sum)
	}
}
