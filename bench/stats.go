package main

import (
	"math"
	"slices"
)

// median is NaN when there is nothing: what was not measured then shows as
// such in everything computed from it.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// A summary is what the good runs of one server in one case come to.
type summary struct {
	server         string
	good, failed   int
	perSecond      float64
	p50, p99       float64 // ns
	cpu            float64 // us a request
	cpuMin, cpuMax float64
	rss            float64 // bytes a connection
	rssMin, rssMax float64
}

// cost is the figure that servers are compared by in a case.
func (s summary) cost(c benchCase) float64 {
	if c.idle {
		return s.rss
	}
	return s.cpu
}

// summarize leaves failed runs out of every figure.
func summarize(runs []runRecord, caseName, serverName string) summary {
	s := summary{server: serverName}
	var perSecond, p50, p99, cpu, rss []float64
	for _, r := range runs {
		if r.Case != caseName || r.Server != serverName {
			continue
		}
		if r.FailedWith != "" {
			s.failed++
			continue
		}
		s.good++
		if r.Load == nil {
			rss = append(rss, r.RSSPer)
			continue
		}
		perSecond = append(perSecond, r.Load.PerSecond)
		p50 = append(p50, float64(r.Load.P50))
		p99 = append(p99, float64(r.Load.P99))
		cpu = append(cpu, r.CPUPer)
	}
	s.perSecond, s.p50, s.p99 = median(perSecond), median(p50), median(p99)
	s.cpu, s.cpuMin, s.cpuMax = spread(cpu)
	s.rss, s.rssMin, s.rssMax = spread(rss)
	return s
}

func spread(values []float64) (middle, least, most float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	return median(values), slices.Min(values), slices.Max(values)
}

// best is the summary of the family's cheapest row in the case, and false when
// none of its rows has a good run.
func best(summaries []summary, servers []server, family string, c benchCase) (summary, bool) {
	var found summary
	ok := false
	for i, s := range summaries {
		if servers[i].Family != family || s.good == 0 {
			continue
		}
		if !ok || s.cost(c) < found.cost(c) {
			found, ok = s, true
		}
	}
	return found, ok
}
