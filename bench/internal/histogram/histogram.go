// Package histogram counts latencies.
package histogram

import (
	"math/bits"
	"time"
)

// A Histogram counts latencies in buckets a thirty-second of a power of two
// wide, so a percentile is off by 3% at most. The zero value is empty.
type Histogram struct {
	counts [64 * subBuckets]uint32
	total  uint64
}

const (
	subBits    = 5
	subBuckets = 1 << subBits
)

// bucket numbers values below subBuckets one by one, and above them by their
// highest bit and the subBits behind it.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return shift<<subBits + int(v>>shift)
}

// lowest is the smallest value of a bucket.
func lowest(bucket int) time.Duration {
	if bucket < 2*subBuckets {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	return time.Duration(bucket-shift<<subBits) << shift
}

func (h *Histogram) Record(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
}

func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Quantile is the latency below which the fraction q of all lies; 0 when there
// are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q*float64(h.total) + 0.5)
	var seen uint64
	for i, n := range h.counts {
		if seen += uint64(n); seen >= rank && n > 0 {
			return (lowest(i) + lowest(i+1)) / 2
		}
	}
	return 0
}
