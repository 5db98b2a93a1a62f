// Package python measures weir run beside other servers of Python's WSGI applications: what it adds to a call, clients beside a view that sleeps, slow and idle clients, clients that a view lets wait, and long content.
// It is what `weir-bench python` runs.
//
// The exit status is 0 when every bar was met, 1 when one was missed or a run failed, 2 for wrong usage. Linux only: it reads /proc.
package python

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/program"
)

// Main runs the cases, and returns the exit status. On the main goroutine of a program which calls crowd.Main when its first argument is
// crowd.Command.
func Main(args []string) int {
	// The thread of a client must find a processor, as Go counts them, when it returns from a system call.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 8))
	return program.Main("weir-bench python", func(ctx context.Context) (missed bool, err error) {
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
