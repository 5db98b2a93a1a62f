package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// results is what all cases gave.
type results struct {
	lines  []*line
	series []*point
	scaled bool // then no bar is judged
	sizes  sizes
}

// A line is one figure that a bar holds for. A run that failed has no value in it.
type line struct {
	title    string
	server   string
	show     func(float64) string
	bar      float64
	exact    bool // the bar is 0
	values   []float64
	failures []string
	notes    []string
}

func (l *line) worst() float64 { return slices.Max(l.values) }

// mark is the verdict. The bar holds for the median; where the worst value does not meet it, that is told.
func (l *line) mark(scaled bool) string {
	switch {
	case len(l.failures) > 0:
		return fmt.Sprintf("FAILED RUNS: %d", len(l.failures))
	case len(l.values) == 0:
		return "NOT RUN"
	case scaled && !l.exact:
		return "not judged"
	case median(l.values) > l.bar:
		return "MISSED"
	case l.worst() > l.bar:
		return "met, worst not"
	}
	return "met"
}

// latest is the last run in short.
func (l *line) latest(err error) string {
	if err != nil {
		return "FAILED: " + err.Error()
	}
	return l.show(l.values[len(l.values)-1])
}

func (r *results) failed() bool {
	for _, l := range r.lines {
		if mark := l.mark(r.scaled); strings.ToUpper(mark) == mark || len(l.failures) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(r.series, func(p *point) bool { return len(p.failures) > 0 })
}

// median is that of the middle two where there is no middle one.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func milliseconds(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

func bytesEach(v float64) string { return fmt.Sprintf("%.0f bytes", v) }

func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v) }

func plainCount(v float64) string { return thousands(int(v)) }

// thousands groups digits.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
