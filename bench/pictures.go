package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weirhttp/weir/bench/internal/bootstrap"
	"github.com/weirhttp/weir/bench/internal/plot"
)

// A picture is a chart in a file of its own, beside the document that shows it.
type picture struct{ file, words, svg string }

const pictureWidth = 560 // on a screen; a narrower one makes it smaller

// pictures are those that a document shows: what a request costs, how long it takes, and what clients that wait take over their number. The cases must have been measured.
func pictures(r *results) (all []picture) {
	if c, ok := measured(r, "plaintext-64"); ok {
		plotted := barPlot("CPU a request in us, "+c.Title, "us", summaries(r, c), func(s summary) bootstrap.Interval { return s.cpu })
		all = append(all, picture{"bench-cpu.svg", plotted.Caption, standalone(string(plotted.SVG), nil)})
	}
	if c, ok := measured(r, "rate-common"); ok {
		curves, legend := latencies(r, c)
		words := "Latency by percentile: " + c.Title
		all = append(all, picture{"bench-latency.svg", words, standalone(plot.Latency(words, curves), legend)})
	}
	if s, ok := counts(r, waiting); ok {
		for i, file := range []string{"longpoll-memory.svg", "longpoll-wake.svg"} {
			words := s.Figures[i].Caption + ", " + strings.ToLower(s.Title)
			all = append(all, picture{file, words, standalone(string(s.Figures[i].SVG), s.Legend)})
		}
	}
	return all
}

func measured(r *results, name string) (benchCase, bool) {
	i := slices.IndexFunc(r.Cases, func(c benchCase) bool { return c.Name == name })
	if i < 0 || len(summaries(r, r.Cases[i])) == 0 {
		return benchCase{}, false
	}
	return r.Cases[i], true
}

// standalone gives a chart the page's styles, and a legend below it.
func standalone(svg string, legend []legendEntry) string {
	head, rest, _ := strings.Cut(svg, "\n")
	var width, height float64
	if _, err := fmt.Sscanf(head, `<svg viewBox="0 0 %g %g"`, &width, &height); err != nil {
		panic(err) // package plot begins every chart so
	}
	var keys strings.Builder
	const letter, lineHeight = 6, 18
	longest := 0
	for _, entry := range legend {
		longest = max(longest, utf8.RuneCountInString(entry.Name))
	}
	columns := min(max(int(width-12)/(30+letter*longest), 1), 4)
	for i, entry := range legend {
		x := 12 + float64(i%columns)*(width-12)/float64(columns)
		y := height + lineHeight*float64(i/columns) + 8
		fmt.Fprintf(&keys, "<line class=\"key %s\" x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\"/><text x=\"%g\" y=\"%g\">%s</text>\n",
			entry.Class, x, y, x+18, y, x+22, y+4, html.EscapeString(entry.Name))
	}
	tall := height + lineHeight*float64((len(legend)+columns-1)/columns)
	head = strings.Replace(head, fmt.Sprintf("viewBox=\"0 0 %g %g\"", width, height),
		fmt.Sprintf("width=\"%d\" viewBox=\"0 0 %g %g\"", pictureWidth, width, tall), 1)
	return head + "\n<style>\n" + chartStyle + "svg { background: var(--card); }\n</style>\n" +
		strings.TrimSuffix(rest, "</svg>\n") + keys.String() + "</svg>\n"
}

// intoDocument puts the tables and pictures between the marks of a document.
func intoDocument(r *results, name string) error {
	var text bytes.Buffer
	for _, p := range pictures(r) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(name), p.file), []byte(p.svg), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s:\n\n![%s](%s)\n\n", p.words, p.words, p.file)
	}
	markdown(&text, r)
	return marksOf(r.Preset).Write(name, text.String())
}
