package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/interval"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// A greeter is an application that is compared over all servers.
type greeter struct {
	name, app string
	bars      []bar
}

// A bar is how many times the requests/s of a peer weir is to reach.
type bar struct {
	peer  string
	times float64
}

var (
	rawHello = greeter{"raw WSGI hello", "raw", []bar{{gunicornSync, 6}, {gunicornGthread, 9}, {uwsgiRouter, 4}, {uwsgiSocket, 2.5}}}

	flaskHello = greeter{"Flask hello", "hello_flask", []bar{{gunicornSync, 2.6}, {uwsgiSocket, 1.4}, {nginxUwsgi, 1.5}}}
)

// connections are those of wrk. Rows that no bar is about are measured with the first number only, and the others in few rounds with the second.
var connections = []int{64, 256}

// hello compares requests/s and CPU a request.
func (m *measurer) hello(g greeter) {
	servers := m.startAll(g.app)
	defer stopAll(servers)
	for _, s := range servers {
		if _, err := m.load(s, connections[0], m.o.sizes.warm); err != nil && m.ctx.Err() == nil {
			m.results.fail("%s: %s: warming up: %v", g.name, s.row.name, err)
		}
	}
	for i, n := range connections {
		some, rounds := servers, m.o.rounds
		if i > 0 {
			some, rounds = nil, min(rounds, fewRounds)
			for _, s := range servers {
				if s.row.name == weir || g.isBar(s.row.name) {
					some = append(some, s)
				}
			}
		}
		m.compare(g, n, rounds, some)
	}
}

func (g greeter) isBar(name string) bool {
	for _, b := range g.bars {
		if b.peer == name {
			return true
		}
	}
	return false
}

// startAll starts what can be started, and lists what cannot.
func (m *measurer) startAll(app string) (servers []*server) {
	for _, r := range m.rows {
		if r.missing != "" {
			continue
		}
		if m.ctx.Err() != nil {
			return servers
		}
		s, err := m.start(r, app)
		if err != nil {
			m.results.fail("%s with %s: %v", r.name, app, err)
			continue
		}
		servers = append(servers, s)
	}
	return servers
}

// stopAll ends them together.
func stopAll(servers []*server) {
	var processes []*child.Process
	for _, s := range servers {
		processes = append(processes, s.processes...)
	}
	child.Stop(processes...)
	for _, s := range servers {
		s.stop() // what else there is to clean
	}
}

// compare has the servers take turns.
func (m *measurer) compare(g greeter, connections, rounds int, servers []*server) {
	title := fmt.Sprintf("%s, %d connections", g.name, connections)
	t := m.results.table(title, "server", "requests/s", "p50", "p99", "CPU us a request", "of these the workers", "weir's requests/s", "rounds")
	bars := m.judged(g)
	lines := make([]*verdict.Line, len(bars))
	for i, b := range bars {
		lines[i] = m.line(fmt.Sprintf("%s: requests/s of weir", title), fmt.Sprintf("at least %g x %s", b.times, b.peer))
	}
	series := make(map[string][]reading)
	for round := range rounds {
		for _, s := range servers {
			if m.ctx.Err() != nil {
				return
			}
			r, err := m.load(s, connections, m.o.sizes.run)
			if m.ctx.Err() != nil {
				return
			}
			if err != nil {
				m.results.fail("%s: round %d: %s: %v", title, round+1, s.row.name, err)
				r = reading{} // it keeps its place, so that rounds stay in pairs
			} else if len(r.problems) > 0 {
				m.results.remark("%s: round %d: %s: %s", title, round+1, s.row.name, strings.Join(r.problems, "; "))
			}
			fmt.Fprintf(os.Stderr, "  %s, round %d of %d: %s: %.0f/s, %.2f us, p99 %v\n", title, round+1, rounds, s.row.name, r.perSecond, r.cpu, r.p99)
			series[s.row.name] = append(series[s.row.name], r)
		}
	}
	for _, row := range m.rows {
		if row.missing != "" {
			t.addMissing(row)
			continue
		}
		t.add(helloCells(row, series[row.name], series[weir])...)
	}
	for i, b := range bars {
		judgeTimes(lines[i], b.times, series[weir], series[b.peer])
	}
}

// judged are the bars about servers that --only does not leave out. A peer that is missing is there.
func (m *measurer) judged(g greeter) (bars []bar) {
	if _, found := m.row(weir); !found {
		return nil
	}
	for _, b := range g.bars {
		if _, found := m.row(b.peer); found {
			bars = append(bars, b)
		}
	}
	return bars
}

// helloCells is a line of the table, nil for a row that is not in it.
func helloCells(r row, runs, weirs []reading) []string {
	if len(runs) == 0 {
		return nil
	}
	runs, weirs = paired(runs, weirs)
	if len(runs) == 0 {
		return []string{r.name, "-", "-", "-", "-", "-", "-", "0"}
	}
	of := "-"
	if len(weirs) > 0 && r.name != weir {
		of = fmt.Sprintf("%.2f x", verdict.Median(perSecond(weirs))/verdict.Median(perSecond(runs)))
	}
	workers := "-" // it has none
	if us := medianOf(runs, func(r reading) float64 { return r.workers }); us > 0 {
		workers = fmt.Sprintf("%.1f", us)
	}
	return []string{
		r.name, fmt.Sprintf("%.0f", verdict.Median(perSecond(runs))),
		milliseconds(medianOf(runs, func(r reading) float64 { return inMilliseconds(r.p50) })),
		milliseconds(medianOf(runs, func(r reading) float64 { return inMilliseconds(r.p99) })),
		fmt.Sprintf("%.1f", medianOf(runs, func(r reading) float64 { return r.cpu })), workers, of, fmt.Sprint(len(runs)),
	}
}

// paired are the rounds that were good for both; without b, those of a.
func paired(a, b []reading) (goodA, goodB []reading) {
	for i := range a {
		switch {
		case a[i].perSecond == 0:
		case i >= len(b):
			goodA = append(goodA, a[i])
		case b[i].perSecond > 0:
			goodA, goodB = append(goodA, a[i]), append(goodB, b[i])
		}
	}
	return goodA, goodB
}

// judgeTimes completes the line by the ratio of the medians.
func judgeTimes(l *verdict.Line, times float64, weirs, peers []reading) {
	if len(peers) == 0 {
		l.Detail = "the peer has no figures"
		return
	}
	weirs, peers = paired(weirs, peers)
	if l.Runs = len(peers); l.Runs == 0 {
		return
	}
	a, b := perSecond(weirs), perSecond(peers)
	ratio := verdict.Median(a) / verdict.Median(b)
	detail := fmt.Sprintf("%.0f/s of %.0f/s", verdict.Median(a), verdict.Median(b))
	if of, err := interval.OfRatio(a, b); err == nil {
		detail += fmt.Sprintf("; 95 %% interval %.2f to %.2f", of.Low, of.High)
	}
	l.Judge(ratio >= times, fmt.Sprintf("%.2f x", ratio), detail)
}

func perSecond(runs []reading) []float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = r.perSecond
	}
	return values
}

func medianOf(runs []reading, of func(reading) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return verdict.Median(values)
}
