package handover

import (
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/program"
)

// marks are the lines of a document between which the table is.
var marks = document.MarksOf("bench-handover")

type options struct {
	weir   program.Weir
	env    []string // of the server, NAME=VALUE
	wrk    string   // a program, "" when there is none
	cases  []benchCase
	rounds int
	sizes  sizes
	output program.Output
}

func parseOptions(args []string) (*options, error) {
	o := &options{sizes: fullSizes}
	fs := flag.NewFlagSet("weir-bench handover", flag.ContinueOnError)
	o.weir.Flags(fs)
	fs.Func("env", "NAME=VALUE in the environment of the server; repeatable", func(value string) error {
		if name, _, found := strings.Cut(value, "="); !found || name == "" {
			return errors.New("want NAME=VALUE")
		}
		o.env = append(o.env, value)
		return nil
	})
	fs.StringVar(&o.wrk, "wrk", "wrk", "the load generator")
	list := fs.String("cases", "", strings.Join(caseNames(), ", ")+", separated by commas (default: all)")
	fs.IntVar(&o.rounds, "rounds", 10, "rounds of a case, from 1 to 50; cost is judged from 10 on")
	fs.DurationVar(&o.sizes.run, "duration", o.sizes.run, "length of a run, whole seconds from 1 to 30")
	o.output.Flags(fs, marks)
	if err := program.Parse(fs, args); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.rounds > 50 {
		return nil, errors.New("--rounds must be from 1 to 50")
	}
	if o.sizes.run%time.Second != 0 || o.sizes.run < time.Second || o.sizes.run > 30*time.Second {
		return nil, errors.New("--duration must be whole seconds from 1 to 30")
	}
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
	if err := o.weir.Check(); err != nil {
		return nil, err
	}
	return o, nil
}
