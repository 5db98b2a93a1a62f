package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A line is one figure that a bar holds for.
type line struct {
	title, bar string
	measured   string // "" when there is no good run
	detail     string
	verdict    string
	runs       int // that are in the figure
	failures   []string
	notes      []string
}

const (
	met       = "met"
	missed    = "MISSED"
	notJudged = "not judged"
)

// judge completes the line.
func (l *line) judge(good bool, measured, detail string) {
	l.measured, l.detail, l.verdict = measured, detail, met
	if !good {
		l.verdict = missed
	}
}

// judgeMedian completes the line by the median of the values, which is to be at most a bound; that the worst one is not
// is told.
func (l *line) judgeMedian(values []float64, most float64, show func(float64) string) {
	if len(values) == 0 {
		return
	}
	worst := slices.Max(values)
	l.judge(median(values) <= most, show(median(values)), fmt.Sprintf("worst of %d: %s", len(values), show(worst)))
	if l.verdict == met && worst > most {
		l.verdict = "met, worst not"
	}
}

// mark is the verdict, and what stands against it.
func (l *line) mark() string {
	mark := l.verdict
	if l.measured == "" {
		mark = "NOT MEASURED"
	}
	if len(l.failures) > 0 {
		mark += fmt.Sprintf(", FAILED RUNS: %d", len(l.failures))
	}
	return mark
}

// missed tells whether the line is a reason for the exit status 1.
func (l *line) missed() bool {
	return l.measured == "" || l.verdict == missed || len(l.failures) > 0
}

func (l *line) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// median is that of the middle two where there is no middle one.
func median[T ~int64 | ~float64](values []T) (middle T) {
	if len(values) == 0 {
		return middle
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// quantile is the least value that the fraction q of all do not exceed, and 0 when there are none.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func milliseconds(v float64) string { return fmt.Sprintf("%.2f ms", v) }

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

// oneLine is for the report, in which a failure or a note is one item.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
