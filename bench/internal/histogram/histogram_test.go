package histogram

import (
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 31, 32, 33, 63, 64, 65, 1000, 12345, time.Millisecond, time.Second, time.Hour} {
		b := bucket(d)
		if low, high := lowest(b), lowest(b+1); d < low || d >= high || float64(high-low) > 1+float64(d)/subBuckets {
			t.Errorf("%d lies in bucket %d, from %d to %d", d, b, low, high)
		}
	}
}

func TestQuantile(t *testing.T) {
	var one, two, all Histogram
	for i := range 1000 {
		h := &one
		if i%2 == 1 {
			h = &two
		}
		h.Record(time.Duration(i+1) * time.Microsecond)
	}
	all.Add(&one)
	all.Add(&two)
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond} {
		if got := all.Quantile(q); got < want*96/100 || got > want*104/100 {
			t.Errorf("%v: got %v, want about %v", q, got, want)
		}
	}
	if got := new(Histogram).Quantile(0.5); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}
