package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCompareOptions(t *testing.T) {
	opts, pair, most, err := parseCompare([]string{"-rounds", "11", "-load", "go", "-most", "1.1", "-args-a", "--loops 1", "/bin/sh", "/bin/true"})
	if err != nil {
		t.Fatal(err)
	}
	if opts.rounds != 11 || opts.wrk != "" || len(opts.cases) != 2 || opts.cases[0].Name != "plaintext-64" || opts.cases[1].Name != "pipelined" {
		t.Errorf("got %+v", opts)
	}
	if most != 1.1 || pair[0].Name != "A" || pair[1].Name != "B" || !strings.HasSuffix(pair[1].binary, "/true") {
		t.Errorf("got %+v", pair)
	}
	if got, want := pair[0].shown(false), "weir demo --bind 127.0.0.1:{port} --loops 1"; got != want {
		t.Errorf("A is run as %q", got)
	}
}

func TestWrongCompare(t *testing.T) {
	for line, want := range map[string]string{
		"":                              "2 paths",
		"/bin/sh":                       "2 paths",
		"/bin/sh /bin/sh /bin/sh":       "2 paths",
		"/bin/sh /nowhere/weir":         "/nowhere/weir",
		"-rounds 9 /bin/sh /bin/sh":     "-rounds 9",
		"-rounds 51 /bin/sh /bin/sh":    "-rounds 51",
		"-duration 1ms /bin/sh /bin/sh": "-duration",
		"-cases slow /bin/sh /bin/sh":   "slow",
		"-cases fast /bin/sh /bin/sh":   "fast",
		"-load ab /bin/sh /bin/sh":      "ab",
		"-nonsense /bin/sh /bin/sh":     "nonsense",
	} {
		_, _, _, err := parseCompare(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want one line with %q", line, err, want)
		}
	}
}

// compareRuns are rounds of two runs each, in which A takes ratio as much as
// B, with noise of a percent or so.
func compareRuns(name string, ratio float64) (runs []runRecord) {
	for round := range 10 {
		b := 1000 + 300*float64(round)
		a := b * ratio * (1 + 0.02*float64(round%2) - 0.01)
		for range 2 {
			runs = append(runs, compareRun(name, "A", round+1, a), compareRun(name, "B", round+1, b))
		}
	}
	return runs
}

func compareRun(name, server string, round int, us float64) runRecord {
	return runRecord{
		Case: name, Server: server, Round: round,
		CPU: time.Duration(us * 1e3), Load: &loadResult{Requests: 1000},
	}
}

// TestComparePairs: the runs of a round count as one, by their requests.
func TestComparePairs(t *testing.T) {
	runs := []runRecord{
		compareRun("close", "A", 1, 3000), compareRun("close", "B", 1, 1000),
		compareRun("close", "B", 1, 1500), compareRun("close", "A", 1, 5000),
		compareRun("close", "B", 2, 7000), compareRun("close", "A", 2, 6000),
	}
	runs[3].Load = &loadResult{Requests: 3000}
	a, b, ok := pairs(runs, "close")
	if !ok || !slices.Equal(a, []float64{2, 6}) || !slices.Equal(b, []float64{1.25, 7}) {
		t.Errorf("got %v, %v, %v", a, b, ok)
	}
}

func TestCompareVerdicts(t *testing.T) {
	for _, c := range []struct {
		ratio   float64
		verdict string
		bad     bool
	}{
		{0.90, "not above 1.03", false},
		{1.00, "not above 1.03", false},
		{1.03, "undecided", false},
		{1.06, "above 1.03", true},
	} {
		var out bytes.Buffer
		runs := slices.Concat(compareRuns("pipelined", c.ratio), compareRuns("close", 0.5))
		err := compareTable(&out, []benchCase{{Name: "pipelined"}}, runs, mostRatio)
		if (err != nil) != c.bad || !strings.Contains(out.String(), "| "+c.verdict) {
			t.Errorf("%v: %v\n%s", c.ratio, err, out.String())
		}
	}
}

// TestCompareFailed: a run that failed leaves no verdict.
func TestCompareFailed(t *testing.T) {
	for _, runs := range [][]runRecord{
		nil,
		append(compareRuns("pipelined", 1), runRecord{Case: "pipelined", Server: "B", Round: 11, FailedWith: "it broke"}),
	} {
		var out bytes.Buffer
		err := compareTable(&out, []benchCase{{Name: "pipelined"}}, runs, mostRatio)
		if err == nil || !strings.Contains(err.Error(), "pipelined") || !strings.Contains(out.String(), "FAILED") {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
}
