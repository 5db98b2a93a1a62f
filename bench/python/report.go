package python

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/table"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// results is what all cases gave.
type results struct {
	lines    []*verdict.Line // that bars hold for
	tables   []*figures
	remarks  []string
	failures []string // that no line is about
}

// figures are the servers side by side.
type figures struct {
	title string
	heads []string
	lines [][]string
}

func (r *results) table(title string, heads ...string) *figures {
	f := &figures{title: title, heads: heads}
	r.tables = append(r.tables, f)
	return f
}

// add takes as many cells as there are heads, or none.
func (f *figures) add(cells ...string) {
	if len(cells) > 0 {
		f.lines = append(f.lines, cells)
	}
}

// addMissing is for a server that cannot run.
func (f *figures) addMissing(r row) {
	cells := make([]string, len(f.heads))
	cells[0], cells[1] = r.Name, "MISSING"
	f.add(cells...)
}

func (r *results) remark(format string, args ...any) {
	r.remarks = append(r.remarks, fmt.Sprintf(format, args...))
}

func (r *results) fail(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// keepFailures is for a line that is about a peer, and in no table.
func (r *results) keepFailures(l *verdict.Line) {
	for _, f := range l.Failures {
		r.fail("%s: %s", l.Title, f)
	}
}

func (r *results) failed() bool {
	return len(r.failures) > 0 || slices.ContainsFunc(r.lines, (*verdict.Line).Missed)
}

// write prints the bars, the tables, and what else there is to say.
func (r *results) write(w io.Writer, where machine.Machine, markdown bool) {
	fmt.Fprintf(w, "%s.\n", where)
	if len(r.lines) > 0 {
		fmt.Fprintln(w)
		verdict.Write(w, r.lines, markdown)
	}
	for _, t := range r.tables {
		fmt.Fprintf(w, "\n%s:\n\n", t.title)
		table.Write(w, t.heads, t.lines, markdown)
	}
	var remarks []string
	for _, f := range r.failures {
		remarks = append(remarks, "FAILED, in no figure: "+f)
	}
	verdict.WriteRemarks(w, append(remarks, r.remarks...))
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func milliseconds(v float64) string { return fmt.Sprintf("%.2f ms", v) }

func microseconds(v float64) string { return fmt.Sprintf("%.2f us", v) }
