// Package interval tells how sure a ratio of measured figures is.
package interval

import (
	"errors"
	"math"
)

// An Interval is a ratio with the bounds between which it lies with 95 %
// confidence.
type Interval struct {
	Ratio, Low, High float64
}

const confidence = 0.95

// OfRatio is the geometric mean of a[i]/b[i], with Student's t interval
// of the mean of their logarithms. Figures are paired by their index, so that
// what a minute of the machine does to both cancels out, and are taken as
// logarithms, so that A to B and B to A say the same.
func OfRatio(a, b []float64) (Interval, error) {
	n := len(a)
	if n != len(b) {
		return Interval{}, errors.New("the figures are not in pairs")
	}
	if n < 2 {
		return Interval{}, errors.New("an interval needs two pairs or more")
	}
	logs := make([]float64, n)
	mean := 0.0
	for i := range logs {
		if !(a[i] > 0 && b[i] > 0) {
			return Interval{}, errors.New("a figure is not positive: the runs were too short")
		}
		logs[i] = math.Log(a[i] / b[i])
		mean += logs[i] / float64(n)
	}
	squares := 0.0
	for _, v := range logs {
		squares += (v - mean) * (v - mean)
	}
	standardError := math.Sqrt(squares / float64(n-1) / float64(n))
	half := tQuantile(n-1) * standardError
	return Interval{math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half)}, nil
}

// tQuantile is the t for which Student's distribution has the confidence
// between -t and t. It halves an interval that holds it: at one degree of
// freedom it is 12.7.
func tQuantile(degrees int) float64 {
	low, high := 0.0, 16.0
	for range 60 {
		middle := (low + high) / 2
		if tWithin(middle, degrees) < confidence {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// tWithin is the probability between -t and t, for whole degrees of freedom
// (Abramowitz and Stegun, 26.7.3 and 26.7.4).
func tWithin(t float64, degrees int) float64 {
	angle := math.Atan(t / math.Sqrt(float64(degrees)))
	sin, cos := math.Sincos(angle)
	if degrees == 1 {
		return 2 * angle / math.Pi
	}
	term, k := 1.0, 2
	if degrees%2 == 1 {
		term, k = cos, 3
	}
	sum := term
	for ; k <= degrees-2; k += 2 {
		term *= cos * cos * float64(k-1) / float64(k)
		sum += term
	}
	if degrees%2 == 1 {
		return 2 / math.Pi * (angle + sin*sum)
	}
	return sin * sum
}
