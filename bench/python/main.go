// Command python measures weir run beside other servers of Python's WSGI applications: what it adds to a call, clients beside a view that sleeps, slow and idle clients, clients that a view lets wait, and long content.
//
//	python                                   every case, with the servers that are installed
//	python --cases cost,sleeper --rounds 9
//	python --only 'weir run,gunicorn sync'       these servers
//
// The exit status is 0 when every bar was met, 1 when one was missed or a run failed, 2 for wrong usage. Linux only: it reads /proc.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	proc.RaiseDescriptorLimit()
	if len(args) > 0 && args[0] == crowd.Command {
		if err := crowd.Main(args[1:]); err != nil {
			return program.Tell("python", err)
		}
		return 0
	}
	// The thread of a client must find a processor, as Go counts them, when it returns from a system call.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 8))
	return program.Main("python", func(ctx context.Context) (missed bool, err error) {
		o, err := parseOptions(args)
		if err != nil {
			return false, program.Wrong(err)
		}
		all, err := o.rows(ctx)
		if err != nil {
			return false, err
		}
		rows, err := o.chooseRows(all)
		if err != nil {
			return false, program.Wrong(err)
		}
		for _, r := range rows {
			if r.missing != "" {
				fmt.Fprintf(os.Stderr, "%s is MISSING: %s\n", r.Name, r.missing)
			}
		}
		where := machine.Describe()
		results := measureAll(ctx, o, rows)
		err = o.output.Write(func(w io.Writer, markdown bool) { results.write(w, where, markdown) })
		return results.failed(), err
	})
}
