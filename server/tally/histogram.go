package tally

import (
	"math"
	"math/bits"
)

// Schema is the resolution of a Histogram, as Prometheus' native histograms have it: 2^Schema buckets for each power of two, whose
// bounds are powers of 2^(1/2^Schema) seconds.
const Schema = 3

const (
	perOctave = 1 << Schema
	// LeastExponent is that of the least bucket's lower bound, a power of 2 in seconds: 1 us. What is less is counted as zero.
	LeastExponent = -20
	// MostExponent is that of the largest bucket's upper bound: 1024 s, with what is above.
	MostExponent = 10
	// Buckets is how many buckets there are.
	Buckets = (MostExponent - LeastExponent) * perOctave
)

// Histogram counts durations in buckets. Bucket i holds what is above Bound(i-1) and not above Bound(i).
type Histogram struct {
	Count  uint64
	Sum    int64 // nanoseconds
	Zero   uint64
	Bucket [Buckets]uint64
}

// Bound is the upper bound of a bucket in seconds; that of -1 is the least one's lower bound.
func Bound(i int) float64 {
	return math.Exp2(LeastExponent + float64(i+1)/perOctave)
}

// Bounds are found by integers alone. With a duration shifted to the left as far as it goes, the bounds are the same for
// every power of two: perOctave of them, because a billion nanoseconds is no power of two itself. Cells by the bits behind the
// first one tell how many of these are below; at most one bound is inside a cell, and is compared with.
const cellBits = 5

type cell struct {
	below int    // bounds that are below the cell
	bound uint64 // the one inside; MaxUint64: there is none
}

var cells, firstBound = func() (cells [1 << cellBits]cell, first int) {
	// The bounds in nanoseconds between 2^63 and 2^64, and the number of the least of them, in bounds from 1 s.
	log := math.Log2(1e9)
	first = int(math.Ceil((63 - log) * perOctave))
	for i := range cells {
		low := uint64(1)<<63 | uint64(i)<<(63-cellBits)
		high := low + (1<<(63-cellBits) - 1)
		cells[i].bound = math.MaxUint64
		for k := range perOctave {
			bound := uint64(math.Exp2(log + float64(first+k)/perOctave))
			switch {
			case bound < low:
				cells[i].below++
			case bound <= high:
				cells[i].bound = bound
			}
		}
	}
	return cells, first
}()

// bucketOf is the bucket of a duration in nanoseconds, which is positive. It may be out of range.
func bucketOf(d int64) int {
	shift := bits.LeadingZeros64(uint64(d))
	m := uint64(d) << shift
	c := &cells[m>>(63-cellBits)&(1<<cellBits-1)]
	n := c.below
	if m > c.bound {
		n++
	}
	return firstBound - shift*perOctave + n - LeastExponent*perOctave - 1
}

// Add counts a duration in nanoseconds.
func (h *Histogram) Add(d int64) {
	h.Count++
	h.Sum += d
	if d <= 0 {
		h.Zero++
		return
	}
	if i := bucketOf(d); i >= 0 {
		h.Bucket[min(i, Buckets-1)]++
	} else {
		h.Zero++
	}
}

// Merge adds what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	h.Count += o.Count
	h.Sum += o.Sum
	h.Zero += o.Zero
	for i, n := range o.Bucket {
		h.Bucket[i] += n
	}
}

// Quantile is an upper bound of the q-quantile, 0 < q <= 1, in seconds; 0 when nothing was counted.
func (h *Histogram) Quantile(q float64) float64 {
	rank := uint64(math.Ceil(q * float64(h.Count)))
	n := h.Zero
	if h.Count == 0 || rank <= n {
		return 0
	}
	for i := range h.Bucket {
		if n += h.Bucket[i]; n >= rank {
			return Bound(i)
		}
	}
	return Bound(Buckets - 1)
}
