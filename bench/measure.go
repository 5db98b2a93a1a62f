package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
)

// measurer makes the runs. Main goroutine only: it starts processes.
type measurer struct {
	opts     *options
	servers  []server
	results  *results
	done     func(runRecord) // is told of each run
	capacity map[string]float64
}

func (m *measurer) measure(ctx context.Context, c benchCase) {
	switch c.Kind {
	case idleMemory:
		m.measureFresh(ctx, c, m.idleOnce)
	case waiting:
		m.measureFresh(ctx, c, m.waitOnce)
	default:
		m.measureLoad(ctx, c)
	}
}

// offering are the servers that have what the case asks for.
func (m *measurer) offering(c benchCase) (rows []server) {
	for _, s := range m.servers {
		if s.offers(c) {
			rows = append(rows, s)
		}
	}
	return rows
}

// measureLoad keeps one process of each server through all rounds of the case.
// Only one of them is loaded at a time, and each round begins with another, so
// that a slow minute of the machine, or a place in the order, falls on all.
func (m *measurer) measureLoad(ctx context.Context, c benchCase) {
	var running []*process
	defer func() {
		for _, p := range running {
			p.Stop()
		}
	}()
	for _, s := range m.offering(c) {
		p, err := m.prepare(ctx, s, c)
		if ctx.Err() != nil {
			if p != nil {
				p.Stop()
			}
			return
		}
		if err != nil {
			m.add(runRecord{Case: c.Name, Server: s.Name, FailedWith: err.Error()})
			continue
		}
		running = append(running, p)
	}
	if c.share > 0 {
		m.findCapacities(ctx, c, running)
	}
	for round := range c.rounds(m.opts.rounds) {
		for i := range running {
			p := running[(i+round)%len(running)]
			record := m.loadOnce(ctx, p, c)
			if ctx.Err() != nil {
				return
			}
			record.Case, record.Server, record.Round = c.Name, p.server.Name, round+1
			m.add(record)
		}
	}
}

// prepare starts a server, verifies its responses, and warms it up with a
// client of our own whatever makes the load later: that one checks every
// octet and sees an answer that never comes, which wrk does not.
func (m *measurer) prepare(ctx context.Context, s server, c benchCase) (*process, error) {
	c = c.with(s)
	p, err := start(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if err := m.checkAndWarm(ctx, p, c); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (m *measurer) checkAndWarm(ctx context.Context, p *process, c benchCase) error {
	if err := verify(p.server, p.Addr, c); err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	if _, err := faultless(runSelf(ctx, loadArgs(c, p.server.entry.Routes[c.route], p.Addr, warmUp))); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	return p.Alive()
}

// faultless is a run in which every answer was right.
func faultless(result *loadResult, err error) (*loadResult, error) {
	if err == nil && len(result.Problems) > 0 {
		err = errors.New(strings.Join(result.Problems, "; "))
	}
	return result, err
}

// capacityRounds is how many closed loops tell what a server can do.
const capacityRounds = 3

// findCapacities measures what each server can do, as the client knows it that sends at a fixed rate, in turns as ever: once for all the
// cases that take a share of it. A server whose run has failed gets 0, which no case takes a share of.
func (m *measurer) findCapacities(ctx context.Context, c benchCase, running []*process) {
	found := make(map[string][]float64)
	for round := range capacityRounds {
		for i := range running {
			p := running[(i+round)%len(running)]
			if m.capacity[p.server.Name] > 0 {
				continue
			}
			c := c.with(p.server)
			result, err := faultless(runSelf(ctx, rateArgs(c, p.server.entry.Routes, p.Addr, 0, c.length(m.opts.duration))))
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				m.add(runRecord{Case: c.Name, Server: p.server.Name, FailedWith: "finding what it can do: " + err.Error()})
				continue
			}
			found[p.server.Name] = append(found[p.server.Name], result.PerSecond)
		}
	}
	for name, rates := range found {
		m.capacity[name] = median(rates)
	}
}

func (m *measurer) loadOnce(ctx context.Context, p *process, c benchCase) (record runRecord) {
	c = c.with(p.server)
	fail := func(err error) runRecord {
		record.FailedWith = err.Error()
		return record
	}
	if err := p.Alive(); err != nil {
		return fail(err)
	}
	probing, stop := context.WithCancel(ctx)
	defer stop()
	probed := make(chan error, 1)
	go func() {
		probed <- probe(probing, p.Addr, exchangeOf(c.route, p.server.entry.Routes[c.route], c.size), c.closing)
	}()

	before, err := p.CPU()
	if err != nil {
		return fail(err)
	}
	record.Load, err = m.load(ctx, p, c)
	after, cpuErr := p.CPU()
	stop()
	if aliveErr := p.Alive(); aliveErr != nil {
		err = aliveErr // the cause of whatever the load generator says
	}
	if _, err := faultless(record.Load, errors.Join(err, cpuErr, <-probed)); err != nil {
		return fail(err)
	}
	record.CPU = after - before
	record.CPUPer = float64(record.CPU.Nanoseconds()) / 1e3 / float64(record.Load.Requests)
	return record
}

// load has one run of the case made by whoever makes that kind of load.
func (m *measurer) load(ctx context.Context, p *process, c benchCase) (*loadResult, error) {
	length, routes := c.length(m.opts.duration), p.server.entry.Routes
	if c.Kind == fixedRate {
		rate, capacity := c.rate, 0.0
		if c.share > 0 {
			if capacity = m.capacity[p.server.Name]; capacity == 0 {
				return nil, errors.New("what the server can do is not known, and the case takes a share of it")
			}
			rate = c.share * capacity
		}
		args := rateArgs(c, routes, p.Addr, rate, length)
		m.results.command(c, p.Addr, "weir-bench", rateArgs(c, routes, p.Addr, c.rate, length))
		result, err := runSelf(ctx, args)
		if err == nil && result.Rate != nil {
			result.Rate.Capacity = capacity
		}
		return result, err
	}
	if m.opts.wrk != "" {
		args := wrkArgs(c, routes[c.route], p.Addr, m.opts.dir, length)
		m.results.command(c, p.Addr, "wrk", args)
		return runWrk(ctx, m.opts.wrk, args)
	}
	args := loadArgs(c, routes[c.route], p.Addr, length)
	m.results.command(c, p.Addr, "weir-bench", args)
	return runSelf(ctx, args)
}

// measureFresh takes a fresh process for each run: memory that a process once
// had is seldom given back.
func (m *measurer) measureFresh(ctx context.Context, c benchCase, once func(context.Context, server, benchCase) runRecord) {
	rows := m.offering(c)
	for round := range c.rounds(m.opts.rounds) {
		for i := range rows {
			s := rows[(i+round)%len(rows)]
			record := once(ctx, s, c)
			if ctx.Err() != nil {
				return
			}
			record.Case, record.Server, record.Round = c.Name, s.Name, round+1
			m.add(record)
		}
	}
}

func (m *measurer) idleOnce(ctx context.Context, s server, c benchCase) (record runRecord) {
	// Some descriptors of each process are not connections of the case.
	record.Connections = min(c.connections, proc.DescriptorLimit()-200)
	p, err := start(ctx, s, c)
	if err == nil {
		defer p.Stop()
		if err = verify(s, p.Addr, c); err == nil {
			record.RSSBefore, record.RSSAfter, err = idleGrowth(ctx, p, s.entry.Routes[c.route], record.Connections)
		}
	}
	if err != nil {
		record.FailedWith = err.Error()
		return record
	}
	record.RSSPer = float64(record.RSSAfter-record.RSSBefore) / float64(record.Connections)
	return record
}

// add keeps a run and says so.
func (m *measurer) add(r runRecord) {
	m.results.Runs = append(m.results.Runs, r)
	m.done(r)
}

// line is for people who wait.
func (r runRecord) line() string {
	line := fmt.Sprintf("%-14s %-8s %-16s ", r.Case, r.when(), r.Server)
	switch {
	case r.FailedWith != "":
		return line + "FAILED: " + oneLine(r.FailedWith)
	case r.Wakes != nil:
		return line + fmt.Sprintf("all woken in %-8s %7.3f us CPU an answer %8.0f bytes a client", latencyOf(median(r.Wakes)), r.CPUPer, r.RSSPer)
	case r.Load == nil:
		return line + fmt.Sprintf("%8.0f bytes a connection", r.RSSPer)
	}
	line += fmt.Sprintf("%9.0f requests/s  p99 %-8s %7.3f us CPU a request", r.Load.PerSecond, latency(r.Load.P99), r.CPUPer)
	if r.Load.bottleneck() {
		line += "  (the client was a bottleneck)"
	}
	return line
}

// when is for people; a server that failed before its first run has round 0.
func (r runRecord) when() string {
	if r.Round == 0 {
		return "start"
	}
	return fmt.Sprintf("round %d", r.Round)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// estimate is for people. What starting, settling and verifying add to the
// runs themselves was timed once.
func (m *measurer) estimate() (total time.Duration) {
	for _, c := range m.opts.cases {
		for _, s := range m.offering(c) {
			total += m.weight(c, s) * time.Duration(c.rounds(m.opts.rounds))
		}
	}
	return total
}

// weight is about how long a run of the case takes, with its part of what comes before.
func (m *measurer) weight(c benchCase, s server) time.Duration {
	if c.Kind == waiting {
		return waitLength(s, c)
	}
	each := c.length(m.opts.duration) + 50*time.Millisecond
	if c.Kind != idleMemory {
		each += (warmUp + 200*time.Millisecond) / time.Duration(c.rounds(m.opts.rounds))
	}
	return each
}
