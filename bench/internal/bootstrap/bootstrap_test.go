package bootstrap

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Interval
	}{
		{[]float64{3}, Interval{3, 3, 3}},
		{[]float64{2, 2, 2, 2, 2}, Interval{2, 2, 2}},
		{[]float64{5, 1, 4, 2, 3}, Interval{3, 1, 5}}, // the least is drawn three times of five in 5.8 % of the draws
		{[]float64{1, 1, 1, 1, 9}, Interval{1, 1, 9}},
	} {
		if got := Median(c.values); got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
	if got := Median(nil); !math.IsNaN(got.Middle) {
		t.Errorf("of nothing: got %v", got)
	}
}

// TestRatio: what a round does to both figures is in neither bound.
func TestRatio(t *testing.T) {
	b := []float64{1, 5, 2, 9, 3}
	a := make([]float64, len(b))
	for i := range b {
		a[i] = 1.5 * b[i]
	}
	if got, ok := Ratio(a, b); !ok || got != (Interval{1.5, 1.5, 1.5}) {
		t.Errorf("got %v, %v", got, ok)
	}
	for _, c := range []struct{ a, b []float64 }{
		{nil, nil}, {[]float64{1}, nil}, {[]float64{1, 0}, []float64{1, 1}}, {[]float64{1, 1}, []float64{1, math.NaN()}},
	} {
		if got, ok := Ratio(c.a, c.b); ok {
			t.Errorf("%v: got %v", c, got)
		}
	}
}

// TestUnpaired: what is equal in each has no width, and the noise of both widens the interval.
func TestUnpaired(t *testing.T) {
	if got, ok := Unpaired([]float64{3, 3, 3}, []float64{2, 2}); !ok || got != (Interval{1.5, 1.5, 1.5}) {
		t.Errorf("got %v, %v", got, ok)
	}
	got, ok := Unpaired([]float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 4, 5})
	if !ok || got.Middle != 1 || got.Low > 0.4 || got.High < 2.5 {
		t.Errorf("got %v, %v", got, ok)
	}
	if _, ok := Unpaired([]float64{1, -1}, []float64{1}); ok {
		t.Error("a ratio of a negative figure")
	}
}

// TestCoverage: of many intervals around figures with noise, about 95 % hold the true median.
func TestCoverage(t *testing.T) {
	const trials, truth = 400, 1.05
	random := rand.New(rand.NewPCG(3, 5))
	for _, rounds := range []int{5, 9, 15} {
		held := 0
		for range trials {
			a, b := make([]float64, rounds), make([]float64, rounds)
			for i := range rounds {
				both := math.Exp(0.3 * random.NormFloat64())
				a[i] = truth * both * math.Exp(0.02*random.NormFloat64())
				b[i] = both * math.Exp(0.02*random.NormFloat64())
			}
			if got, ok := Ratio(a, b); ok && got.Low <= truth && truth <= got.High {
				held++
			}
		}
		if share := float64(held) / trials; share < 0.885 || share > 0.995 {
			t.Errorf("%d rounds: %.3f of the intervals hold the ratio", rounds, share)
		}
	}
}
