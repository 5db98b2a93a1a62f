package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/weirhttp/weir/bench/internal/crowd"
)

// A point is what a server did with so many waiters.
type point struct {
	server   string
	waiters  int
	missing  string
	bytes    []float64 // for each waiter, a value a run
	wakes    []float64 // milliseconds, a value a message
	retries  int       // requests that were refused and sent again, before the wakes
	failures []string
}

// series measures memory and wake time over the number of waiters: weir up to what a process can hold, peers up to the
// number of the comparison. Runs are interleaved.
func (m *measurer) series() error {
	var points []*point
	compared := m.o.sizes.compared()
	for _, r := range m.rows {
		if len(m.o.only) > 0 && !slices.Contains(m.o.only, r.name) {
			continue
		}
		for _, n := range m.o.sizes.series {
			if !r.peer || n <= compared {
				points = append(points, &point{server: r.name, waiters: n, missing: r.missing})
			}
		}
	}
	m.results.series = points
	for n := range min(m.o.rounds, fewRounds) {
		for _, p := range points {
			if n > 0 && m.row(p.server).peer && p.waiters != compared {
				continue // once will do for the picture, and takes long enough
			}
			if m.ctx.Err() != nil {
				return nil
			}
			if p.missing == "" {
				m.point(p)
			}
		}
	}
	return nil
}

func (m *measurer) point(p *point) {
	g, report, err := m.hold(m.row(p.server), crowd.Plan{Mode: crowd.ModeWake, Clients: p.waiters, Topics: 1}, m.o.sizes.wakes)
	if m.ctx.Err() != nil {
		return
	}
	if err != nil {
		p.failures = append(p.failures, err.Error())
		fmt.Fprintf(os.Stderr, "  %s, %d waiters: FAILED: %v\n", p.server, p.waiters, err)
		return
	}
	p.retries += report.Retries
	p.bytes = append(p.bytes, g.each(p.waiters))
	for _, w := range report.Wakes {
		p.wakes = append(p.wakes, inMilliseconds(w.Last))
	}
	fmt.Fprintf(os.Stderr, "  %s, %d waiters: %s each, all woken in %s\n", p.server, p.waiters, bytesEach(g.each(p.waiters)), milliseconds(median(p.wakes)))
}

func (m *measurer) row(name string) row {
	for _, r := range m.rows {
		if r.name == name {
			return r
		}
	}
	return row{}
}

// compared is the number of waiters that all servers are measured with.
func (z sizes) compared() int { return z.series[2] }
