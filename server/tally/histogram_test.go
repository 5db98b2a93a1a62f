package tally

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestBucketOf: integers find the bucket that logarithms would.
func TestBucketOf(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	check := func(d int64) {
		t.Helper()
		i := bucketOf(d)
		seconds := float64(d) / 1e9
		// A nanosecond is less than the precision of a double is at 2^63 ns: the bound itself may fall on either side.
		if low, high := Bound(i-1), Bound(i); seconds < low*(1-1e-12) || seconds > high*(1+1e-12) {
			t.Fatalf("%d ns is in bucket %d, from %g s to %g s", d, i, low, high)
		}
	}
	for range 200_000 {
		check(1 + random.Int64()>>random.IntN(63))
	}
	for i := range Buckets {
		d := int64(Bound(i) * 1e9)
		for _, d := range []int64{d - 1, d, d + 1} {
			check(d)
		}
	}
	check(1)
	check(math.MaxInt64)
}

func TestHistogram(t *testing.T) {
	var h, o Histogram
	for _, d := range []int64{-1, 0, 1, 900, 1e6, 1e6, 5e9, math.MaxInt64 / 2} {
		h.Add(d)
	}
	if h.Count != 8 || h.Zero != 4 || h.Bucket[Buckets-1] != 1 {
		t.Errorf("count %d, zero %d, last %d", h.Count, h.Zero, h.Bucket[Buckets-1])
	}
	o.Add(1e6)
	o.Merge(&h)
	total := o.Zero
	for _, n := range o.Bucket {
		total += n
	}
	if total != 9 || o.Count != 9 {
		t.Errorf("%d in the buckets, count %d; want 9", total, o.Count)
	}
	if p50 := o.Quantile(0.5); p50 < 1e-3 || p50 > 1.1e-3 {
		t.Errorf("the median is %g", p50)
	}
	if top := o.Quantile(1); top != 1024 {
		t.Errorf("the maximum is %g", top)
	}
	if empty := new(Histogram).Quantile(0.99); empty != 0 {
		t.Errorf("of nothing: %g", empty)
	}
}

func BenchmarkAdd(b *testing.B) {
	var h Histogram
	d := int64(12_345)
	for b.Loop() {
		h.Add(d)
		d += 77
	}
}
