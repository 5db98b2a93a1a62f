package verdict

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func show(v float64) string { return fmt.Sprintf("%.1f ms", v) }

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   string
		missed bool
	}{
		{[]float64{1, 2, 3}, Met, false},
		{[]float64{1, 2, 9}, "met, worst not", false},
		{[]float64{1, 6, 7}, NotMet, true},
		{nil, "NOT MEASURED", true},
	} {
		l := &Line{}
		l.JudgeMedian(c.values, 5, show)
		if l.Mark() != c.want || l.Missed() != c.missed {
			t.Errorf("%v: %s", c.values, l.Mark())
		}
	}
	l := &Line{Failures: []string{"x"}}
	l.Judge(true, "1", "")
	if l.Mark() != "met, FAILED RUNS: 1" || !l.Missed() {
		t.Error(l.Mark())
	}
}

func TestQuantiles(t *testing.T) {
	for _, c := range []struct {
		values      []float64
		median, p99 float64
	}{
		{nil, 0, 0},
		{[]float64{3}, 3, 3},
		{[]float64{4, 1}, 2.5, 4},
		{[]float64{9, 1, 2}, 2, 9},
	} {
		if m, q := Median(c.values), Quantile(c.values, 0.99); m != c.median || q != c.p99 {
			t.Errorf("%v: median %v, p99 %v", c.values, m, q)
		}
	}
}

// TestTimes: a run that failed is in no figure, and one that was cut off is not even told.
func TestTimes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &Line{Title: "a case", Bar: "at most 1"}
	Times(ctx, 9, func(round int) (string, error) {
		switch round {
		case 1:
			return "", errors.New("it is\nbroken")
		case 3:
			cancel()
			return "", ctx.Err()
		}
		return "good", nil
	}, l)
	l.Judge(true, "0.5", "of several")
	if l.Runs != 2 || len(l.Failures) != 1 {
		t.Fatalf("%+v", l)
	}
	l.Note("and %d more", 1)
	var text strings.Builder
	Write(&text, []*Line{l, {Title: "another", Bar: "none"}}, true)
	for _, want := range []string{
		"| a case | at most 1 | 0.5 | of several | 2 | met, FAILED RUNS: 1 |\n",
		"| another | none | - |  | 0 | NOT MEASURED |\n",
		"- FAILED, in no figure: a case: round 2: it is broken\n",
		"- a case: and 1 more\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in %s", want, text.String())
		}
	}
}
