// Command python measures weir run beside other servers of Python's WSGI applications: requests/s and CPU a request, clients beside a
// view that sleeps, slow and idle clients, clients that a view lets wait, and long content.
//
//	python                                   every case, with the servers that are installed
//	python --cases raw,flask --rounds 9
//	python --only weir,'gunicorn sync'       these servers
//
// The exit status is 0 when every bar was met, 1 when one was missed or a run failed, 2 for wrong usage. Linux only: it reads /proc.
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

	"github.com/weirhttp/weir/bench/internal/crowd"
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
	if len(args) > 0 && args[0] == crowd.Command {
		if err := crowd.Main(args[1:]); err != nil {
			return tell(err, exitFailed)
		}
		return 0
	}
	// The thread of a client must find a processor, as Go counts them, when it returns from a system call.
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
	rows, err := o.chooseRows(o.rows(ctx))
	if err != nil {
		return tell(err, exitUsage)
	}
	for _, r := range rows {
		if r.missing != "" {
			fmt.Fprintf(os.Stderr, "%s is MISSING: %s\n", r.name, r.missing)
		}
	}
	where := machine.Describe()
	results := measureAll(ctx, o, rows)
	results.write(os.Stdout, where, o.markdown)
	if o.into != "" {
		var tables strings.Builder
		results.write(&tables, where, true)
		if err := marks.Write(o.into, tables.String()); err != nil {
			return tell(err, exitFailed)
		}
	}
	if ctx.Err() != nil {
		return tell(errors.New("interrupted"), exitFailed)
	}
	if results.failed() {
		return exitFailed
	}
	return 0
}

func tell(err error, status int) int {
	fmt.Fprintln(os.Stderr, "python:", err)
	return status
}
