// Command bench compares weir with other HTTP servers on one Linux machine:
// every server answers the same requests, the load generator and the
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
	"slices"
	"strings"
	"syscall"

	"github.com/weirhttp/weir/bench/handover"
	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/longpoll"
	"github.com/weirhttp/weir/bench/python"
)

// Exit statuses: a benchmark with a failed run has no figures to trust.
const (
	exitFailed = 1
	exitUsage  = 2
)

// The kernel kills a child when the thread that started it ends (see start).
// The main thread lives as long as the process, so children start from it.
func init() { runtime.LockOSThread() }

// children are the first arguments with which the program starts itself.
var children = map[string]func([]string) int{
	loadCommand:   loadMain,
	rateCommand:   rateMain,
	holdCommand:   holdMain,
	crowd.Command: crowdMain,
}

func crowdMain(args []string) int {
	if err := crowd.Main(args); err != nil {
		return program.Tell("weir-bench", err)
	}
	return 0
}

// suites are commands with cases and reports of their own, for bars that a comparison of servers has no place for.
var suites = map[string]func([]string) int{
	"longpoll": longpoll.Main,
	"handover": handover.Main,
	"python":   python.Main,
}

// commands are those for people. An error of theirs is wrong usage when it wraps errUsage.
var commands = map[string]func(context.Context, []string) error{
	"run":     runCommand,
	"compare": compareCommand,
	"report":  reportCommand,
	"list":    listCommand,
}

const usageText = `weir-bench compares HTTP servers on one machine.

	weir-bench run [flags]         measure, and write a report (also without "run", when there are flags)
	weir-bench report DIR          write report.md and report.html again from the raw figures
	weir-bench compare A B         two builds of weir, side by side; or two folders of results
	weir-bench list                servers and cases, and what is missing here
	weir-bench longpoll            bars of weir alone: clients that wait, many topics, messages exactly once
	weir-bench handover            bars of weir alone: what calls that block cost, and what others notice
	weir-bench python              servers of Python's applications: views that sleep, slow clients, long content

Each tells its flags with -h.
`

// errUsage marks what the user can do otherwise.
var errUsage = errors.New("wrong usage")

func usage(err error) error {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return fmt.Errorf("%w: %w", errUsage, err)
}

func main() {
	proc.RaiseDescriptorLimit()
	os.Exit(dispatch(os.Args[1:]))
}

func dispatch(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usageText)
		return exitUsage
	}
	name := args[0]
	switch {
	case slices.Contains([]string{"help", "-h", "-help", "--help"}, name):
		fmt.Print(usageText)
		return 0
	case strings.HasPrefix(name, "-"):
		name = "run"
	default:
		args = args[1:]
	}
	if child, ok := children[name]; ok {
		return child(args)
	}
	if suite, ok := suites[name]; ok {
		return suite(args)
	}
	command, ok := commands[name]
	if !ok {
		return tell(usage(fmt.Errorf("unknown command %q: want run, compare, report, list, longpoll, handover or python", name)))
	}
	// After the first signal the handler is taken out again, so that a second
	// one ends a runner that hangs while it cleans up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	defer stop()
	return tell(command(ctx, args))
}

func tell(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "weir-bench:", strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "weir-bench:", err)
	return exitFailed
}
