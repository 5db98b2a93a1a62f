package main

import (
	"maps"
	"math"
	"slices"

	"github.com/weirhttp/weir/bench/internal/bootstrap"
)

// median is NaN when there is nothing: what was not measured then shows as
// such in everything computed from it.
func median[T ~int64 | ~float64](values []T) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return float64(sorted[middle])
	}
	return float64(sorted[middle-1]+sorted[middle]) / 2
}

// A summary is what the good runs of one server in one case come to.
type summary struct {
	server       server
	offered      bool // some run was tried
	good, failed int
	figure       bootstrap.Interval // of the case's kind
	perSecond    bootstrap.Interval
	cpu          bootstrap.Interval // us a request, or an answer
	p50, p99     float64            // ns
	memory       bootstrap.Interval // octets a connection
	bottlenecks  int                // runs in which the client was one
	refused      int                // requests before a wake, which were sent again
	byRound      map[int]float64    // the figure
}

// summarize leaves failed runs out of every figure.
func summarize(r *results, c benchCase, s server) summary {
	sum := summary{server: s, byRound: map[int]float64{}}
	var figure, perSecond, cpu, memory, p50, p99 []float64
	for _, run := range r.Runs {
		if run.Case != c.Name || run.Server != s.Name {
			continue
		}
		sum.offered = true
		if run.FailedWith != "" {
			sum.failed++
			continue
		}
		sum.good++
		value := figures[c.Kind].of(run)
		figure = append(figure, value)
		sum.byRound[run.Round] = value
		sum.refused += run.Refused
		if run.Connections > 0 {
			memory = append(memory, run.RSSPer)
		}
		if run.CPUPer > 0 {
			cpu = append(cpu, run.CPUPer)
		}
		if run.Load == nil {
			continue
		}
		perSecond = append(perSecond, run.Load.PerSecond)
		p50 = append(p50, float64(run.Load.P50))
		p99 = append(p99, float64(run.Load.P99))
		if run.Load.bottleneck() {
			sum.bottlenecks++
		}
	}
	sum.figure, sum.perSecond = bootstrap.Median(figure), bootstrap.Median(perSecond)
	sum.cpu, sum.memory = bootstrap.Median(cpu), bootstrap.Median(memory)
	sum.p50, sum.p99 = median(p50), median(p99)
	return sum
}

// summaries of a case, without the servers that do not offer it.
func summaries(r *results, c benchCase) (rows []summary) {
	for _, s := range r.Servers {
		if sum := summarize(r, c, s); sum.offered {
			rows = append(rows, sum)
		}
	}
	return rows
}

// ratio is how much a has of the figure against b, over the rounds in which both have one.
func ratio(a, b summary) (bootstrap.Interval, bool) {
	var as, bs []float64
	for _, round := range slices.Sorted(maps.Keys(a.byRound)) {
		if other, ok := b.byRound[round]; ok {
			as, bs = append(as, a.byRound[round]), append(bs, other)
		}
	}
	return bootstrap.Ratio(as, bs)
}

// leastRounds is the fewest that a verdict is given for: of fewer, the interval says nothing.
const leastRounds = 5

// verdict says what the interval of a ratio shows.
func verdict(of bootstrap.Interval, rounds int, c benchCase) string {
	f := figures[c.Kind]
	switch {
	case rounds < leastRounds:
		return "too few rounds"
	case of.High < 1:
		return f.less
	case of.Low > 1:
		return f.more
	}
	return "no difference shown"
}

// find is the row of exactly this name, if it has good runs.
func find(rows []summary, name string) (summary, bool) {
	i := slices.IndexFunc(rows, func(s summary) bool { return s.server.Name == name && s.good > 0 })
	if i < 0 {
		return summary{}, false
	}
	return rows[i], true
}

// best is the family's row with the least of the figure, and false when none has a good run.
func best(rows []summary, family string) (found summary, ok bool) {
	for _, s := range rows {
		if s.server.Family == family && s.good > 0 && (!ok || s.figure.Middle < found.figure.Middle) {
			found, ok = s, true
		}
	}
	return found, ok
}

// values are the figures of the good runs, in the order of their rounds.
func values(s summary) (all []float64) {
	for _, round := range slices.Sorted(maps.Keys(s.byRound)) {
		all = append(all, s.byRound[round])
	}
	return all
}
