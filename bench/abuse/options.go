package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/bench/internal/program"
)

type options struct {
	weir     string // a binary, "" to build it
	weirArgs []string
	dir      string // of the bench module
	cases    []attack
	scale    float64
	peers    bool
	output   program.Output
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("abuse", flag.ContinueOnError)
	fs.StringVar(&o.weir, "weir", "", "weir's binary (default: it is built)")
	weirArgs := fs.String("weir-args", "", "more arguments of weir demo, separated by spaces")
	fs.StringVar(&o.dir, "dir", ".", "folder of the bench module, for what has to be built")
	list := fs.String("cases", "", "numbers of cases, separated by commas (default: all)")
	fs.Float64Var(&o.scale, "scale", 1, "factor on connections, requests and times, from 0.001 to 1")
	fs.BoolVar(&o.peers, "peers", false, "run the cases of the comparison against other servers too")
	o.output.Flags(fs, marks)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.scale < 0.001 || o.scale > 1 {
		return nil, errors.New("--scale must be from 0.001 to 1")
	}
	o.weirArgs = strings.Fields(*weirArgs)
	var err error
	if o.cases, err = chooseCases(*list, o.scale); err != nil {
		return nil, err
	}
	if err := o.output.Check(); err != nil {
		return nil, err
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

// chooseCases are the cases in list, shrunk by scale.
func chooseCases(list string, scale float64) ([]attack, error) {
	wanted := make(map[int]bool)
	for _, field := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > len(attacks) {
			return nil, fmt.Errorf("--cases: %q is not a number from 1 to %d", field, len(attacks))
		}
		wanted[n] = true
	}
	var chosen []attack
	for _, a := range attacks {
		if len(wanted) == 0 || wanted[a.number] {
			chosen = append(chosen, a.scaled(scale))
		}
	}
	return chosen, nil
}
