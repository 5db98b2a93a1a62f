package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/registry"
)

type options struct {
	preset   string
	dir      string // of the bench module
	weir     string // a weir that is built already; "" builds one
	cases    []benchCase
	entries  []registry.Entry // that were chosen
	variants []weirVariant
	duration time.Duration // of one run
	rounds   int
	wrk      string // path; "" uses the loader of our own
	out      string // folder of the results, "" for one that is named for the day and the machine
	into     string // a document, "" for none
}

// A weirVariant is one more row: the same weir with other arguments.
type weirVariant struct {
	name string
	args []string
}

const runUsage = `weir-bench run compares weir with other servers. Run it in the bench folder:

	weir-bench run [flags]

A folder with the raw figures, report.md and report.html is written, and report.md to standard output; a line for each run goes to
standard error. Exit status: 0 all runs were good, 1 a run or a build failed, 2 wrong usage.

`

// lists says in a usage what a list may have.
func lists(what string, names []string) string {
	return "which " + what + ", comma-separated, of " + strings.Join(names, ", ") + " (default: those of the preset)"
}

func parseOptions(args []string) (*options, error) {
	opts := &options{}
	fs := newFlags("run", runUsage)
	var load, own, cases, servers string
	fs.StringVar(&opts.preset, "preset", "core", "how much: "+strings.Join(presetNames(), ", "))
	fs.DurationVar(&opts.duration, "duration", 0, "length of a run, whole seconds as in 2s (default: that of the preset)")
	fs.IntVar(&opts.rounds, "rounds", 0, "runs of each server in each case (default: that of the preset)")
	fs.StringVar(&cases, "cases", "", lists("cases", caseNames()))
	fs.StringVar(&servers, "servers", "", "which servers, comma-separated (default: those of the preset, and of -registry; with -cases and without -preset, all that can)")
	registryFlag(fs, &own)
	fs.StringVar(&load, "load", "auto", "load generator of closed loops: wrk, go, or auto (wrk when it is installed)")
	fs.StringVar(&opts.weir, "weir", "", "path of a built weir (default: build it from this repository)")
	fs.StringVar(&opts.out, "out", "", "folder for the results (default: results/<date>-<cpu>)")
	fs.StringVar(&opts.into, "into", "", "put the tables into this document as well, between its marks")
	fs.Func("weir-args", "`NAME=ARGS` or ARGS: one more weir, with these arguments split at spaces (repeatable)",
		func(value string) error {
			v, err := parseVariant(value)
			opts.variants = append(opts.variants, v)
			return err
		})
	if err := fs.parse(args, 0); err != nil {
		return nil, err
	}
	p, err := presetOf(opts.preset)
	if err != nil {
		return nil, err
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if !set["duration"] {
		opts.duration = p.duration
	}
	if !set["rounds"] {
		opts.rounds = p.rounds
	}
	if !set["cases"] && p.cases != nil {
		cases = strings.Join(p.cases, ",")
	}
	if cases == "" && !set["cases"] {
		cases = strings.Join(caseNames(), ",")
	}
	if opts.cases, err = chooseCases(cases); err != nil {
		return nil, err
	}
	if opts.dir, err = program.Module(); err != nil {
		return nil, err
	}
	usual := p.servers
	if set["cases"] && !set["preset"] {
		usual = nil
	}
	if opts.entries, err = chooseEntries(opts.dir, own, servers, usual); err != nil {
		return nil, err
	}
	all := opts.cases
	opts.cases = slices.DeleteFunc(slices.Clone(all), func(c benchCase) bool { return !anyOffers(opts.entries, c) })
	if set["cases"] && len(opts.cases) < len(all) || len(opts.cases) == 0 {
		return nil, fmt.Errorf("none of the servers %s is in one of the cases %s; weir-bench list tells which are",
			strings.Join(entryNames(opts.entries), ", "), strings.Join(namesOf(all), ", "))
	}
	if servers == "" { // what has nothing to do need not be built
		opts.entries = slices.DeleteFunc(opts.entries, func(e registry.Entry) bool {
			s := serverOf(registry.Prepared{Entry: e})
			return !slices.ContainsFunc(opts.cases, s.offers)
		})
	}
	if opts.into != "" {
		if _, err := marksOf(opts.preset).Read(opts.into); err != nil {
			return nil, fmt.Errorf("-into: %w", err)
		}
	}
	return opts, opts.check(load)
}

// flags is a flag set whose errors are one line.
type flags struct {
	*flag.FlagSet
	usage string
}

func newFlags(name, usage string) flags {
	fs := flag.NewFlagSet("weir-bench "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return flags{fs, usage}
}

func (f flags) parse(args []string, want int) error {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Print(f.usage)
			f.SetOutput(os.Stdout)
			f.PrintDefaults()
			return err
		}
		return fmt.Errorf("%w (see -h)", err)
	}
	if f.NArg() != want {
		if want == 0 {
			return fmt.Errorf("unexpected argument %q (flags only, see -h)", f.Arg(0))
		}
		return fmt.Errorf("want flags, then %d paths, not %q", want, f.Args())
	}
	return nil
}

func registryFlag(fs flags, own *string) {
	fs.StringVar(own, "registry", "", "`folder` with TOML files of more servers, or of other ones with the same name")
}

func (o *options) check(load string) error {
	switch {
	case o.duration < time.Second || o.duration > 2*time.Minute || o.duration%time.Second != 0:
		return fmt.Errorf("-duration %v: want whole seconds, 1s to 2m", o.duration)
	case o.rounds < 1 || o.rounds > 50:
		return fmt.Errorf("-rounds %d: want 1 to 50", o.rounds)
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
	if o.weir != "" {
		var err error
		if o.weir, err = program.Executable(o.weir); err != nil {
			return fmt.Errorf("-weir: %w", err)
		}
	}

	wrk, lookErr := exec.LookPath("wrk")
	switch load {
	case "auto":
		o.wrk = wrk
	case "wrk":
		if lookErr != nil {
			return fmt.Errorf("-load wrk: %w (apt-get install wrk)", lookErr)
		}
		o.wrk = wrk
	case "go":
	default:
		return fmt.Errorf("-load %q: want wrk, go or auto", load)
	}
	return nil
}

// chooseEntries picks from the registry what the list names, or else the usual ones and those of the folder.
func chooseEntries(module, own, list string, usual []string) ([]registry.Entry, error) {
	entries, err := loadEntries(module, own)
	if err != nil {
		return nil, err
	}
	chosen := func(e registry.Entry) bool {
		return usual == nil || slices.Contains(usual, e.Name) || rank(e.Name) == len(order)
	}
	if list != "" {
		names, err := choose("servers", list, entryNames(entries))
		if err != nil {
			return nil, err
		}
		chosen = func(e registry.Entry) bool { return slices.Contains(names, e.Name) }
	}
	return slices.DeleteFunc(entries, func(e registry.Entry) bool { return !chosen(e) }), nil
}

func anyOffers(entries []registry.Entry, c benchCase) bool {
	return slices.ContainsFunc(entries, func(e registry.Entry) bool { return serverOf(registry.Prepared{Entry: e}).offers(c) })
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

// choose picks from known, in known's order, what the comma-separated list
// names.
func choose(what, list string, known []string) ([]string, error) {
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-%s: unknown %q, want some of %s", what, name, strings.Join(known, ", "))
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
