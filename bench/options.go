package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/registry"
)

type options struct {
	dir      string // of the bench module
	weir     string // a weir that is built already; "" builds one
	cases    []benchCase
	entries  []registry.Entry // that were chosen
	variants []weirVariant
	duration time.Duration // of one run
	rounds   int
	idle     int    // connections of the idle case
	wrk      string // path; "" uses the loader of our own
	json     string
}

// A weirVariant is one more row: the same weir with other arguments.
type weirVariant struct {
	name string
	args []string
}

const usageText = `weir-bench compares weir with other servers. Run it in the bench folder:

	go run . [flags]

weir-bench compare -h tells about comparing two builds of weir.

The report goes to standard output, a line for each run to standard error.
Exit status: 0 all runs were good, 1 a run or a build failed, 2 wrong usage.

`

func parseOptions(args []string) (*options, error) {
	opts := &options{}
	fs := flag.NewFlagSet("weir-bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {} // an error is one line; -h prints the usage below

	var quick bool
	var load, own, peers string
	cases := strings.Join(caseNames(), ",")
	fs.BoolVar(&quick, "quick", false, "2 rounds of 2 s, unless -rounds or -duration say otherwise")
	fs.DurationVar(&opts.duration, "duration", 5*time.Second, "length of a run, whole seconds")
	fs.IntVar(&opts.rounds, "rounds", 5, "runs of each server in each case")
	fs.StringVar(&cases, "cases", cases, "which cases, comma-separated")
	fs.StringVar(&peers, "servers", "", "which servers, comma-separated (default: all of the registry)")
	fs.StringVar(&own, "registry", "", "`folder` with TOML files of more servers, or of other ones with the same name")
	fs.IntVar(&opts.idle, "idle-connections", 19000, "connections of the idle case")
	fs.StringVar(&load, "load", "auto", "load generator: wrk, go, or auto (wrk when it is installed)")
	fs.StringVar(&opts.weir, "weir", "", "path of a built weir (default: build it from this repository)")
	fs.StringVar(&opts.json, "json", "", "file for every run's raw figures")
	fs.Func("weir-args", "`NAME=ARGS` or ARGS: one more weir, with these arguments split at spaces (repeatable)",
		func(value string) error {
			v, err := parseVariant(value)
			opts.variants = append(opts.variants, v)
			return err
		})

	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Print(usageText)
			fs.SetOutput(os.Stdout)
			fs.PrintDefaults()
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q (flags only, see -h)", fs.Arg(0))
	}

	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if quick && !set["duration"] {
		opts.duration = 2 * time.Second
	}
	if quick && !set["rounds"] {
		opts.rounds = 2
	}

	var err error
	if opts.cases, err = chooseCases(cases); err != nil {
		return nil, err
	}
	if opts.dir, err = findModule(); err != nil {
		return nil, err
	}
	if opts.entries, err = chooseEntries(opts.dir, own, peers); err != nil {
		return nil, err
	}
	if err := opts.check(load); err != nil {
		return nil, err
	}
	return opts, nil
}

func (o *options) check(load string) error {
	switch {
	case o.duration < time.Second || o.duration > 2*time.Minute || o.duration%time.Second != 0:
		return fmt.Errorf("-duration %v: want whole seconds, 1s to 2m", o.duration)
	case o.rounds < 1 || o.rounds > 50:
		return fmt.Errorf("-rounds %d: want 1 to 50", o.rounds)
	case o.idle < 1 || o.idle > 1_000_000:
		return fmt.Errorf("-idle-connections %d: want 1 to 1000000", o.idle)
	case len(o.variants) > 0 && !slices.Contains(entryNames(o.entries), subject):
		return errors.New("-weir-args needs weir among -servers")
	}
	names := map[string]bool{}
	for _, v := range o.variants {
		if names[v.name] {
			return fmt.Errorf("-weir-args: two variants are called %q", v.name)
		}
		names[v.name] = true
	}
	// Some descriptors of each process are not connections of the case.
	if limit := proc.DescriptorLimit(); o.idle > limit-200 {
		return fmt.Errorf("-idle-connections %d: a process may hold %d descriptors here", o.idle, limit)
	}
	if o.weir != "" {
		path, err := filepath.Abs(o.weir)
		if err != nil {
			return fmt.Errorf("-weir: %w", err)
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("-weir: %w", err)
		}
		o.weir = path
	}

	wrk, lookErr := exec.LookPath("wrk")
	switch load {
	case "auto":
		o.wrk = wrk
	case "wrk":
		if lookErr != nil {
			return fmt.Errorf("-load wrk: %w", lookErr)
		}
		o.wrk = wrk
	case "go":
	default:
		return fmt.Errorf("-load %q: want wrk, go or auto", load)
	}
	return nil
}

// chooseEntries picks from the registry what the list names, or all.
func chooseEntries(module, own, list string) ([]registry.Entry, error) {
	entries, err := loadEntries(module, own)
	if err != nil || list == "" {
		return entries, err
	}
	names, err := choose("servers", list, entryNames(entries))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e registry.Entry) bool { return !slices.Contains(names, e.Name) }), nil
}

// parseVariant takes "name=args", or bare args, which start with a dash and
// are then the name as well.
func parseVariant(value string) (weirVariant, error) {
	name, args, named := strings.Cut(value, "=")
	if strings.HasPrefix(value, "-") {
		name, args, named = value, value, true
	}
	fields := strings.Fields(args)
	if !named || name == "" || len(fields) == 0 {
		return weirVariant{}, fmt.Errorf("want NAME=ARGS, for example %q", "reuseport=--accept=reuseport")
	}
	return weirVariant{name: strings.TrimSpace(name), args: fields}, nil
}

// findModule lets the runner start in the bench folder or in the one above it.
func findModule() (string, error) {
	for _, dir := range []string{".", "bench"} {
		if _, err := os.Stat(filepath.Join(dir, "peers", "gnet", "main.go")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", errors.New("run it in weir's bench folder, or in the one above it")
}

// choose picks from known, in known's order, what the comma-separated list
// names.
func choose(what, list string, known []string) ([]string, error) {
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-%s: unknown %q, want some of %s", what, name, strings.Join(known, ","))
		}
		wanted[name] = true
	}
	return slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !wanted[name] }), nil
}

func (o *options) generator() string {
	if o.wrk != "" {
		return "wrk"
	}
	return "the built-in Go loader"
}

// estimate is for people. What starting, settling and verifying add to the
// runs themselves was timed once.
func (o *options) estimate(servers int) time.Duration {
	var total time.Duration
	for _, c := range o.cases {
		each := time.Duration(c.rounds(o.rounds)) * (c.length(o.duration) + 300*time.Millisecond)
		if !c.idle {
			each += warmUp + 300*time.Millisecond
		}
		total += time.Duration(servers) * each
	}
	return total.Round(10 * time.Second)
}
