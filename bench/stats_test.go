package main

import (
	"math"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	cases := []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 3}, 3},
		{[]float64{4, 100, 2, 3}, 3.5},
	}
	for _, c := range cases {
		if got := median(c.values); got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v, want NaN", got)
	}
}

func run1(server string, perSecond, cpu float64, failed string) runRecord {
	return runRecord{
		Case: "pipelined", Server: server, CPUPer: cpu, FailedWith: failed,
		Load: &loadResult{PerSecond: perSecond, P99: time.Millisecond},
	}
}

var (
	testServers = []server{
		{Name: "weir", Family: "weir"},
		{Name: "weir other", Family: "weir"},
		{Name: "gnet", Family: "gnet"},
		{Name: "gnet reuseport", Family: "gnet"},
		{Name: "fasthttp", Family: "fasthttp"},
	}
	testRuns = []runRecord{
		run1("weir", 100, 0.50, ""), run1("weir", 120, 0.40, ""), run1("weir", 9999, 0.01, "it broke"), run1("weir", 110, 0.45, ""),
		run1("weir other", 400, 0.10, ""),
		run1("gnet", 130, 0.40, ""), run1("gnet reuseport", 140, 0.30, ""),
		run1("fasthttp", 55, 0.9, ""),
	}
	testCase = benchCase{name: "pipelined"}
)

func testSummaries(runs []runRecord) []summary {
	summaries := make([]summary, len(testServers))
	for i, s := range testServers {
		summaries[i] = summarize(runs, testCase.name, s.Name)
	}
	return summaries
}

func TestSummarizeLeavesFailedRunsOut(t *testing.T) {
	s := summarize(testRuns, testCase.name, "weir")
	if s.good != 3 || s.failed != 1 || s.perSecond != 110 || s.cpu != 0.45 || s.cpuMin != 0.40 || s.cpuMax != 0.50 {
		t.Errorf("got %+v", s)
	}
}

func TestBars(t *testing.T) {
	cases := []struct {
		bar      bar
		measured float64
		verdict  string
	}{
		{bar{peer: "gnet", what: cost, bound: 1.45, atMost: true, of: "weir"}, 1.5, "missed"}, // to the better gnet
		{bar{peer: "gnet", what: cost, bound: 1.55, atMost: true, of: "weir"}, 1.5, "met"},
		{bar{peer: "fasthttp", what: cost, bound: 0.5, atMost: true, of: "weir"}, 0.5, "met"},
		{bar{peer: "fasthttp", what: throughput, bound: 1.9, of: "weir"}, 2, "met"},
		{bar{peer: "fasthttp", what: throughput, bound: 2.1, of: "weir"}, 2, "missed"},
		{bar{peer: "fasthttp", what: throughput, bound: 2.5, of: "gnet"}, 140.0 / 55, "met"},
	}
	summaries := testSummaries(testRuns)
	for _, c := range cases {
		got := c.bar.hold(testCase, summaries, testServers)
		if math.Abs(got.measured-c.measured) > 1e-9 || got.verdict() != c.verdict {
			t.Errorf("%v: got %v, %s; want %v, %s", got, got.measured, got.verdict(), c.measured, c.verdict)
		}
	}
}

func TestBarWithoutGoodRuns(t *testing.T) {
	runs := []runRecord{run1("weir", 100, 0.5, ""), run1("gnet", 100, 0.5, "it broke")}
	got := bar{peer: "gnet", what: cost, bound: 1, atMost: true, of: "weir"}.hold(testCase, testSummaries(runs), testServers)
	if got.known || got.verdict() != "not measured" {
		t.Errorf("got %+v, %s", got, got.verdict())
	}
}

func TestEveryBarHasItsCase(t *testing.T) {
	for _, b := range bars {
		for _, name := range b.cases {
			if _, err := chooseCases(name); err != nil {
				t.Error(err)
			}
		}
		if _, err := chooseEntries(".", "", b.peer+","+b.of); err != nil {
			t.Error(err)
		}
	}
}
