package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/table"
)

var heads = []string{"case", "server", "connections", "quiet p99", "healthy p50", "p99", "errors", "peak RSS", "bound", "back after", "bars"}

// report prints a line for each outcome, and what was missed.
func report(w io.Writer, where machine.Machine, outcomes []*outcome, markdown bool) {
	fmt.Fprintf(w, "%s.\n\n", where)
	var lines [][]string
	for _, x := range outcomes {
		lines = append(lines, x.cells())
	}
	table.Write(w, heads, lines, markdown)

	fmt.Fprintln(w)
	lines = nil
	for _, x := range outcomes {
		if x.row.missing == "" {
			told := strings.Join(append([]string{tallyText(x.tally)}, x.notes...), "; ")
			lines = append(lines, []string{fmt.Sprint(x.c.number), x.row.name, strings.TrimPrefix(told, "; ")})
		}
	}
	table.Write(w, []string{"case", "server", "what the attackers saw"}, lines, markdown)

	fmt.Fprintln(w)
	missed := 0
	for _, x := range outcomes {
		for _, m := range x.missed {
			missed++
			fmt.Fprintf(w, "- missed: case %d, %s: %s\n", x.c.number, x.row.name, m)
		}
	}
	if missed == 0 && len(outcomes) > 0 {
		fmt.Fprintln(w, "All bars were met.")
	}
}

func (x *outcome) cells() []string {
	cells := []string{fmt.Sprintf("%d. %s", x.c.number, x.c.title), x.row.name, fmt.Sprint(x.c.connections)}
	if x.row.missing != "" {
		return append(cells, x.row.missing, "", "", "", "", "", "", "")
	}
	if x.healthy == nil {
		cells = append(cells, "", "", "", "")
	} else {
		cells = append(cells, milliseconds(x.healthy.Quiet.Quantile(0.99)),
			milliseconds(x.healthy.Latencies.Quantile(0.5)), milliseconds(x.healthy.Latencies.Quantile(0.99)),
			fmt.Sprintf("%d of %d", x.healthy.Errors, x.healthy.Requests))
	}
	cells = append(cells, mebibytes(x.peak))
	switch {
	case x.row.peer:
		return append(cells, "", "", "")
	case x.c.ends:
		cells = append(cells, "", "")
	default:
		cells = append(cells, mebibytes(x.c.bound()), fmt.Sprintf("%.1f s", x.back.Seconds()))
	}
	if len(x.missed) > 0 {
		return append(cells, "MISSED")
	}
	return append(cells, "met")
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
