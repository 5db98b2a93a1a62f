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
	"io"
	"os"
	"runtime"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
)

// The main goroutine starts every process, and the kernel ends them with the thread that started them.
func init() { runtime.LockOSThread() }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	proc.RaiseDescriptorLimit()
	if len(args) > 0 && args[0] == crowd.Command {
		if err := crowd.Main(args[1:]); err != nil {
			return program.Tell("longpoll", err)
		}
		return 0
	}
	return program.Main("longpoll", func(ctx context.Context) (missed bool, err error) {
		o, err := parseOptions(args)
		if err != nil {
			return false, program.Wrong(err)
		}
		rows, err := o.rows(ctx)
		if err != nil {
			return false, err
		}
		where := machine.Describe()
		results := measureAll(ctx, o, rows)
		if err := o.output.Write(func(w io.Writer, markdown bool) { report(w, where, results, markdown) }); err != nil {
			return false, err
		}
		if o.svg != "" && len(results.series) > 0 {
			err = os.WriteFile(o.svg, []byte(plot(results.series)), 0o644)
		}
		return results.failed(), err
	})
}
