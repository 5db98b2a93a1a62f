// Package bootstrap tells how sure a median is, by drawing again from what was measured.
package bootstrap

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	draws = 4000
	tail  = 0.025 // on either side of a 95 % interval
)

// An Interval is a figure with the bounds between which it lies with about 95 % confidence.
type Interval struct {
	Middle float64 `json:"middle"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// Median of the values, which are at least one. The same values give the same interval. With fewer than five values it is narrower
// than it says.
func Median(values []float64) Interval {
	n := len(values)
	if n == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN()}
	}
	random := rand.New(rand.NewPCG(1, uint64(n)))
	medians := make([]float64, draws)
	drawn := make([]float64, n)
	for i := range medians {
		for j := range drawn {
			drawn[j] = values[random.IntN(n)]
		}
		medians[i] = median(drawn)
	}
	slices.Sort(medians)
	return Interval{median(slices.Clone(values)), medians[int(tail*draws)], medians[int((1-tail)*draws)]}
}

// Ratio is the median of a[i]/b[i]. The two are paired by their index, so that what a minute of the machine does to both cancels out.
// It is false when the figures are not in pairs, or one is not positive.
func Ratio(a, b []float64) (Interval, bool) {
	if len(a) != len(b) || len(a) == 0 {
		return Interval{}, false
	}
	ratios := make([]float64, len(a))
	for i := range a {
		if !(a[i] > 0 && b[i] > 0) {
			return Interval{}, false
		}
		ratios[i] = a[i] / b[i]
	}
	return Median(ratios), true
}

// median sorts its argument.
func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
