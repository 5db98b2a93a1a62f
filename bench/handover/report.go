package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/table"
)

// report prints a line for each figure with its bar, and then what failed and what else was seen.
func report(w io.Writer, where machine.Machine, o *options, lines []*line, markdown bool) {
	fmt.Fprintf(w, "%s. The server: %s; runs of %v.\n\n", where, strings.Join(o.shown(), " "), o.sizes.run)
	var rows [][]string
	for _, l := range lines {
		measured := l.measured
		if measured == "" {
			measured = "-"
		}
		rows = append(rows, []string{l.title, l.bar, measured, l.detail, fmt.Sprint(l.runs), l.mark()})
	}
	table.Write(w, []string{"case", "bar", "measured", "", "rounds", ""}, rows, markdown)
	var remarks []string
	for _, l := range lines {
		for _, f := range l.failures {
			remarks = append(remarks, fmt.Sprintf("FAILED, in no figure: %s: %s", l.title, f))
		}
		for _, n := range l.notes {
			remarks = append(remarks, l.title+": "+n)
		}
	}
	if len(remarks) > 0 {
		fmt.Fprintln(w)
	}
	for _, remark := range remarks {
		fmt.Fprintf(w, "- %s\n", oneLine(remark))
	}
}

// shown is the command line of the server, for people.
func (o *options) shown() []string {
	return append(append([]string{}, o.env...), append([]string{"weir"}, o.arguments("ADDR")...)...)
}
