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
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
)

const (
	exitFailed = 1
	exitUsage  = 2
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
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		return exitUsage
	}
	proc.RaiseDescriptorLimit()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	rows, err := o.servers(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		return exitFailed
	}
	where := machine.Describe()
	outcomes := runAll(ctx, o, rows)
	report(os.Stdout, where, outcomes, o.markdown)
	if o.into != "" {
		var tables strings.Builder
		report(&tables, where, outcomes, true)
		if err := marks.Write(o.into, tables.String()); err != nil {
			fmt.Fprintln(os.Stderr, "abuse:", err)
			return exitFailed
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "abuse: interrupted")
		return exitFailed
	}
	for _, x := range outcomes {
		if len(x.missed) > 0 {
			return exitFailed
		}
	}
	return 0
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
