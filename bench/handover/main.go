// Command handover measures what it costs weir that applications may block, and what the other clients notice of those
// that do: CPU a request, clients beside sleeping and computing calls, the first call of all that blocks, and an idle server.
//
//	handover                                 every case against weir, which is built first
//	handover --weir ../bin/weir --cases burners,cold --rounds 5
//	handover --env GOMAXPROCS=2              the server with other surroundings
//
// The exit status is 0 when every bar was met, 1 when one was missed or a run failed, 2 for wrong usage. Linux only: it
// reads the CPU clocks of other processes.
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

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	proc.RaiseDescriptorLimit()
	// The thread of an open loop must find a processor, as Go counts them, when it returns from a system call.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 8))
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return tell(err, exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	if o.weir == "" {
		if o.weir, err = o.build(ctx); err != nil {
			return tell(err, exitFailed)
		}
	}
	where := machine.Describe()
	lines := measureAll(ctx, o)
	report(os.Stdout, where, o, lines, o.markdown)
	if o.into != "" {
		var tables strings.Builder
		report(&tables, where, o, lines, true)
		if err := marks.Write(o.into, tables.String()); err != nil {
			return tell(err, exitFailed)
		}
	}
	if ctx.Err() != nil {
		return tell(errors.New("interrupted"), exitFailed)
	}
	for _, l := range lines {
		if l.Missed() {
			return exitFailed
		}
	}
	return 0
}

func tell(err error, status int) int {
	fmt.Fprintln(os.Stderr, "handover:", err)
	return status
}
