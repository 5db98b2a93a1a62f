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
	if len(values) == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN()}
	}
	d := newDrawing(len(values))
	return d.interval(median(slices.Clone(values)), func() float64 { return d.median(values) })
}

// Unpaired is the ratio of the median of a to that of b, of figures that were not measured in turns. It is false as for Ratio, but the
// two need not be equally many.
func Unpaired(a, b []float64) (Interval, bool) {
	if len(a) == 0 || len(b) == 0 || !(slices.Min(a) > 0 && slices.Min(b) > 0) {
		return Interval{}, false
	}
	d := newDrawing(max(len(a), len(b)))
	return d.interval(median(slices.Clone(a))/median(slices.Clone(b)), func() float64 { return d.median(a) / d.median(b) }), true
}

// A drawing draws with replacement.
type drawing struct {
	random *rand.Rand
	drawn  []float64
}

func newDrawing(most int) drawing {
	return drawing{rand.New(rand.NewPCG(1, uint64(most))), make([]float64, most)}
}

func (d drawing) median(values []float64) float64 {
	drawn := d.drawn[:len(values)]
	for i := range drawn {
		drawn[i] = values[d.random.IntN(len(values))]
	}
	return median(drawn)
}

func (d drawing) interval(middle float64, draw func() float64) Interval {
	all := make([]float64, draws)
	for i := range all {
		all[i] = draw()
	}
	slices.Sort(all)
	return Interval{middle, all[int(tail*draws)], all[int((1-tail)*draws)]}
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
