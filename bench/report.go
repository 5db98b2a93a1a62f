package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
)

// A report is everything that was measured, and where.
type report struct {
	Machine   machine.Machine `json:"machine"`
	Generator string          `json:"generator"`
	Rounds    int             `json:"rounds"`
	Duration  string          `json:"duration"`
	Servers   []server        `json:"servers"`
	Missing   []missing       `json:"missing,omitempty"`
	Commands  []command       `json:"commands"`
	Runs      []runRecord     `json:"runs"`
	cases     []benchCase
}

// A command loaded a case; the address stands for all servers'.
type command struct {
	Case string `json:"case"`
	Line string `json:"line"`
}

// anyAddr stands for a server's address in the commands of a report.
const anyAddr = "127.0.0.1:PORT"

// command notes the load of a case once.
func (r *report) command(c benchCase, addr, name string, args []string) {
	if slices.ContainsFunc(r.Commands, func(noted command) bool { return noted.Case == c.name }) {
		return
	}
	words := []string{name}
	for _, arg := range args {
		arg = strings.Replace(arg, addr, anyAddr, 1)
		if filepath.IsAbs(arg) {
			arg = filepath.Base(arg)
		}
		if strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	r.Commands = append(r.Commands, command{c.name, strings.Join(words, " ")})
}

func (r *report) failedRuns() int {
	failed := 0
	for _, run := range r.Runs {
		if run.FailedWith != "" {
			failed++
		}
	}
	return failed
}

func (r *report) writeJSON(name string) error {
	out, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(out, '\n'), 0o644)
}

// markdown writes the report for people.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "Machine: %s.\n\n", r.Machine)
	fmt.Fprintf(w, "Load by %s on the same machine, rounds in each case: %d, of %s or a little less for each server, the servers taking turns. Medians [least to most].\n\n",
		r.Generator, r.Rounds, r.Duration)
	var results []barResult
	for _, c := range r.cases {
		summaries := make([]summary, len(r.Servers))
		for i, s := range r.Servers {
			summaries[i] = summarize(r.Runs, c.name, s.Name)
		}
		if c.idle {
			r.idleTable(w, c, summaries)
		} else {
			r.loadTable(w, c, summaries)
		}
		for _, b := range bars {
			if slices.Contains(b.cases, c.name) {
				results = append(results, b.hold(c, summaries, r.Servers))
			}
		}
	}
	barTable(w, results)
	r.leftOut(w)
	r.failures(w)
	r.commands(w)
}

func (r *report) loadTable(w io.Writer, c benchCase, summaries []summary) {
	fmt.Fprintf(w, "### %s\n\n", c.title)
	fmt.Fprintln(w, "| server | requests/s | p50 | p99 | CPU us a request | x gnet | good runs |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, s := range summaries {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", s.server,
			number("%.0f", s.perSecond), latencyOf(s.p50), latencyOf(s.p99),
			ranged("%.3f", s.cpu, s.cpuMin, s.cpuMax), r.ratioToGnet(s, summaries, c), runCount(s))
	}
	fmt.Fprintln(w)
}

func (r *report) idleTable(w io.Writer, c benchCase, summaries []summary) {
	fmt.Fprintf(w, "### %s\n\n", c.title)
	fmt.Fprintln(w, "| server | RSS growth, bytes a connection | x gnet | good runs |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: |")
	for _, s := range summaries {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", s.server,
			ranged("%.0f", s.rss, s.rssMin, s.rssMax), r.ratioToGnet(s, summaries, c), runCount(s))
	}
	fmt.Fprintln(w)
}

// ratioToGnet divides by the better of gnet's rows.
func (r *report) ratioToGnet(s summary, summaries []summary, c benchCase) string {
	gnet, ok := best(summaries, r.Servers, "gnet", c)
	if !ok {
		return "-"
	}
	return number("%.2f", s.cost(c)/gnet.cost(c))
}

func barTable(w io.Writer, results []barResult) {
	if len(results) == 0 {
		return
	}
	fmt.Fprint(w, "### Bars\n\n| case | bar | measured | |\n| --- | --- | ---: | --- |\n")
	for _, result := range results {
		measured := "-"
		if result.known {
			measured = number("%.2f", result.measured)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", result.benchCase.name, result, measured, result.verdict())
	}
	fmt.Fprintln(w)
}

// leftOut names the servers that are not installed here.
func (r *report) leftOut(w io.Writer) {
	if len(r.Missing) == 0 {
		return
	}
	fmt.Fprint(w, "### Left out\n\n")
	for _, m := range r.Missing {
		fmt.Fprintf(w, "- %s: %s\n", m.Name, m.Why)
	}
	fmt.Fprintln(w)
}

func (r *report) failures(w io.Writer) {
	if r.failedRuns() == 0 {
		return
	}
	fmt.Fprint(w, "### FAILED runs, in none of the figures above\n\n")
	for _, run := range r.Runs {
		if run.FailedWith != "" {
			fmt.Fprintf(w, "- %s, %s, %s: %s\n", run.Case, run.when(), run.Server,
				strings.Join(strings.Fields(run.FailedWith), " "))
		}
	}
	fmt.Fprintln(w)
}

func (r *report) commands(w io.Writer) {
	fmt.Fprint(w, "### Commands\n\n```\n")
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, s := range r.Servers {
		for _, c := range r.cases {
			if c.closing && len(s.entry.Start.Closing) > 0 || c.name == r.cases[0].name {
				fmt.Fprintf(out, "%s\t# %s\n", strings.Join(s.shown(c), " "), s.Version)
			}
		}
	}
	for _, noted := range r.Commands {
		fmt.Fprintf(out, "%s\t# %s\n", noted.Line, noted.Case)
	}
	out.Flush()
	fmt.Fprint(w, "```\n")
}

func number(format string, v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func ranged(format string, middle, least, most float64) string {
	if math.IsNaN(middle) {
		return "-"
	}
	return fmt.Sprintf(format+" ["+format+" to "+format+"]", middle, least, most)
}

func runCount(s summary) string {
	if s.failed > 0 {
		return fmt.Sprintf("%d, FAILED %d", s.good, s.failed)
	}
	return fmt.Sprint(s.good)
}

func latencyOf(ns float64) string {
	if math.IsNaN(ns) {
		return "-"
	}
	return latency(time.Duration(ns))
}

// latency writes three digits, which is more than a run is worth.
func latency(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d us", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
