package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/bootstrap"
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
	if got := median[float64](nil); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v, want NaN", got)
	}
}

var testCase = benchCase{Name: "pipelined", Kind: closedLoop}

// rounds are runs of one server: a figure for each, of which a negative one is of a run that failed.
func rounds(server string, perSecond float64, cpu ...float64) (runs []runRecord) {
	for i, us := range cpu {
		run := runRecord{Case: testCase.Name, Server: server, Round: i + 1, CPUPer: us, Load: &loadResult{PerSecond: perSecond, P99: time.Millisecond}}
		if us < 0 {
			run.FailedWith = "it broke"
		}
		runs = append(runs, run)
	}
	return runs
}

func testResults() *results {
	r := &results{Cases: []benchCase{testCase}, Servers: []server{
		{Name: "weir", Family: "weir"}, {Name: "weir other", Family: "weir"}, {Name: "floor", Family: "floor"}, {Name: "gnet", Family: "gnet"},
		{Name: "gnet reuseport", Family: "gnet"}, {Name: "fasthttp", Family: "fasthttp"}, {Name: "nethttp", Family: "nethttp"},
		{Name: "absent", Family: "absent"},
	}}
	r.Runs = append(r.Runs, rounds("weir", 110, 0.50, 0.40, -1, 0.44, 0.46, 0.45)...)
	r.Runs = append(r.Runs, rounds("weir other", 400, 0.10)...)
	r.Runs = append(r.Runs, rounds("floor", 200, 0.40, 0.38, 0.39, 0.40, 0.41, 0.40)...)
	r.Runs = append(r.Runs, rounds("gnet", 130, 0.40)...)
	r.Runs = append(r.Runs, rounds("gnet reuseport", 140, 0.30)...)
	r.Runs = append(r.Runs, rounds("fasthttp", 55, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9)...)
	r.Runs = append(r.Runs, rounds("nethttp", 55, 0.5, 0.39, 0.45, 0.45, 0.44, 0.47)...)
	return r
}

func TestSummarizeLeavesFailedRunsOut(t *testing.T) {
	r := testResults()
	s := summarize(r, testCase, r.Servers[0])
	if s.good != 5 || s.failed != 1 || s.perSecond.Middle != 110 || s.cpu != (bootstrap.Interval{Middle: 0.45, Low: 0.40, High: 0.50}) {
		t.Errorf("got %+v", s)
	}
	if rows := summaries(r, testCase); len(rows) != 7 {
		t.Errorf("%d rows; who has no run has none", len(rows))
	}
}

// TestVerdicts: rounds in which one of the two failed do not count.
func TestVerdicts(t *testing.T) {
	r := testResults()
	rows := summaries(r, testCase)
	own, _ := find(rows, subject)
	for _, c := range []struct{ name, want string }{
		{"floor", "faster"}, {"fasthttp", "slower"}, {"nethttp", "no difference shown"}, {"gnet", "too few rounds"},
	} {
		s, _ := find(rows, c.name)
		of, ok := ratio(s, own)
		if got := verdict(of, min(s.good, own.good), testCase); !ok || got != c.want {
			t.Errorf("%s: got %s of %v, want %s", c.name, got, of, c.want)
		}
	}
	lines := losses(r)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "pipelined: floor has 0.89 x weir's CPU a request") {
		t.Errorf("losses: %q", lines)
	}
}

func TestBars(t *testing.T) {
	cases := []struct {
		bar      bar
		measured float64
		verdict  string
	}{
		{bar{peer: "gnet", bound: 1.45, atMost: true, of: subject}, 1.5, "**missed**"}, // to the better gnet
		{bar{peer: "gnet", bound: 1.55, atMost: true, of: subject}, 1.5, "met"},
		{bar{peer: "fasthttp", bound: 0.5, atMost: true, of: subject}, 0.5, "met"},
		{bar{peer: "fasthttp", what: throughput, bound: 1.9, of: subject}, 2, "met"},
		{bar{peer: "fasthttp", what: throughput, bound: 2.1, of: subject}, 2, "**missed**"},
		{bar{peer: "fasthttp", what: throughput, bound: 2.5, of: "gnet"}, 140.0 / 55, "met"},
		{bar{peer: "absent", bound: 1, atMost: true, of: subject}, 0, "not measured"},
	}
	rows := summaries(testResults(), testCase)
	for _, c := range cases {
		got := c.bar.hold(testCase, rows)
		if math.Abs(got.measured-c.measured) > 1e-9 || got.verdict() != c.verdict {
			t.Errorf("%v: got %v, %s; want %v, %s", got, got.measured, got.verdict(), c.measured, c.verdict)
		}
	}
}

func TestBarWithoutGoodRuns(t *testing.T) {
	r := testResults()
	r.Runs = append(rounds("weir", 100, 0.5), rounds("gnet", 100, -1)...)
	got := bar{peer: "gnet", bound: 1, atMost: true, of: subject}.hold(testCase, summaries(r, testCase))
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
		if _, err := chooseEntries(".", "", b.peer+","+b.of, nil); err != nil {
			t.Error(err)
		}
	}
}
