package handover

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// A measurer runs cases one after the other. On the main goroutine only.
type measurer struct {
	ctx   context.Context
	o     *options
	lines []*verdict.Line
}

func measureAll(ctx context.Context, o *options) []*verdict.Line {
	// The kernel ends a server with the thread that started it, and the thread of an open loop ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := &measurer{ctx: ctx, o: o}
	for _, c := range o.cases {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "%s\n", c.name)
		c.run(m)
	}
	return m.lines
}

// line adds one to the table, which a case completes when it has its figures.
func (m *measurer) line(title, bar string) *verdict.Line {
	l := &verdict.Line{Title: title, Bar: bar}
	m.lines = append(m.lines, l)
	return l
}

// times makes runs that some lines are about.
func (m *measurer) times(rounds int, run func(round int) (told string, err error), lines ...*verdict.Line) {
	verdict.Times(m.ctx, rounds, run, lines...)
}

// pause sleeps unless the runner is told to stop.
func (m *measurer) pause(d time.Duration) error { return program.Pause(m.ctx, d) }
