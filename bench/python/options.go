package python

import (
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/program"
)

// marks are the lines of a document between which the tables are.
var marks = document.MarksOf("bench-python")

type options struct {
	weir   string // a binary
	python string // the system's by default, which Debian's packages are for
	wrk    string
	dir    string // of the bench module
	cases  []benchCase
	only   []string // servers, none for all
	rounds int
	sizes  sizes
	output program.Output
}

func parseOptions(args []string) (*options, error) {
	o := &options{sizes: fullSizes}
	fs := flag.NewFlagSet("weir-bench python", flag.ContinueOnError)
	fs.StringVar(&o.weir, "weir", "", "weir's binary (default: bin/weir beside the bench module, which make build makes)")
	fs.StringVar(&o.python, "python", "/usr/bin/python3", "the interpreter of all servers but uwsgi")
	fs.StringVar(&o.wrk, "wrk", "wrk", "the load generator")
	list := fs.String("cases", "", strings.Join(caseNames(), ", ")+", separated by commas (default: all)")
	only := fs.String("only", "", "servers, separated by commas (default: all)")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds of a case, from 1 to 50")
	seconds := fs.Int("seconds", 3, "length of a run, from 1 to 30")
	o.output.Flags(fs, marks)
	if err := program.Parse(fs, args); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.rounds > 50 {
		return nil, errors.New("--rounds must be from 1 to 50")
	}
	if *seconds < 1 || *seconds > 30 {
		return nil, errors.New("--seconds must be from 1 to 30")
	}
	o.only, o.sizes.run = fields(*only), time.Duration(*seconds)*time.Second
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
	if o.dir, err = program.Module(); err != nil {
		return nil, err
	}
	if o.weir == "" {
		o.weir = filepath.Join(o.dir, "..", "bin", "weir")
	}
	if o.weir, err = program.Executable(o.weir); err != nil {
		return nil, fmt.Errorf("--weir: %w (make build makes it)", err)
	}
	return o, nil
}

// apps is the folder of the applications.
func (o *options) apps() string { return filepath.Join(o.dir, "python", "apps") }

// fields are what commas separate.
func fields(list string) (names []string) {
	for _, field := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		names = append(names, strings.TrimSpace(field))
	}
	return names
}
