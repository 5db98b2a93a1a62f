package httpparse

import (
	"math/rand/v2"
	"testing"
)

// tightLimits let short inputs meet all limits.
var tightLimits = Limits{RequestLine: 60, FieldSection: 90, FieldLine: 40, Fields: 3}

// replayEqually fails unless input has the same outcome whole, an octet at a
// time and in random pieces, with wide and with tight limits.
func replayEqually(t *testing.T, replay func(testing.TB, []byte, Limits, []int) string, input []byte, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	everywhere := make([]int, min(len(input), 500))
	for i := range everywhere {
		everywhere[i] = i
	}
	for _, limits := range []Limits{DefaultLimits(), tightLimits} {
		want := replay(t, input, limits, nil)
		for _, cuts := range [][]int{everywhere, randomCuts(random, len(input)), randomCuts(random, len(input))} {
			if got := replay(t, input, limits, cuts); got != want {
				t.Fatalf("%q, limits %+v, cut at %v: got\n%s\nwant\n%s", input, limits, cuts, got, want)
			}
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, c := range corpus(f) {
		if !c.body {
			f.Add(c.input, uint64(len(c.input)))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		replayEqually(t, replayHead, input, seed)
	})
}

func FuzzChunked(f *testing.F) {
	for _, c := range corpus(f) {
		if c.body {
			f.Add(c.input, uint64(len(c.input)))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		replayEqually(t, replayBody, input, seed)
		compareBody(t, input)
	})
}

// FuzzDifferential compares with the reader of net/http.
func FuzzDifferential(f *testing.F) {
	for _, c := range corpus(f) {
		if !c.body {
			f.Add(c.input)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) { compareHead(t, input, DefaultLimits()) })
}

// TestDifferential compares the whole corpus with net/http in ordinary runs.
func TestDifferential(t *testing.T) {
	for _, c := range corpus(t) {
		t.Run(c.name, func(t *testing.T) {
			if c.body {
				compareBody(t, c.input)
			} else {
				compareHead(t, c.input, c.limits)
			}
		})
	}
}
