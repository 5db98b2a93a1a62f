package verdict

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/weirhttp/weir/bench/internal/table"
)

// Times makes runs, tells of each on standard error, and lists those that failed in every line that they are about: they are in no figure.
// A run that ctx has cut off says nothing about the server, and is not counted.
func Times(ctx context.Context, rounds int, run func(round int) (told string, err error), lines ...*Line) {
	for round := range rounds {
		if ctx.Err() != nil {
			return
		}
		told, err := run(round)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			told = "FAILED: " + err.Error()
		}
		fmt.Fprintf(os.Stderr, "  round %d of %d: %s\n", round+1, rounds, told)
		for _, l := range lines {
			if err != nil {
				l.Failures = append(l.Failures, fmt.Sprintf("round %d: %v", round+1, err))
			} else {
				l.Runs++
			}
		}
	}
}

// Write prints a line for each figure with its bar, and then what failed and what else was seen.
func Write(w io.Writer, lines []*Line, markdown bool) {
	var rows [][]string
	for _, l := range lines {
		measured := l.Measured
		if measured == "" {
			measured = "-"
		}
		rows = append(rows, []string{l.Title, l.Bar, measured, l.Detail, fmt.Sprint(l.Runs), l.Mark()})
	}
	table.Write(w, []string{"case", "bar", "measured", "", "rounds", ""}, rows, markdown)
	var remarks []string
	for _, l := range lines {
		for _, f := range l.Failures {
			remarks = append(remarks, fmt.Sprintf("FAILED, in no figure: %s: %s", l.Title, f))
		}
		for _, n := range l.Notes {
			remarks = append(remarks, l.Title+": "+n)
		}
	}
	WriteRemarks(w, remarks)
}

// WriteRemarks prints a list, if there is anything in it.
func WriteRemarks(w io.Writer, remarks []string) {
	if len(remarks) > 0 {
		fmt.Fprintln(w)
	}
	for _, remark := range remarks {
		fmt.Fprintf(w, "- %s\n", strings.Join(strings.Fields(remark), " "))
	}
}
