package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"
)

// A measurer runs cases one after the other. On the main goroutine only.
type measurer struct {
	ctx   context.Context
	o     *options
	lines []*line
}

func measureAll(ctx context.Context, o *options) []*line {
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
func (m *measurer) line(title, bar string) *line {
	l := &line{title: title, bar: bar}
	m.lines = append(m.lines, l)
	return l
}

// times makes runs, and lists those that failed in every line that they are about: they are in no figure.
func (m *measurer) times(rounds int, run func(round int) (told string, err error), lines ...*line) {
	for round := range rounds {
		if m.ctx.Err() != nil {
			return
		}
		told, err := run(round)
		if m.ctx.Err() != nil {
			return // the run was cut off, which says nothing about the server
		}
		if err != nil {
			told = "FAILED: " + err.Error()
		}
		fmt.Fprintf(os.Stderr, "  round %d of %d: %s\n", round+1, rounds, told)
		for _, l := range lines {
			if err != nil {
				l.failures = append(l.failures, fmt.Sprintf("round %d: %v", round+1, err))
			} else {
				l.runs++
			}
		}
	}
}

// pause sleeps unless the runner is told to stop.
func (m *measurer) pause(d time.Duration) error {
	select {
	case <-m.ctx.Done():
		return m.ctx.Err()
	case <-time.After(d):
		return nil
	}
}
