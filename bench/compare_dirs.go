package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/weirhttp/weir/bench/internal/bootstrap"
	"github.com/weirhttp/weir/bench/internal/table"
)

// compareDirs sets two folders of results beside each other: what B has of a figure against A. Their rounds are not those of the same
// minutes, so they are not paired.
func compareDirs(w io.Writer, dirA, dirB string) error {
	a, err := readResults(dirA)
	if err != nil {
		return err
	}
	b, err := readResults(dirB)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "A: %s, %s\nB: %s, %s\n\n", a.Begun.Format("2006-01-02 15:04"), a.Machine, b.Begun.Format("2006-01-02 15:04"), b.Machine)
	if a.Machine.CPU != b.Machine.CPU || a.Machine.Cores != b.Machine.Cores {
		fmt.Fprint(w, "The machines differ: a ratio tells about them as much as about the servers.\n\n")
	}
	var lines [][]string
	for _, c := range a.Cases {
		if !slices.ContainsFunc(b.Cases, func(other benchCase) bool { return other.Name == c.Name }) {
			continue
		}
		of := summaries(b, c)
		for _, before := range summaries(a, c) {
			after, ok := find(of, before.server.Name)
			if !ok || before.good == 0 {
				continue
			}
			lines = append(lines, compareLine(c, before, after))
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s and %s have no case and server in common", dirA, dirB)
	}
	table.Write(w, []string{"case", "server", "figure", "A", "B", "B/A", "B is"}, lines, true)
	return nil
}

func compareLine(c benchCase, a, b summary) []string {
	f := figures[c.Kind]
	format := fmt.Sprintf("%%.%df", f.digits)
	ratio, shown := "-", "not comparable"
	if of, ok := bootstrap.Unpaired(values(b), values(a)); ok {
		ratio, shown = bracketed("%.3f", of), verdict(of, min(a.good, b.good), c)
	}
	return []string{c.Name, a.server.Name, f.name + ", " + f.unit, bracketed(format, a.figure), bracketed(format, b.figure), ratio, shown}
}
