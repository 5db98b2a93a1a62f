// Package verdict holds figures against their bars.
package verdict

import (
	"fmt"
	"slices"
)

// A Line is one figure that a bar holds for. One goroutine may use it at a time.
type Line struct {
	Title, Bar string
	Measured   string // "" when there is no good run
	Detail     string
	Verdict    string
	Runs       int // that are in the figure
	Failures   []string
	Notes      []string
}

// Verdicts.
const (
	Met       = "met"
	NotMet    = "MISSED"
	NotJudged = "not judged"
)

// Judge completes the line.
func (l *Line) Judge(good bool, measured, detail string) {
	l.Measured, l.Detail, l.Verdict = measured, detail, Met
	if !good {
		l.Verdict = NotMet
	}
}

// JudgeMedian completes the line by the median of the values, which is to be at most a bound; that the worst one is not
// is told.
func (l *Line) JudgeMedian(values []float64, most float64, show func(float64) string) {
	if len(values) == 0 {
		return
	}
	worst := slices.Max(values)
	l.Judge(Median(values) <= most, show(Median(values)), fmt.Sprintf("worst of %d: %s", len(values), show(worst)))
	if l.Verdict == Met && worst > most {
		l.Verdict = "met, worst not"
	}
}

// Mark is the verdict, and what stands against it.
func (l *Line) Mark() string {
	mark := l.Verdict
	if l.Measured == "" {
		mark = "NOT MEASURED"
	}
	if len(l.Failures) > 0 {
		mark += fmt.Sprintf(", FAILED RUNS: %d", len(l.Failures))
	}
	return mark
}

// Missed tells whether the line is a reason for the exit status 1.
func (l *Line) Missed() bool {
	return l.Measured == "" || l.Verdict == NotMet || len(l.Failures) > 0
}

// Note adds a remark.
func (l *Line) Note(format string, args ...any) {
	l.Notes = append(l.Notes, fmt.Sprintf(format, args...))
}

// Median is that of the middle two where there is no middle one.
func Median[T ~int64 | ~float64](values []T) (middle T) {
	if len(values) == 0 {
		return middle
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// Quantile is the least value that the fraction q of all do not exceed, and 0 when there are none.
func Quantile[T ~int64 | ~float64](values []T, q float64) (at T) {
	if len(values) == 0 {
		return at
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}
