// Package table prints a table, for people or as markdown.
package table

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write prints lines with as many cells as heads.
func Write(w io.Writer, heads []string, lines [][]string, markdown bool) {
	if markdown {
		fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
		for _, line := range lines {
			fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
		}
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range append([][]string{heads}, lines...) {
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	_ = t.Flush() // the next write tells of an error too
}
