package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// A runRecord is one run of one server, as measured.
type runRecord struct {
	Case       string        `json:"case"`
	Server     string        `json:"server"`
	Round      int           `json:"round"` // from 1
	Load       *loadResult   `json:"load,omitempty"`
	CPU        time.Duration `json:"cpu_ns,omitempty"`
	CPUPer     float64       `json:"cpu_us_a_request,omitempty"`
	RSSBefore  int64         `json:"rss_before,omitempty"`
	RSSAfter   int64         `json:"rss_after,omitempty"`
	RSSPer     float64       `json:"rss_a_connection,omitempty"`
	FailedWith string        `json:"failed,omitempty"`
}

// when is for people; a server that failed before its first run has round 0.
func (r runRecord) when() string {
	if r.Round == 0 {
		return "start"
	}
	return fmt.Sprintf("round %d", r.Round)
}

// measurer makes the runs. Main goroutine only: it starts processes.
type measurer struct {
	opts    *options
	servers []server
	report  *report
}

func (m *measurer) measure(ctx context.Context, c benchCase) {
	if c.idle {
		m.measureIdle(ctx, c)
		return
	}
	m.measureLoad(ctx, c)
}

// measureLoad keeps one process of each server through all rounds of the case.
// Only one of them is loaded at a time, and each round begins with another, so
// that a slow minute of the machine, or a place in the order, falls on all.
func (m *measurer) measureLoad(ctx context.Context, c benchCase) {
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	for _, s := range m.servers {
		p, err := m.prepare(ctx, s, c)
		if ctx.Err() != nil {
			if p != nil {
				p.stop()
			}
			return
		}
		if err != nil {
			m.add(runRecord{Case: c.name, Server: s.Name, FailedWith: err.Error()})
			continue
		}
		running = append(running, p)
	}
	for round := range c.rounds(m.opts.rounds) {
		for i := range running {
			p := running[(i+round)%len(running)]
			record := m.loadOnce(ctx, p, c)
			if ctx.Err() != nil {
				return
			}
			record.Case, record.Server, record.Round = c.name, p.server.Name, round+1
			m.add(record)
		}
	}
}

// prepare starts a server, verifies its response, and warms it up with the
// built-in loader whatever makes the load later: that one checks every byte
// and sees an answer that never comes, which wrk does not.
func (m *measurer) prepare(ctx context.Context, s server, c benchCase) (*process, error) {
	p, err := start(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if err := m.checkAndWarm(ctx, p, c); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (m *measurer) checkAndWarm(ctx context.Context, p *process, c benchCase) error {
	if err := verify(p.addr, c); err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	result, err := runLoader(ctx, loadArgs(c, p.addr, warmUp))
	if err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	if len(result.Problems) > 0 {
		return fmt.Errorf("warming up: %s", strings.Join(result.Problems, "; "))
	}
	return p.alive()
}

func (m *measurer) loadOnce(ctx context.Context, p *process, c benchCase) (record runRecord) {
	fail := func(err error) runRecord {
		record.FailedWith = err.Error()
		return record
	}
	if err := p.alive(); err != nil {
		return fail(err)
	}
	before, err := p.cpu()
	if err != nil {
		return fail(err)
	}
	length := c.length(m.opts.duration)
	if m.opts.wrk != "" {
		args := wrkArgs(c, p.addr, m.opts.dir, length)
		m.report.command(c, p.addr, "wrk", args)
		record.Load, err = runWrk(ctx, m.opts.wrk, args)
	} else {
		args := loadArgs(c, p.addr, length)
		m.report.command(c, p.addr, "weir-bench", args)
		record.Load, err = runLoader(ctx, args)
	}
	if aliveErr := p.alive(); aliveErr != nil {
		err = aliveErr // the cause of whatever the load generator says
	}
	if err != nil {
		return fail(err)
	}
	after, err := p.cpu()
	if err != nil {
		return fail(err)
	}
	if len(record.Load.Problems) > 0 {
		return fail(errors.New(strings.Join(record.Load.Problems, "; ")))
	}
	record.CPU = after - before
	record.CPUPer = float64(record.CPU.Nanoseconds()) / 1e3 / float64(record.Load.Requests)
	return record
}

// measureIdle takes a fresh process for each run: memory that a process once
// had is seldom given back.
func (m *measurer) measureIdle(ctx context.Context, c benchCase) {
	for round := range c.rounds(m.opts.rounds) {
		for i := range m.servers {
			s := m.servers[(i+round)%len(m.servers)]
			record := m.idleOnce(ctx, s, c)
			if ctx.Err() != nil {
				return
			}
			record.Case, record.Server, record.Round = c.name, s.Name, round+1
			m.add(record)
		}
	}
}

func (m *measurer) idleOnce(ctx context.Context, s server, c benchCase) (record runRecord) {
	p, err := start(ctx, s, c)
	if err == nil {
		defer p.stop()
		if err = verify(p.addr, c); err == nil {
			record.RSSBefore, record.RSSAfter, err = idleGrowth(ctx, p, m.opts.idle)
		}
	}
	if err != nil {
		record.FailedWith = err.Error()
		return record
	}
	record.RSSPer = float64(record.RSSAfter-record.RSSBefore) / float64(m.opts.idle)
	return record
}

// add keeps a run and says so.
func (m *measurer) add(r runRecord) {
	m.report.Runs = append(m.report.Runs, r)
	line := fmt.Sprintf("%-14s %-8s %-16s ", r.Case, r.when(), r.Server)
	switch {
	case r.FailedWith != "":
		line += "FAILED: " + r.FailedWith
	case r.Load == nil:
		line += fmt.Sprintf("%8.0f bytes a connection", r.RSSPer)
	default:
		line += fmt.Sprintf("%9.0f requests/s  p99 %-8s %7.3f us CPU a request",
			r.Load.PerSecond, latency(r.Load.P99), r.CPUPer)
	}
	fmt.Fprintln(os.Stderr, line)
}
