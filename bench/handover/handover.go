// Package handover measures what it costs weir that applications may block, and what the other clients notice of those
// that do: CPU a request, clients beside sleeping and computing calls, the first call of all that blocks, and an idle server. It is what
// `weir-bench handover` runs.
//
// The exit status is 0 when every bar was met, 1 when one was missed or a run failed, 2 for wrong usage. Linux only: it
// reads the CPU clocks of other processes.
package handover

import (
	"context"
	"io"
	"runtime"
	"slices"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// Main runs the cases, and returns the exit status. On the main goroutine.
func Main(args []string) int {
	// The thread of an open loop must find a processor, as Go counts them, when it returns from a system call.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 8))
	return program.Main("weir-bench handover", func(ctx context.Context) (missed bool, err error) {
		o, err := parseOptions(args)
		if err != nil {
			return false, program.Wrong(err)
		}
		if err := o.weir.Build(ctx); err != nil {
			return false, err
		}
		where := machine.Describe()
		lines := measureAll(ctx, o)
		err = o.output.Write(func(w io.Writer, markdown bool) { report(w, where, o, lines, markdown) })
		return slices.ContainsFunc(lines, (*verdict.Line).Missed), err
	})
}
