package interval

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTQuantile compares with the table that every textbook has.
func TestTQuantile(t *testing.T) {
	for degrees, want := range map[int]float64{
		1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 19: 2.093, 20: 2.086, 49: 2.010,
	} {
		if got := tQuantile(degrees); math.Abs(got-want) > 0.0006 {
			t.Errorf("%d degrees of freedom: got %.4f, want %.3f", degrees, got, want)
		}
	}
}

// TestOfRatio: a case worked out by hand. The logarithms are ln 1.1,
// ln 1, ln 1.1, ln 1: mean 0.0476551, standard deviation 0.0550274.
func TestOfRatio(t *testing.T) {
	got, err := OfRatio([]float64{1.1, 2, 3.3, 4}, []float64{1, 2, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	half := 3.182446 * 0.0550274 / 2
	want := Interval{math.Exp(0.0476551), math.Exp(0.0476551 - half), math.Exp(0.0476551 + half)}
	for _, pair := range [][2]float64{{got.Ratio, want.Ratio}, {got.Low, want.Low}, {got.High, want.High}} {
		if math.Abs(pair[0]-pair[1]) > 1e-5 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestPairing: what a round does to both figures is in neither bound.
func TestPairing(t *testing.T) {
	b := []float64{1, 5, 2, 9, 3}
	a := make([]float64, len(b))
	for i := range b {
		a[i] = 1.02 * b[i]
	}
	got, err := OfRatio(a, b)
	if err != nil || math.Abs(got.Low-1.02) > 1e-9 || math.Abs(got.High-1.02) > 1e-9 {
		t.Errorf("got %+v, %v", got, err)
	}
	inverse, _ := OfRatio(b, a)
	if math.Abs(inverse.Ratio*got.Ratio-1) > 1e-9 {
		t.Errorf("B to A is %v, A to B is %v", inverse.Ratio, got.Ratio)
	}
}

func TestNoInterval(t *testing.T) {
	for _, c := range []struct{ a, b []float64 }{
		{nil, nil},
		{[]float64{1}, []float64{1}},
		{[]float64{1, 2}, []float64{1}},
		{[]float64{1, 0}, []float64{1, 1}},
		{[]float64{1, 1}, []float64{1, -1}},
		{[]float64{1, math.NaN()}, []float64{1, 1}},
	} {
		if got, err := OfRatio(c.a, c.b); err == nil {
			t.Errorf("%v, %v: got %+v, want an error", c.a, c.b, got)
		}
	}
}

// TestCoverage: of many intervals around figures with noise, about 95 % hold
// the true ratio.
func TestCoverage(t *testing.T) {
	const trials, rounds, truth = 4000, 10, 1.05
	random := rand.New(rand.NewPCG(3, 5))
	held := 0
	for range trials {
		a, b := make([]float64, rounds), make([]float64, rounds)
		for i := range rounds {
			both := math.Exp(0.3 * random.NormFloat64())
			a[i] = truth * both * math.Exp(0.02*random.NormFloat64())
			b[i] = both * math.Exp(0.02*random.NormFloat64())
		}
		got, err := OfRatio(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if got.Low <= truth && truth <= got.High {
			held++
		}
	}
	if share := float64(held) / trials; math.Abs(share-confidence) > 0.015 {
		t.Errorf("%.3f of the intervals hold the ratio", share)
	}
}
