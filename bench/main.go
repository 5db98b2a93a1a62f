// Command bench compares weir with other Go HTTP servers on one Linux machine:
// every server answers the same plaintext request, the load generator and the
// servers share the machine, runs are interleaved, and the figure to trust is
// the server's CPU time a request. README.md says what is measured and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
)

// Exit statuses: a benchmark with a failed run has no figures to trust.
const (
	exitFailed = 1
	exitUsage  = 2
)

// The kernel kills a child when the thread that started it ends (see start).
// The main thread lives as long as the process, so children start from it.
func init() { runtime.LockOSThread() }

func main() {
	proc.RaiseDescriptorLimit()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case loadCommand:
			os.Exit(loadMain(os.Args[2:]))
		case holdCommand:
			os.Exit(holdMain(os.Args[2:]))
		case compareCommand:
			os.Exit(compareMain(os.Args[2:]))
		}
	}

	opts, err := parseOptions(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "weir-bench:", err)
		os.Exit(exitUsage)
	}

	// After the first signal the handler is taken out again, so that a second
	// one ends a runner that hangs while it cleans up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	err = run(ctx, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "weir-bench:", err)
		os.Exit(exitFailed)
	}
}

// run builds, measures and reports. The report is printed also when some runs
// failed, or a signal came: then with what there is.
func run(ctx context.Context, opts *options) error {
	servers, left, err := opts.buildServers(ctx)
	if err != nil {
		return err
	}
	rep := &report{
		Machine:   machine.Describe(),
		Generator: opts.generator(),
		Rounds:    opts.rounds,
		Duration:  opts.duration.String(),
		Servers:   servers,
		Missing:   left,
		cases:     opts.cases,
	}
	fmt.Fprintf(os.Stderr, "%d cases, %d servers, load by %s: about %v\n",
		len(opts.cases), len(servers), rep.Generator, opts.estimate(len(servers)))

	m := &measurer{opts: opts, servers: servers, report: rep}
	for _, c := range opts.cases {
		if ctx.Err() != nil {
			break
		}
		m.measure(ctx, c)
	}

	rep.markdown(os.Stdout)
	if opts.json != "" {
		if err := rep.writeJSON(opts.json); err != nil {
			return err
		}
	}
	switch failed := rep.failedRuns(); {
	case ctx.Err() != nil:
		return errors.New("stopped by a signal")
	case failed > 0:
		return fmt.Errorf("%d runs FAILED; see the report", failed)
	}
	return nil
}
