// Command abuse measures how a server treats a well-behaved client while others misbehave: it starts the server, starts
// attackers in a process of their own, and sends 200 requests a second beside them.
//
//	abuse                      every case against weir, which is built first
//	abuse --weir ../bin/weir --cases 1,3 --scale 0.1
//	abuse --peers              other servers too, in the cases that they are compared in
//
// The exit status is 0 when every bar was met, 1 when one was missed or a case could not run, 2 for wrong usage. Bars
// hold for weir only. Linux only: it reads /proc.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
)

// Where a document has the tables.
var marks = document.Marks{Begin: "<!-- tables of make abuse -->\n", End: "<!-- end of the tables -->\n"}

// The main goroutine starts every process, and the kernel ends them with the thread that started them.
func init() { runtime.LockOSThread() }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case attackCommand:
			return attackMain(args[1:])
		case limitCommand:
			return limitMain(args[1:])
		}
	}
	return program.Main("abuse", func(ctx context.Context) (missed bool, err error) {
		o, err := parseOptions(args)
		if err != nil {
			return false, program.Wrong(err)
		}
		proc.RaiseDescriptorLimit()
		rows, err := o.servers(ctx)
		if err != nil {
			return false, err
		}
		where := machine.Describe()
		outcomes := runAll(ctx, o, rows)
		err = o.output.Write(func(w io.Writer, markdown bool) { report(w, where, outcomes, markdown) })
		return slices.ContainsFunc(outcomes, func(x *outcome) bool { return len(x.missed) > 0 }), err
	})
}

func runAll(ctx context.Context, o *options, rows []row) []*outcome {
	var outcomes []*outcome
	for _, c := range o.cases {
		for _, r := range rows {
			if ctx.Err() != nil {
				return outcomes
			}
			if r.peer && !c.peers {
				continue
			}
			x := &outcome{row: r, c: c}
			outcomes = append(outcomes, x)
			if r.missing != "" {
				continue
			}
			if err := x.run(ctx, o); err != nil {
				x.miss("%v", err)
			}
			fmt.Fprintf(os.Stderr, "case %d, %s: %s\n", c.number, r.name, x.line())
		}
	}
	return outcomes
}
