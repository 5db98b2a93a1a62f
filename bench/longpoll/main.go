// Command longpoll measures what waiting clients cost a server, and how soon they have what they wait for: memory for
// each long-poll client, the time until all have a message, many topics, and messages exactly once over reconnects.
//
//	longpoll                                  weir, which is built first
//	longpoll --weir ../bin/weir --cases memory,wake --rounds 3
//	longpoll --peers                          tornado, gevent and Pushpin beside it
//	longpoll --full                           1,000,000 sockets over 53 processes as well
//
// The exit status is 0 when every bar was met, 1 when one was missed, a run failed or a case could not run, 2 for wrong
// usage. Bars hold for weir only; with --scale below 1 there are none. Linux only: it reads /proc and uses epoll.
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

// The main goroutine starts every process, and the kernel ends them with the thread that started them.
func init() { runtime.LockOSThread() }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	proc.RaiseDescriptorLimit()
	if len(args) > 0 && args[0] == crowd.Command {
		if err := crowd.Main(args[1:]); err != nil {
			return tell(err, exitFailed)
		}
		return 0
	}
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
	rows, err := o.rows(ctx)
	if err != nil {
		return tell(err, exitFailed)
	}
	where := machine.Describe()
	results := measureAll(ctx, o, rows)
	report(os.Stdout, where, results, o.markdown)
	if o.into != "" {
		var tables strings.Builder
		report(&tables, where, results, true)
		if err := marks.Write(o.into, tables.String()); err != nil {
			return tell(err, exitFailed)
		}
	}
	if o.svg != "" && len(results.series) > 0 {
		if err := os.WriteFile(o.svg, []byte(plot(results.series)), 0o644); err != nil {
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
	fmt.Fprintln(os.Stderr, "longpoll:", err)
	return status
}
