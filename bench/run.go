package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/progress"
)

// marksOf are the lines of a document between which the tables of a preset are.
func marksOf(preset string) document.Marks {
	if preset == "python" || preset == "longpoll" { // which have sections of their own
		return document.MarksOf("bench BENCH=" + preset)
	}
	return document.MarksOf("bench")
}

// runCommand builds, measures and reports. What there is is reported also when some runs failed, or a signal came.
func runCommand(ctx context.Context, args []string) error {
	opts, err := parseOptions(args)
	if err != nil {
		return usage(err)
	}
	servers, left, err := opts.buildServers(ctx)
	if err != nil {
		return err
	}
	var leftCases []missing
	opts.cases, leftCases = installedCases(opts.cases)
	left = append(left, leftCases...)
	for _, m := range left {
		fmt.Fprintln(os.Stderr, "left out:", m.Name, "is", m.Why)
	}
	begun := time.Now()
	r := &results{
		Schema: schema, Begun: begun.UTC().Truncate(time.Second), Machine: machine.Describe(), Generator: opts.generator(),
		Preset: opts.preset, Rounds: opts.rounds, Duration: opts.duration.String(), Cases: opts.cases, Servers: servers, Missing: left,
	}
	dir, err := opts.out, os.MkdirAll(opts.out, 0o755)
	if opts.out == "" {
		dir, err = newResultsDir(filepath.Join(opts.dir, "results"), begun, r.Machine.CPU)
	}
	if err != nil {
		return err
	}
	r.CPUBy = countedBy()
	m := &measurer{opts: opts, servers: servers, results: r, capacity: map[string]float64{}}
	bar := progress.New(os.Stderr, m.estimate())
	bar.Line(fmt.Sprintf("%d cases, %d servers, load by %s: about %v; results in %s",
		len(opts.cases), len(servers), r.Generator, m.estimate().Round(10*time.Second), dir))
	for _, c := range opts.cases {
		if ctx.Err() != nil {
			break
		}
		m.done = func(run runRecord) {
			i := slices.IndexFunc(servers, func(s server) bool { return s.Name == run.Server })
			bar.Step(m.weight(c, servers[i]), run.line())
		}
		m.measure(ctx, c)
		if err := r.write(dir); err != nil {
			bar.End()
			return err
		}
	}
	bar.End()
	if err := r.write(dir); err != nil {
		return err
	}
	if err := writeReports(r, dir); err != nil {
		return err
	}
	var text bytes.Buffer
	markdown(&text, r)
	os.Stdout.Write(text.Bytes())
	fmt.Fprintln(os.Stderr, "written to", dir)
	switch failed := r.failedRuns(); {
	case ctx.Err() != nil:
		return errors.New("stopped by a signal")
	case failed > 0:
		return fmt.Errorf("%d runs FAILED; see the report", failed)
	}
	if opts.into != "" {
		return intoDocument(r, opts.into)
	}
	return nil
}

// reportCommand renders again.
func reportCommand(_ context.Context, args []string) error {
	fs := newFlags("report", "weir-bench report DIR writes report.md and report.html of a folder of results again.\n")
	into := fs.String("into", "", "put the tables into this document as well, between its marks")
	if err := fs.parse(args, 1); err != nil {
		return usage(err)
	}
	r, err := readResults(fs.Arg(0))
	if err != nil {
		return err
	}
	if err := writeReports(r, fs.Arg(0)); err != nil || *into == "" {
		return err
	}
	return intoDocument(r, *into)
}

// writeReports makes both forms of the report, beside the results.
func writeReports(r *results, dir string) error {
	var text bytes.Buffer
	markdown(&text, r)
	if err := os.WriteFile(filepath.Join(dir, "report.md"), text.Bytes(), 0o644); err != nil {
		return err
	}
	text.Reset()
	if err := page(&text, r); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.html"), text.Bytes(), 0o644)
}
