package main

import (
	"fmt"
	"slices"
)

// A bar is what weir must reach in a case, as a ratio to a peer in the same
// report.
type bar struct {
	cases  []string
	peer   string // family; of gnet's rows the cheaper one counts
	what   measure
	bound  float64
	atMost bool   // else at least
	of     string // whose figure is divided by the peer's
}

type measure int

const (
	ownFigure  measure = iota // that of the case's kind
	throughput                // requests/s
)

// The bar of gnet's is on a peer: a gnet that does not leave fasthttp this far
// behind when pipelined is not the yardstick that it is taken for.
var bars = []bar{
	{[]string{"plaintext-64", "plaintext-512"}, "gnet", ownFigure, 1.00, true, subject},
	{[]string{"plaintext-64", "plaintext-512"}, "floor", ownFigure, 1.10, true, subject},
	{[]string{"plaintext-64", "plaintext-512"}, "fasthttp", ownFigure, 0.80, true, subject},
	{[]string{"pipelined"}, "gnet", ownFigure, 1.45, true, subject},
	{[]string{"pipelined"}, "floor", ownFigure, 1.45, true, subject},
	{[]string{"pipelined"}, "fasthttp", ownFigure, 0.55, true, subject},
	{[]string{"pipelined"}, "fasthttp", throughput, 1.50, false, subject},
	{[]string{"close"}, "gnet", ownFigure, 0.85, true, subject},
	{[]string{"close"}, "floor", ownFigure, 1.15, true, subject},
	{[]string{"close"}, "fasthttp", ownFigure, 0.90, true, subject},
	{[]string{"echo-1m", "bytes-64k"}, "fasthttp", ownFigure, 1.00, true, subject},
	{[]string{"rate-common"}, "fasthttp", ownFigure, 1.00, true, subject},
	{[]string{"idle-19k"}, "gnet", ownFigure, 0.65, true, subject},
	{[]string{"pipelined"}, "fasthttp", throughput, 1.70, false, "gnet"},
	{[]string{"python-raw", "python-raw-256"}, "gunicorn sync", throughput, 6, false, pythonSubject},
	{[]string{"python-raw", "python-raw-256"}, "gunicorn gthread", throughput, 9, false, pythonSubject},
	{[]string{"python-raw", "python-raw-256"}, "uwsgi http router", throughput, 4, false, pythonSubject},
	{[]string{"python-raw", "python-raw-256"}, "uwsgi http-socket", throughput, 2.5, false, pythonSubject},
	{[]string{"python-flask", "python-flask-256"}, "gunicorn sync", throughput, 2.6, false, pythonSubject},
	{[]string{"python-flask", "python-flask-256"}, "uwsgi http-socket", throughput, 1.4, false, pythonSubject},
	{[]string{"python-flask", "python-flask-256"}, "nginx + uwsgi", throughput, 1.5, false, pythonSubject},
}

// A barResult is a bar held against one case of a report.
type barResult struct {
	bar       bar
	benchCase benchCase
	measured  float64
	known     bool
}

func (r barResult) verdict() string {
	switch {
	case !r.known:
		return "not measured"
	case r.bar.atMost == (r.measured <= r.bar.bound) || r.measured == r.bar.bound:
		return "met"
	}
	return "**missed**"
}

func (r barResult) String() string {
	what := "requests/s"
	if r.bar.what == ownFigure {
		what = figures[r.benchCase.Kind].name
	}
	bound := "at least"
	if r.bar.atMost {
		bound = "at most"
	}
	return fmt.Sprintf("%s: %s %s %.2f x %s", r.bar.of, what, bound, r.bar.bound, r.bar.peer)
}

// hold measures a bar in a case. weir's own figure is that of its plain row: a
// variant does not stand in for the default.
func (b bar) hold(c benchCase, rows []summary) barResult {
	result := barResult{bar: b, benchCase: c}
	peer, peerKnown := best(rows, b.peer)
	judged, known := find(rows, b.of)
	if b.of != c.subject() {
		judged, known = best(rows, b.of)
	}
	if !peerKnown || !known {
		return result
	}
	result.known = true
	switch b.what {
	case throughput:
		result.measured = judged.perSecond.Middle / peer.perSecond.Middle
	case ownFigure:
		result.measured = judged.figure.Middle / peer.figure.Middle
	}
	return result
}

// held are all bars of the cases that were measured.
func held(r *results) (all []barResult) {
	for _, c := range r.Cases {
		for _, b := range bars {
			if slices.Contains(b.cases, c.Name) {
				all = append(all, b.hold(c, summaries(r, c)))
			}
		}
	}
	return all
}

// losses are the rows that show less of the figure than weir, by more than one part in twenty.
func losses(r *results) (lines []string) {
	for _, c := range r.Cases {
		rows := summaries(r, c)
		own, ok := find(rows, c.subject())
		if !ok {
			continue
		}
		for _, s := range rows {
			of, ok := ratio(s, own)
			if !ok || s.server.Family == own.server.Family || of.Middle >= 0.95 || verdict(of, min(s.good, own.good), c) != figures[c.Kind].less {
				continue
			}
			line := fmt.Sprintf("%s: %s has %.2f x %s's %s", c.Name, s.server.Name, of.Middle, c.subject(), figures[c.Kind].name)
			switch {
			case s.server.Family == "floor" || s.server.Family == "gnet":
				line += "; it parses nothing"
			case c.App == "" && s.server.Kind != own.server.Kind:
				line += "; it is of another kind, " + s.server.Kind
			}
			lines = append(lines, line)
		}
	}
	return lines
}
