package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/program"
)

// marks are the lines of a document between which the table is.
var marks = document.MarksOf("bench-handover")

type options struct {
	weir     string // a binary, "" to build it
	weirArgs []string
	env      []string // of the server, NAME=VALUE
	wrk      string   // a program, "" when there is none
	dir      string   // of the bench module
	cases    []benchCase
	rounds   int
	sizes    sizes
	output   program.Output
}

func parseOptions(args []string) (*options, error) {
	o := &options{sizes: fullSizes}
	fs := flag.NewFlagSet("handover", flag.ContinueOnError)
	fs.StringVar(&o.weir, "weir", "", "weir's binary (default: it is built)")
	weirArgs := fs.String("weir-args", "", "more arguments of weir demo, separated by spaces")
	fs.Func("env", "NAME=VALUE in the environment of the server; repeatable", func(value string) error {
		if name, _, found := strings.Cut(value, "="); !found || name == "" {
			return errors.New("want NAME=VALUE")
		}
		o.env = append(o.env, value)
		return nil
	})
	fs.StringVar(&o.wrk, "wrk", "wrk", "the load generator")
	fs.StringVar(&o.dir, "dir", ".", "folder of the bench module")
	list := fs.String("cases", "", strings.Join(caseNames(), ", ")+", separated by commas (default: all)")
	fs.IntVar(&o.rounds, "rounds", 10, "rounds of a case, from 1 to 50; cost is judged from 10 on")
	fs.DurationVar(&o.sizes.run, "duration", o.sizes.run, "length of a run, whole seconds from 1 to 30")
	o.output.Flags(fs, marks)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.rounds < 1 || o.rounds > 50 {
		return nil, errors.New("--rounds must be from 1 to 50")
	}
	if o.sizes.run%time.Second != 0 || o.sizes.run < time.Second || o.sizes.run > 30*time.Second {
		return nil, errors.New("--duration must be whole seconds from 1 to 30")
	}
	o.weirArgs = strings.Fields(*weirArgs)
	var err error
	if o.cases, err = chooseCases(*list); err != nil {
		return nil, err
	}
	if err := o.output.Check(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(o.cases, func(c benchCase) bool { return c.wrk }) {
		if o.wrk, err = exec.LookPath(o.wrk); err != nil {
			return nil, fmt.Errorf("--wrk: %w (apt-get install wrk)", err)
		}
	}
	if o.weir != "" {
		if o.weir, err = filepath.Abs(o.weir); err != nil {
			return nil, err
		}
		if _, err := os.Stat(o.weir); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *options) build(ctx context.Context) (string, error) {
	binary, err := filepath.Abs(filepath.Join(o.dir, "bin", "weir"))
	if err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "building weir")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/weir")
	cmd.Dir = filepath.Join(o.dir, "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building weir: %w\n%s", err, out)
	}
	return binary, nil
}
