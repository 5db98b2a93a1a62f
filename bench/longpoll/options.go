package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/program"
)

// marks are the lines of a document between which the tables are.
var marks = document.MarksOf("bench-longpoll")

type options struct {
	weir     string // a binary, "" to build it
	weirArgs []string
	dir      string // of the bench module
	cases    []benchCase
	rounds   int
	peers    bool
	only     []string // servers of the series, none for all
	full     bool
	scale    float64
	sizes    sizes
	output   program.Output
	svg      string // a picture, "" for none
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("longpoll", flag.ContinueOnError)
	fs.StringVar(&o.weir, "weir", "", "weir's binary (default: it is built)")
	weirArgs := fs.String("weir-args", "", "more arguments of weir demo, separated by spaces")
	fs.StringVar(&o.dir, "dir", ".", "folder of the bench module, for what has to be built")
	list := fs.String("cases", "", "memory, wake, topics, exact, series, million, separated by commas (default: all; million with --full only)")
	fs.IntVar(&o.rounds, "rounds", 5, "fresh servers a case, from 1 to 50")
	fs.BoolVar(&o.peers, "peers", false, "run the series against tornado, gevent and Pushpin too")
	only := fs.String("only", "", "servers of the series: weir, tornado, gevent.pywsgi, Pushpin, separated by commas (default: all)")
	fs.BoolVar(&o.full, "full", false, "1,000,000 sockets over 53 server processes as well")
	fs.Float64Var(&o.scale, "scale", 1, "factor on clients, rates and times, from 0.001 to 1; below 1 no bar is judged")
	o.output.Flags(fs, marks)
	fs.StringVar(&o.svg, "svg", "", "write the series as a picture to this file")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if !(o.scale >= 0.001 && o.scale <= 1) {
		return nil, errors.New("--scale must be from 0.001 to 1")
	}
	if o.rounds < 1 || o.rounds > 50 {
		return nil, errors.New("--rounds must be from 1 to 50")
	}
	o.only = fields(*only)
	o.weirArgs, o.sizes = strings.Fields(*weirArgs), scaledSizes(o.scale)
	var err error
	if o.cases, err = chooseCases(*list, o.full); err != nil {
		return nil, err
	}
	if err := o.output.Check(); err != nil {
		return nil, err
	}
	if o.svg != "" {
		if _, err := os.Stat(filepath.Dir(o.svg)); err != nil {
			return nil, err
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
