package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirhttp/weir/bench/internal/bootstrap"
	"github.com/weirhttp/weir/bench/internal/table"
)

// markdown writes the report for people.
func markdown(w io.Writer, r *results) {
	fmt.Fprintf(w, "Machine: %s.\n\n%s\n\n", r.Machine, method(r))
	for _, c := range r.Cases {
		heads, lines := caseTable(c, summaries(r, c))
		if len(lines) == 0 {
			continue
		}
		fmt.Fprintf(w, "### %s\n\n", c.Title)
		table.Write(w, heads, lines, true)
		fmt.Fprintln(w)
	}
	if heads, lines := barTable(held(r)); len(lines) > 0 {
		fmt.Fprint(w, "### Bars\n\n")
		table.Write(w, heads, lines, true)
		fmt.Fprintln(w)
	}
	bullets(w, "Where another server is ahead by more than 5 %", losses(r))
	bullets(w, "Left out", leftOut(r))
	bullets(w, "FAILED runs, in none of the figures above", failures(r))
	fmt.Fprintf(w, "### Commands\n\n```\n%s```\n", commandLines(r))
}

// method is what must be known to read the tables.
func method(r *results) string {
	counted := ""
	if r.CPUBy != "" {
		counted = " CPU time is from " + r.CPUBy + "."
	}
	var compared []string // the figures of the kinds that there are
	for _, kind := range []string{closedLoop, fixedRate, idleMemory, waiting} {
		if slices.ContainsFunc(r.Cases, func(c benchCase) bool { return c.Kind == kind }) {
			compared = append(compared, figures[kind].name)
		}
	}
	return fmt.Sprintf("%s. Servers took turns: %d rounds in each case, of %s each; closed loops by %s. Medians, with 95 %% intervals in brackets. "+
		"\"x weir\" is the median over the rounds of the ratio of the server's figure (%s) to weir's; \"beside weir\" says what its interval shows.%s",
		r.Begun.Format("2006-01-02 15:04 UTC"), r.Rounds, r.Duration, r.Generator, strings.Join(compared, ", "), counted)
}

// caseTable has a row for each server that offers the case. What the row shows comes first: on a phone the rest is scrolled to.
func caseTable(c benchCase, rows []summary) (heads []string, lines [][]string) {
	heads = []string{"server", "beside " + c.subject(), "x " + c.subject()}
	switch c.Kind {
	case closedLoop:
		heads = append(heads, "requests/s", "p50", "p99", "CPU us a request", "x floor")
	case fixedRate:
		heads = append(heads, "requests/s", "p50", "p99", "CPU us a request", "x floor", "client a bottleneck in")
	case idleMemory: // the floor keeps a connection in the kernel alone
		heads = append(heads, "RSS growth, bytes a connection")
	case waiting:
		heads = append(heads, "all woken in", "CPU us an answer", "CPU x weir", "RSS growth, bytes a client", "memory x weir", "refused before")
	}
	heads = append(heads, "good runs")
	own, _ := find(rows, c.subject())
	floor, _ := find(rows, "floor")
	for _, s := range rows {
		shown, toWeir, toFloor := "-", "-", "-"
		if of, ok := ratio(s, own); ok && s.server.Name != c.subject() {
			shown, toWeir = verdict(of, min(s.good, own.good), c), bracketed("%.2f", of)
		}
		if of, ok := ratio(s, floor); ok {
			toFloor = number("%.2f", of.Middle)
		}
		line := []string{s.server.Name, shown, toWeir}
		switch c.Kind {
		case closedLoop:
			line = append(line, number("%.0f", s.perSecond.Middle), latencyOf(s.p50), latencyOf(s.p99), bracketed("%.3f", s.cpu), toFloor)
		case fixedRate:
			line = append(line, number("%.0f", s.perSecond.Middle), latencyOf(s.p50), bracketedLatency(s.figure), bracketed("%.3f", s.cpu), toFloor, bottlenecks(s))
		case idleMemory:
			line = append(line, bracketed("%.0f", s.figure))
		case waiting:
			line = append(line, bracketedLatency(s.figure), bracketed("%.3f", s.cpu), number("%.2f", s.cpu.Middle/own.cpu.Middle),
				bracketed("%.0f", s.memory), number("%.1f", s.memory.Middle/own.memory.Middle), fmt.Sprint(s.refused))
		}
		lines = append(lines, append(line, runCount(s)))
	}
	if i := slices.Index(heads, "x floor"); i >= 0 && c.App != "" { // the floor runs no applications
		heads = slices.Delete(heads, i, i+1)
		for n := range lines {
			lines[n] = slices.Delete(lines[n], i, i+1)
		}
	}
	return heads, lines
}

func bottlenecks(s summary) string {
	if s.bottlenecks == 0 {
		return "no run"
	}
	return fmt.Sprintf("**%d of %d runs**", s.bottlenecks, s.good)
}

func barTable(all []barResult) (heads []string, lines [][]string) {
	for _, b := range all {
		measured := "-"
		if b.known {
			measured = number("%.2f", b.measured)
		}
		lines = append(lines, []string{b.benchCase.Name, b.String(), measured, b.verdict()})
	}
	return []string{"case", "bar", "measured", ""}, lines
}

func bullets(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "### %s\n\n", title)
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", line)
	}
	fmt.Fprintln(w)
}

// leftOut names the servers that are not installed here.
func leftOut(r *results) (lines []string) {
	for _, m := range r.Missing {
		lines = append(lines, m.Name+": "+m.Why)
	}
	for _, s := range r.Servers {
		if s.Closes && slices.ContainsFunc(r.Cases, func(c benchCase) bool { return c.Kind == idleMemory && c.App != "" }) {
			lines = append(lines, s.Name+": no idle connections, it closes each one behind its answer")
		}
	}
	return lines
}

func failures(r *results) (lines []string) {
	for _, run := range r.Runs {
		if run.FailedWith != "" {
			lines = append(lines, fmt.Sprintf("%s, %s, %s: %s", run.Case, run.when(), run.Server, oneLine(run.FailedWith)))
		}
	}
	return lines
}

func commandLines(r *results) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, s := range r.Servers {
		fmt.Fprintf(out, "%s\t# %s, %s\n", s.shown(false), s.Name, s.Version)
		if len(s.Closing) > 0 {
			fmt.Fprintf(out, "%s\t# %s, a connection for each request\n", s.shown(true), s.Name)
		}
	}
	for _, noted := range r.Commands {
		fmt.Fprintf(out, "%s\t# %s\n", noted.Line, noted.Case)
	}
	_ = out.Flush() // a Builder takes everything
	return text.String()
}

func number(format string, v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func bracketed(format string, v bootstrap.Interval) string {
	if math.IsNaN(v.Middle) {
		return "-"
	}
	return fmt.Sprintf(format+" ["+format+" to "+format+"]", v.Middle, v.Low, v.High)
}

// bracketedLatency is of milliseconds.
func bracketedLatency(v bootstrap.Interval) string {
	if math.IsNaN(v.Middle) {
		return "-"
	}
	return fmt.Sprintf("%s [%s to %s]", latencyOf(v.Middle*1e6), latencyOf(v.Low*1e6), latencyOf(v.High*1e6))
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
