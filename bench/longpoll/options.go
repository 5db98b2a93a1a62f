package longpoll

import (
	"errors"
	"flag"
	"fmt"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/program"
)

// marks are the lines of a document between which the tables are.
var marks = document.MarksOf("bench-longpoll")

type options struct {
	weir   program.Weir
	cases  []benchCase
	rounds int
	full   bool
	scale  float64
	sizes  sizes
	output program.Output
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("weir-bench longpoll", flag.ContinueOnError)
	o.weir.Flags(fs)
	list := fs.String("cases", "", "memory, wake, topics, exact, million, separated by commas (default: all; million with --full only)")
	fs.IntVar(&o.rounds, "rounds", 5, "fresh servers a case, from 1 to 50")
	fs.BoolVar(&o.full, "full", false, "1,000,000 sockets over 53 server processes as well")
	fs.Float64Var(&o.scale, "scale", 1, "factor on clients, rates and times, from 0.001 to 1; below 1 no bar is judged")
	o.output.Flags(fs, marks)
	if err := program.Parse(fs, args); err != nil {
		return nil, err
	}
	if !(o.scale >= 0.001 && o.scale <= 1) {
		return nil, errors.New("--scale must be from 0.001 to 1")
	}
	if o.rounds < 1 || o.rounds > 50 {
		return nil, fmt.Errorf("--rounds %d: want 1 to 50", o.rounds)
	}
	o.sizes = scaledSizes(o.scale)
	var err error
	if o.cases, err = chooseCases(*list, o.full); err != nil {
		return nil, err
	}
	return o, errors.Join(o.output.Check(), o.weir.Check())
}
