package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/table"
)

// report prints a line for each figure with its bar, the comparison, the series, and what failed.
func report(w io.Writer, where machine.Machine, r *results, markdown bool) {
	fmt.Fprintf(w, "%s.\n", where)
	if len(r.lines) > 0 {
		fmt.Fprintln(w)
		var lines [][]string
		for _, l := range r.lines {
			lines = append(lines, l.cells(r.scaled))
		}
		table.Write(w, []string{"case", "bar", "median", "worst", "values", ""}, lines, markdown)
	}
	if len(r.series) > 0 {
		r.comparison(w, markdown)
		r.seriesTable(w, markdown)
	}
	var remarks []string
	for _, l := range r.lines {
		for _, f := range l.failures {
			remarks = append(remarks, fmt.Sprintf("FAILED, in no figure: %s: %s", l.title, f))
		}
		for _, n := range l.notes {
			remarks = append(remarks, l.title+": "+n)
		}
	}
	for _, p := range r.series {
		if p.retries > 0 {
			remarks = append(remarks, fmt.Sprintf("%s, %s waiters: %d requests were answered with 5xx before the wakes, and sent again",
				p.server, thousands(p.waiters), p.retries))
		}
		for _, f := range p.failures {
			remarks = append(remarks, fmt.Sprintf("FAILED, in no figure: %s, %s waiters: %s", p.server, thousands(p.waiters), f))
		}
	}
	if len(remarks) > 0 {
		fmt.Fprintln(w)
	}
	for _, remark := range remarks {
		fmt.Fprintf(w, "- %s\n", strings.Join(strings.Fields(remark), " "))
	}
}

func (l *line) cells(scaled bool) []string {
	bar := "-"
	switch {
	case l.exact:
		bar = "0"
	case l.show != nil:
		bar = "at most " + l.show(l.bar)
	}
	if len(l.values) == 0 {
		return []string{l.title, bar, "-", "-", "0", l.mark(scaled)}
	}
	return []string{l.title, bar, l.show(median(l.values)), l.show(l.worst()), fmt.Sprint(len(l.values)), l.mark(scaled)}
}

// comparison is the servers side by side at one number of waiters.
func (r *results) comparison(w io.Writer, markdown bool) {
	compared := r.sizes.compared()
	var lines [][]string
	for _, p := range r.series {
		if p.waiters == compared {
			lines = append(lines, append([]string{p.server}, p.cells()...))
		}
	}
	fmt.Fprintf(w, "\nOne publish to %s waiters:\n\n", thousands(compared))
	table.Write(w, []string{"server", "memory for each waiter", "until all are woken", "worst", "messages"}, lines, markdown)
}

func (r *results) seriesTable(w io.Writer, markdown bool) {
	var lines [][]string
	for _, p := range r.series {
		if p.missing == "" {
			lines = append(lines, append([]string{p.server, thousands(p.waiters)}, p.cells()...))
		}
	}
	fmt.Fprintf(w, "\nOver the number of waiters:\n\n")
	table.Write(w, []string{"server", "waiters", "memory for each waiter", "until all are woken", "worst", "messages"}, lines, markdown)
}

func (p *point) cells() []string {
	if p.missing != "" {
		return []string{"MISSING: " + p.missing, "", "", ""}
	}
	messages := fmt.Sprint(len(p.wakes))
	if n := len(p.failures); n > 0 {
		messages += fmt.Sprintf(", FAILED RUNS: %d", n)
	}
	if len(p.wakes) == 0 {
		return []string{"-", "-", "-", messages}
	}
	return []string{bytesEach(median(p.bytes)), milliseconds(median(p.wakes)), milliseconds(slices.Max(p.wakes)), messages}
}
