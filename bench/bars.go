package main

import "fmt"

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
	cost       measure = iota // CPU a request, or memory a connection
	throughput                // requests/s
)

// The last bar is on a peer: a gnet that does not leave fasthttp this far
// behind when pipelined is not the floor that it is taken for.
var bars = []bar{
	{[]string{"plaintext-64", "plaintext-512"}, "gnet", cost, 1.00, true, "weir"},
	{[]string{"plaintext-64", "plaintext-512"}, "fasthttp", cost, 0.80, true, "weir"},
	{[]string{"pipelined"}, "gnet", cost, 1.45, true, "weir"},
	{[]string{"pipelined"}, "fasthttp", cost, 0.55, true, "weir"},
	{[]string{"pipelined"}, "fasthttp", throughput, 1.50, false, "weir"},
	{[]string{"close"}, "gnet", cost, 0.85, true, "weir"},
	{[]string{"close"}, "fasthttp", cost, 0.90, true, "weir"},
	{[]string{"idle"}, "gnet", cost, 0.65, true, "weir"},
	{[]string{"pipelined"}, "fasthttp", throughput, 1.70, false, "gnet"},
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
	return "missed"
}

func (r barResult) String() string {
	what := "requests/s"
	if r.bar.what == cost {
		what = "CPU a request"
		if r.benchCase.idle {
			what = "memory a connection"
		}
	}
	bound := "at least"
	if r.bar.atMost {
		bound = "at most"
	}
	return fmt.Sprintf("%s: %s %s %.2f x %s", r.bar.of, what, bound, r.bar.bound, r.bar.peer)
}

// hold measures a bar in a case. weir's own figure is that of its plain row: a
// variant does not stand in for the default.
func (b bar) hold(c benchCase, summaries []summary, servers []server) barResult {
	result := barResult{bar: b, benchCase: c}
	peer, peerKnown := best(summaries, servers, b.peer, c)
	subject, subjectKnown := plain(summaries, b.of)
	if b.of != "weir" {
		subject, subjectKnown = best(summaries, servers, b.of, c)
	}
	if !peerKnown || !subjectKnown {
		return result
	}
	result.known = true
	switch b.what {
	case throughput:
		result.measured = subject.perSecond / peer.perSecond
	case cost:
		result.measured = subject.cost(c) / peer.cost(c)
	}
	return result
}

// plain is the row of exactly this name.
func plain(summaries []summary, name string) (summary, bool) {
	for _, s := range summaries {
		if s.server == name && s.good > 0 {
			return s, true
		}
	}
	return summary{}, false
}
