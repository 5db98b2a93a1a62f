// Package longpoll measures what waiting clients cost weir, and how soon they have what they wait for: memory for each long-poll client, the time
// until all have a message, many topics, and messages exactly once over reconnects. It is what `weir-bench longpoll` runs; other servers are
// beside weir in the cases longpoll-* of `weir-bench run`.
//
// The exit status is 0 when every bar was met, 1 when one was missed, a run failed or a case could not run, 2 for wrong usage. With --scale below 1
// no bar is judged. Linux only: it reads /proc and uses epoll.
package longpoll

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// Main runs the cases, and returns the exit status. On the main goroutine, locked to its thread, of a program which calls crowd.Main when its
// first argument is crowd.Command.
func Main(args []string) int {
	return program.Main("weir-bench longpoll", func(ctx context.Context) (missed bool, err error) {
		o, err := parseOptions(args)
		if err != nil {
			return false, program.Wrong(err)
		}
		if err := o.weir.Build(ctx); err != nil {
			return false, err
		}
		where := machine.Describe()
		lines := measureAll(ctx, o)
		err = o.output.Write(func(w io.Writer, markdown bool) {
			fmt.Fprintf(w, "%s.\n\n", where)
			verdict.Write(w, lines, markdown)
		})
		return slices.ContainsFunc(lines, (*verdict.Line).Missed), err
	})
}
