package main

import (
	"context"
	"errors"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/launch"
	"github.com/weirhttp/weir/bench/internal/proc"
)

const (
	waitWarmUp  = 100             // clients that wait, are woken and go before anything is measured
	waitWakes   = 3               // of the same clients in a run
	waitHold    = 300             // seconds that a poll asks for, longer than any client waits here
	waitLimit   = 5 * time.Minute // for the crowd of a run
	waitAtOnce  = 100             // connections whose first request is not answered: fewer than any server's queue takes
	pacedAtOnce = 10
)

// waitSettle is how long a server must have done nothing before clients count as waiting.
var waitSettle = 500 * time.Millisecond

// waitOnce has clients of a fresh server wait for a message on one topic, and wakes them: what each takes of memory, and how long it takes until the
// last one has the message. Main goroutine only.
func (m *measurer) waitOnce(ctx context.Context, s server, c benchCase) (record runRecord) {
	record.Connections = min(c.connections, proc.DescriptorLimit()-200)
	if err := waitAndWake(ctx, s, c, &record); err != nil {
		return runRecord{Connections: record.Connections, FailedWith: err.Error()}
	}
	record.RSSPer = float64(record.RSSAfter-record.RSSBefore) / float64(record.Connections)
	record.CPUPer = float64(record.CPU.Nanoseconds()) / 1e3 / float64(record.Connections*len(record.Wakes))
	return record
}

func waitAndWake(ctx context.Context, s server, c benchCase, record *runRecord) error {
	var plan crowd.Plan
	// It is ready when a few clients could wait and were woken: a proxy answers before what is behind it does.
	p, err := startReady(ctx, s, c, func(started *launch.Server) error {
		plan = waitPlan(s, started, record.Connections)
		return crowd.Warm(ctx, plan, waitWarmUp)
	})
	if err != nil {
		return err
	}
	defer p.Stop()
	h, err := crowd.StartHold(ctx, p, plan)
	if err != nil {
		return err
	}
	defer h.Dismiss()
	record.RSSBefore, record.RSSAfter = h.Before, h.After
	for n := range waitWakes {
		if n > 0 {
			if _, _, err := h.GoOn(0); err != nil {
				return err
			}
		}
		report, cpu, err := h.GoOn(1)
		if err != nil {
			return err
		}
		if len(report.Wakes) != 1 {
			return errors.New("the clients tell of no wake")
		}
		record.Wakes = append(record.Wakes, report.Wakes[0].Last)
		record.CPU += cpu
		record.Refused = report.Retries
	}
	return nil
}

func waitPlan(s server, started *launch.Server, clients int) crowd.Plan {
	l := s.entry.Longpoll
	addr, publish := l.PublishAt(started.Values)
	plan := crowd.Plan{
		Mode: crowd.ModeWake, Addr: started.Addr, Publish: addr, Clients: clients, Topics: 1, Hold: waitHold, Settle: waitSettle, Limit: waitLimit,
		Targets: crowd.Targets{Hello: l.Hello, Poll: l.Poll, Publish: publish, Message: l.Message}, AtOnce: waitAtOnce,
	}
	if l.Pace > 0 {
		plan.Pace, plan.AtOnce, plan.Retry = l.Pace, pacedAtOnce, true
	}
	return plan
}

// waitLength is about how long a run takes.
func waitLength(s server, c benchCase) time.Duration {
	length := 7 * time.Second
	if l := s.entry.Longpoll; l != nil && l.Pace > 0 {
		length += time.Duration(c.connections*waitWakes/l.Pace) * time.Second
	}
	return length
}
