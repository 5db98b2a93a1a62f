package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/interval"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/progress"
	"github.com/weirhttp/weir/bench/internal/registry"
)

const (
	// mostRatio is how much more CPU a request A may take than B, if nothing else is said.
	mostRatio = 1.03
	// leastPairs is the fewest rounds that an interval of two builds is computed from.
	leastPairs = 10
)

const compareUsage = `weir-bench compare measures two builds of weir side by side:

	weir-bench compare [flags] PATH_A PATH_B

It prints the ratio of their CPU a request, A to B, with its 95 % interval.
Exit status: 0, 1 when the interval of a case lies above -most or a run
failed, 2 wrong usage.

	weir-bench compare DIR_A DIR_B

compares two folders of results: B beside A, for each server and case.

`

// compareCases are those that a commit must not make worse.
const compareCases = "plaintext-64,pipelined"

// compareCommand takes two folders of results, or two builds.
func compareCommand(ctx context.Context, args []string) error {
	if len(args) == 2 && isDir(args[0]) && isDir(args[1]) {
		return compareDirs(os.Stdout, args[0], args[1])
	}
	opts, pair, most, err := parseCompare(args)
	if err != nil {
		return usage(err)
	}
	return compare(ctx, opts, pair, most)
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func parseCompare(args []string) (opts *options, pair [2]server, most float64, err error) {
	opts = &options{}
	fs := newFlags("compare", compareUsage)
	var load, argsA, argsB string
	cases := compareCases
	fs.DurationVar(&opts.duration, "duration", 2*time.Second, "length of a run, whole seconds")
	fs.IntVar(&opts.rounds, "rounds", 12, "rounds of each case, of two runs of each build; 10 or more")
	fs.StringVar(&cases, "cases", cases, "which cases, comma-separated; closed loops")
	fs.StringVar(&load, "load", "auto", "load generator: wrk, go, or auto (wrk when it is installed)")
	fs.Float64Var(&most, "most", mostRatio, "how much more CPU a request A may take than B")
	fs.StringVar(&argsA, "args-a", "", "arguments of A, split at spaces")
	fs.StringVar(&argsB, "args-b", "", "arguments of B, split at spaces")
	if err := fs.parse(args, 2); err != nil {
		return nil, pair, 0, err
	}
	if opts.dir, err = program.Module(); err != nil {
		return nil, pair, 0, err
	}
	entries, err := chooseEntries(opts.dir, "", subject, nil)
	if err != nil {
		return nil, pair, 0, err
	}
	for i, name := range []string{"A", "B"} {
		path, err := program.Executable(fs.Arg(i))
		if err != nil {
			return nil, pair, 0, fmt.Errorf("%w (two programs are compared, or two folders of results)", err)
		}
		pair[i] = serverOf(registry.Prepared{Entry: entries[0], Binary: path, VersionText: entries[0].VersionOf(context.Background(), path)})
		pair[i].Name, pair[i].Args = name, strings.Fields([]string{argsA, argsB}[i])
	}
	if opts.cases, err = chooseCases(cases); err != nil {
		return nil, pair, 0, err
	}
	for _, c := range opts.cases {
		if c.Kind != closedLoop {
			return nil, pair, 0, fmt.Errorf("compare: -cases %s: it is no closed loop", c.Name)
		}
	}
	if opts.rounds < leastPairs {
		return nil, pair, 0, fmt.Errorf("-rounds %d: want %d or more", opts.rounds, leastPairs)
	}
	return opts, pair, most, opts.check(load)
}

// compare measures and prints. The error tells that A is worse, or that it
// could not be found out.
func compare(ctx context.Context, opts *options, pair [2]server, most float64) error {
	bar := progress.New(os.Stderr, 0)
	m := &measurer{opts: opts, servers: pair[:], results: &results{}, done: func(r runRecord) { bar.Line(r.line()) }}
	for _, c := range opts.cases {
		for round := range opts.rounds {
			m.comparePair(ctx, c, round)
			if ctx.Err() != nil {
				return errors.New("stopped by a signal")
			}
		}
	}
	fmt.Printf("CPU a request of A (%s) and B (%s): %d rounds of two fresh processes, load by %s.\n",
		pair[0].Version, pair[1].Version, opts.rounds, opts.generator())
	fmt.Print("The interval is Student's t of the logarithms of the ratios, paired by round.\n\n")
	return compareTable(os.Stdout, opts.cases, m.results.Runs, most)
}

// comparePair is a round of one case. Each has processes of its own, because
// where a process lands in memory makes a difference that no number of its
// runs tells apart from one of the code. Each build has two runs, A B B A or
// B A A B, so that a machine that becomes busier in the course of a round is
// so for both.
func (m *measurer) comparePair(ctx context.Context, c benchCase, round int) {
	running := make([]*process, len(m.servers))
	defer func() {
		for _, p := range running {
			if p != nil {
				p.Stop()
			}
		}
	}()
	first, second := round%2, 1-round%2
	for _, i := range []int{first, second} {
		var err error
		if running[i], err = m.prepare(ctx, m.servers[i], c); err != nil {
			if ctx.Err() == nil {
				m.add(runRecord{Case: c.Name, Server: m.servers[i].Name, Round: round + 1, FailedWith: err.Error()})
			}
			return
		}
	}
	for _, i := range []int{first, second, second, first} {
		record := m.loadOnce(ctx, running[i], c)
		if ctx.Err() != nil {
			return
		}
		record.Case, record.Server, record.Round = c.Name, m.servers[i].Name, round+1
		m.add(record)
	}
}

// compareTable writes a row for each case.
func compareTable(w io.Writer, cases []benchCase, runs []runRecord, most float64) error {
	fmt.Fprintln(w, "| case | A, us | B, us | A/B | 95 % interval | |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | --- |")
	var worse, failed []string
	for _, c := range cases {
		a, b, ok := pairs(runs, c.Name)
		of, err := interval.OfRatio(a, b)
		if !ok || err != nil {
			failed = append(failed, c.Name)
			fmt.Fprintf(w, "| %s | - | - | - | - | FAILED |\n", c.Name)
			continue
		}
		if of.Low > most {
			worse = append(worse, c.Name)
		}
		fmt.Fprintf(w, "| %s | %.3f | %.3f | %.3f | %.3f to %.3f | %s |\n",
			c.Name, median(a), median(b), of.Ratio, of.Low, of.High, against(of, most))
	}
	switch {
	case len(worse) > 0:
		return fmt.Errorf("the interval lies above %.2f: %s", most, strings.Join(worse, ", "))
	case len(failed) > 0:
		return fmt.Errorf("runs FAILED: %s", strings.Join(failed, ", "))
	}
	return nil
}

// against says where the interval lies. One that reaches to both sides decides
// nothing: more rounds make it narrower.
func against(v interval.Interval, most float64) string {
	switch {
	case v.Low > most:
		return fmt.Sprintf("above %.2f", most)
	case v.High <= most:
		return fmt.Sprintf("not above %.2f", most)
	}
	return fmt.Sprintf("undecided: %.2f lies inside", most)
}

// pairs are the figures of A and B in a case, round by round; false when a run
// failed.
func pairs(runs []runRecord, name string) (a, b []float64, ok bool) {
	type total struct{ us, requests float64 }
	var totals [][2]total // A and B, by round
	for _, r := range runs {
		if r.Case != name {
			continue
		}
		if r.FailedWith != "" {
			return nil, nil, false
		}
		for len(totals) < r.Round {
			totals = append(totals, [2]total{})
		}
		t := &totals[r.Round-1][0]
		if r.Server != "A" {
			t = &totals[r.Round-1][1]
		}
		t.us += float64(r.CPU.Nanoseconds()) / 1e3
		t.requests += float64(r.Load.Requests)
	}
	for _, t := range totals {
		a = append(a, t[0].us/t[0].requests)
		b = append(b, t[1].us/t[1].requests)
	}
	return a, b, true
}
