package main

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// small is little enough for the stand-in and for a test.
var small = sizes{waiters: 50, topics: 20, rate: 400, length: 300 * time.Millisecond,
	exactTopics: 5, exactClients: 10, exactRate: 200, exactLength: 400 * time.Millisecond, leavesEach: 300 * time.Millisecond, awayMost: 100 * time.Millisecond,
	series: []int{10, 20, 30, 40, 50}, million: 201, millionShares: 2, warm: 10, wakes: 2, settle: 20 * time.Millisecond}

// measured runs cases against the stand-in.
func measured(t *testing.T, cases string, more ...string) *results {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions(append([]string{"--weir", self, "--cases", cases, "--scale", "0.01", "--rounds", "1"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	o.sizes = small
	rows, err := o.rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return measureAll(t.Context(), o, rows)
}

func TestCases(t *testing.T) {
	r := measured(t, "memory,wake,topics,exact,series,million", "--full")
	if r.failed() {
		t.Error("a run has failed")
	}
	for _, l := range r.lines {
		if len(l.values) == 0 || len(l.failures) > 0 {
			t.Errorf("%s: values %v, failures %q", l.title, l.values, l.failures)
		}
	}
	if len(r.lines) != 6 || len(r.series) != 5 {
		t.Errorf("%d lines, %d points", len(r.lines), len(r.series))
	}
	for _, p := range r.series {
		if len(p.bytes) != 1 || len(p.wakes) != small.wakes {
			t.Errorf("%d waiters: %d memory values, %d wakes, failures %q", p.waiters, len(p.bytes), len(p.wakes), p.failures)
		}
	}
	for _, markdown := range []bool{false, true} {
		var text strings.Builder
		report(&text, machine.Describe(), r, markdown)
		for _, want := range []string{"not judged", "exactly once", "0 lost", "all woken", "One publish to 30 waiters"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the report lacks %q:\n%s", want, text.String())
			}
		}
	}
}

// TestFaults: a server that does wrong is found out.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ fault, cases, want string }{
		{"lose", "exact", "must be next"},
		{"repeat", "exact", "must be next"},
		{"repeat", "topics", "must be next"},
		{"lose", "topics", "must be next"},
		{"reach", "wake", "clients reached"},
	} {
		t.Run(c.fault+" "+c.cases, func(t *testing.T) {
			t.Setenv("STANDIN_FAULT", c.fault)
			r := measured(t, c.cases)
			var told []string
			for _, l := range r.lines {
				told = append(told, slices.Concat(l.failures, l.notes)...)
			}
			if text := strings.Join(told, "; "); !r.failed() || !strings.Contains(text, c.want) {
				t.Errorf("failed: %v, told: %s", r.failed(), text)
			}
		})
	}
}

// TestInterrupted: what was started has ended when the run returns.
func TestInterrupted(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions([]string{"--weir", self, "--cases", "topics", "--scale", "0.01"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	rows, err := o.rows(ctx)
	if err != nil {
		t.Fatal(err)
	}
	measureAll(ctx, o, rows)
	if tree := proc.Tree(os.Getpid()); len(tree) != 1 {
		t.Errorf("processes are left: %v", tree[1:])
	}
}

func TestParseOptions(t *testing.T) {
	for _, args := range []string{"--scale 0", "--scale 2", "--scale x", "--rounds 0", "--rounds 51", "rest", "--cases none", "--cases million",
		"--cases memory,wkae", "--weir /missing", "--into /missing/docs.md", "--svg /missing/a.svg", "--nonsense"} {
		if _, err := parseOptions(strings.Fields(args)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	o, err := parseOptions(strings.Fields("--cases wake,memory --rounds 3"))
	if err != nil || len(o.cases) != 2 || o.cases[0].name != "memory" || o.sizes.waiters != 19_000 {
		t.Errorf("%+v, %v", o, err)
	}
	for args, want := range map[string]int{"": 5, "--full": 6} {
		if o, err := parseOptions(strings.Fields(args)); err != nil || len(o.cases) != want {
			t.Errorf("%q: %v, not %d cases", args, err, want)
		}
	}
	if _, err := parseOptions([]string{"-h"}); err == nil {
		t.Error("-h: no error")
	}
	if status := run([]string{"--cases", "none"}); status != program.Usage {
		t.Errorf("status %d", status)
	}
}

func TestMark(t *testing.T) {
	for _, c := range []struct {
		line   line
		scaled bool
		want   string
		failed bool
	}{
		{line{bar: 5, values: []float64{1, 5}}, false, "met", false},
		{line{bar: 5, values: []float64{1, 2, 6}}, false, "met, worst not", false},
		{line{bar: 5, values: []float64{1, 6, 7}}, false, "MISSED", true},
		{line{bar: 5, values: []float64{1, 6, 7}}, true, "not judged", false},
		{line{exact: true, values: []float64{1}}, true, "MISSED", true},
		{line{exact: true, values: []float64{0}}, true, "met", false},
		{line{bar: 5}, false, "NOT RUN", true},
		{line{bar: 5, values: []float64{1}, failures: []string{"x"}}, false, "FAILED RUNS: 1", true},
	} {
		r := results{lines: []*line{&c.line}, scaled: c.scaled}
		if got := c.line.mark(c.scaled); got != c.want || r.failed() != c.failed {
			t.Errorf("%+v: %q, failed %v", c.line, got, r.failed())
		}
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -500: "-500", -5000: "-5,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := median([]float64{3, 1, 2, 10}); got != 2.5 {
		t.Errorf("median %v", got)
	}
	values := make([]time.Duration, 100)
	for i := range values {
		values[i] = time.Duration(100 - i)
	}
	if got := verdict.Quantile(values, 0.99); got != 99 {
		t.Errorf("p99 %d", got)
	}
	if got := verdict.Quantile(values[:7], 0.99); got != 100 {
		t.Errorf("p99 of few %d", got)
	}
	total := 0
	for i := range 53 {
		total += share(1_000_000, 53, i)
	}
	if total != 1_000_000 || share(1_000_000, 53, 0) < 18_867 || share(1_000_000, 53, 52) > 18_868 {
		t.Errorf("shares add up to %d", total)
	}
}

func TestRoomFor(t *testing.T) {
	if err := roomFor(100, 2); err != nil {
		t.Errorf("for 100 sockets: %v", err)
	}
	if err := roomFor(1<<40, 1<<30); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("for too many: %v", err)
	}
}

func TestPlot(t *testing.T) {
	picture := plot([]*point{
		{server: "weir", waiters: 1000, bytes: []float64{300}, wakes: []float64{4}},
		{server: "weir", waiters: 19000, bytes: []float64{350}, wakes: []float64{90}},
		{server: "tornado", waiters: 1000, bytes: []float64{12000}, wakes: []float64{70}},
		{server: "Pushpin", waiters: 1000, missing: "no pushpin"},
		{server: "gevent", waiters: 1000, failures: []string{"x"}},
		{server: "odd", waiters: 1000, bytes: []float64{-5}, wakes: []float64{3}},
	})
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]int{"<circle": 7, ">weir</text>": 1, ">Pushpin</text>": 0, ">gevent</text>": 0, "NaN": 0, "Inf": 0, "prefers-color-scheme: dark": 1} {
		if got := strings.Count(picture, text); got != want {
			t.Errorf("%q: %d times, not %d", text, got, want)
		}
	}
	if empty := plot(nil); strings.Contains(empty, "NaN") || strings.Contains(empty, "Inf") {
		t.Error(empty)
	}
}
