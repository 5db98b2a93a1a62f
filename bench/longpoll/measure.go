package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
)

const (
	holdSeconds  = 300              // the most that weir's demo lets wait, and longer than clients wait here
	exactSeconds = 25               // in the case where clients come and go, some may
	crowdLimit   = 10 * time.Minute // for a crowd; the case of many processes has its own
	fewRounds    = 3                // what repeats well, or takes long, needs no more
)

// A measurer runs cases one after the other.
type measurer struct {
	ctx     context.Context
	o       *options
	rows    []row
	results *results
}

func measureAll(ctx context.Context, o *options, rows []row) *results {
	m := &measurer{ctx: ctx, o: o, rows: rows, results: &results{scaled: o.scale < 1, sizes: o.sizes}}
	for _, c := range o.cases {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", c.name, c.title)
		if err := c.run(m); err != nil {
			m.results.lines = append(m.results.lines, &line{title: c.title, server: "weir", failures: []string{err.Error()}})
			fmt.Fprintf(os.Stderr, "  FAILED: %v\n", err)
		}
	}
	return m.results
}

func (m *measurer) weir() row { return m.rows[0] }

// times runs something with fresh servers, and lists the runs that failed in every line that it is about.
func (m *measurer) times(rounds int, run func() error, lines ...*line) {
	m.results.lines = append(m.results.lines, lines...)
	for n := range rounds {
		if m.ctx.Err() != nil {
			return
		}
		err := run()
		if m.ctx.Err() != nil {
			return // the run was cut off, which says nothing about the server
		}
		for _, l := range lines {
			if err != nil {
				l.failures = append(l.failures, fmt.Sprintf("run %d: %v", n+1, err))
			}
			fmt.Fprintf(os.Stderr, "  run %d of %d: %s: %s\n", n+1, rounds, l.title, l.latest(err))
		}
	}
}

// plan completes a plan for a server.
func (m *measurer) plan(s *server, p crowd.Plan) crowd.Plan {
	p.Addr, p.Publish, p.Grip = s.addr, s.launch.publish, s.launch.grip
	p.Settle, p.Limit = m.o.sizes.settle*time.Duration(max(s.row.settle, 1)), crowdLimit
	p.AtOnce, p.Pace, p.Retry = s.row.atOnce, s.row.pace, s.row.retry
	if p.AtOnce == 0 {
		p.AtOnce = openAtOnce
	}
	if p.Hold == 0 {
		p.Hold = holdSeconds
	}
	return p
}

// startWarm starts a server on which clients have waited, been woken and gone: code and tables that any use touches.
func (m *measurer) startWarm(r row) (*server, error) {
	s, err := start(m.ctx, r)
	if err != nil {
		return nil, err
	}
	if err := m.warmUp(s); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (m *measurer) warmUp(s *server) error {
	c, err := crowd.Gather(m.ctx, m.plan(s, crowd.Plan{Mode: crowd.ModeWake, Clients: m.o.sizes.warm, Topics: 1}))
	if err != nil {
		return err
	}
	defer c.Dismiss()
	if err := c.AwaitWaiting(m.o.sizes.warm); err != nil {
		return err
	}
	_, err = c.GoOn(1)
	return err
}

// A growth is resident memory without and with waiting clients, and the CPU time that the rest of the run has taken.
type growth struct {
	before, after int64
	cpu           time.Duration
}

func (g growth) each(clients int) float64 { return float64(g.after-g.before) / float64(clients) }

// hold starts a server, has a crowd wait, reads the memory before and then, and has the crowd go on.
func (m *measurer) hold(r row, p crowd.Plan, count int) (g growth, report crowd.Report, err error) {
	s, err := m.startWarm(r)
	if err != nil {
		return g, report, err
	}
	defer s.stop()
	p = m.plan(s, p)
	if err := pause(m.ctx, p.Settle*3/2); err != nil {
		return g, report, err
	}
	if g.before, err = s.Resident(); err != nil {
		return g, report, err
	}
	c, err := crowd.Gather(m.ctx, p)
	if err != nil {
		return g, report, err
	}
	defer c.Dismiss()
	if err := c.AwaitWaiting(p.Clients); err != nil {
		return g, report, err
	}
	if err := pause(m.ctx, p.Settle*3/2); err != nil {
		return g, report, err
	}
	if g.after, err = s.Resident(); err != nil {
		return g, report, err
	}
	if g.cpu, err = s.CPU(); err != nil {
		return g, report, err
	}
	if report, err = c.GoOn(count); err != nil {
		if ended := s.Alive(); ended != nil {
			err = ended
		}
		return g, report, err
	}
	taken, err := s.CPU()
	g.cpu = taken - g.cpu
	return g, report, err
}

func (m *measurer) memory() error {
	n := m.o.sizes.waiters
	l := &line{title: fmt.Sprintf("RSS growth for a waiting client, %s sockets in one process", thousands(n)), server: "weir",
		show: bytesEach, bar: 500}
	m.times(min(m.o.rounds, fewRounds), func() error {
		g, _, err := m.hold(m.weir(), crowd.Plan{Mode: crowd.ModeWake, Clients: n, Topics: 1}, 1)
		if err == nil {
			l.values = append(l.values, g.each(n))
			l.notes = []string{"one topic; then one message reached all"}
		}
		return err
	}, l)
	return nil
}

func (m *measurer) wake() error {
	n := m.o.sizes.waiters
	last := &line{title: fmt.Sprintf("one publish to %s waiters on one topic, until the last has its answer", thousands(n)), server: "weir",
		show: milliseconds, bar: 120}
	beside := &line{title: "meanwhile 200 requests/s of /plaintext, p99 in the wakes of a run", server: "weir", show: milliseconds, bar: 25}
	m.times(m.o.rounds, func() error {
		_, report, err := m.hold(m.weir(), crowd.Plan{Mode: crowd.ModeWake, Clients: n, Topics: 1, Probe: true}, m.o.sizes.wakes)
		if err != nil {
			return err
		}
		if p := report.Probe; p.Errors > 0 {
			return fmt.Errorf("%d of %d requests for /plaintext failed: %s", p.Errors, p.Requests, p.First)
		}
		for _, w := range report.Wakes {
			last.values = append(last.values, inMilliseconds(w.Last))
		}
		p99 := report.Probe.Waking
		if report.Probe.InWakes == 0 { // they were shorter than the time between two requests
			p99 = report.Probe.Quiet
		}
		beside.values = append(beside.values, inMilliseconds(p99))
		beside.notes = append(beside.notes, fmt.Sprintf("%d of %d requests in wakes; the others had a p99 of %s",
			report.Probe.InWakes, report.Probe.Requests, milliseconds(inMilliseconds(report.Probe.Quiet))))
		return nil
	}, last, beside)
	return nil
}

func (m *measurer) topics() error {
	z := m.o.sizes
	l := &line{title: fmt.Sprintf("%s topics with one waiter each, %s publishes/s, p99 to the client's read", thousands(z.topics), thousands(z.rate)),
		server: "weir", show: milliseconds, bar: 20}
	m.times(min(m.o.rounds, fewRounds), func() error {
		g, report, err := m.hold(m.weir(), crowd.Plan{Mode: crowd.ModeTopics, Clients: z.topics, Topics: z.topics, Rate: z.rate, Length: z.length}, 1)
		if err != nil {
			return err
		}
		t := report.Topics
		l.values = append(l.values, inMilliseconds(t.P99))
		l.notes = append(l.notes, fmt.Sprintf("%s messages at %.0f/s, all received, p50 %s, p99.9 %s, longest %s, written late by %s (p99), "+
			"server CPU %.1f us a message, RSS %.0f bytes for a waiter with its topic", thousands(t.Received), t.Rate,
			milliseconds(inMilliseconds(t.P50)), milliseconds(inMilliseconds(t.P999)), milliseconds(inMilliseconds(t.Max)),
			milliseconds(inMilliseconds(t.Late)), float64(g.cpu.Microseconds())/float64(t.Sent), g.each(z.topics)))
		return nil
	}, l)
	return nil
}

func (m *measurer) exact() error {
	z := m.o.sizes
	l := &line{title: fmt.Sprintf("%s topics with %d clients each that reconnect at random, %s messages/s for %.0f s: not seen exactly once, in order",
		thousands(z.exactTopics), z.exactClients, thousands(z.exactRate), z.exactLength.Seconds()), server: "weir", show: plainCount, exact: true}
	m.times(1, func() error {
		_, report, err := m.hold(m.weir(), crowd.Plan{Mode: crowd.ModeExact, Clients: z.exactTopics * z.exactClients, Topics: z.exactTopics,
			Rate: z.exactRate, Length: z.exactLength, LeavesEach: z.leavesEach, AwayMost: z.awayMost, Hold: exactSeconds}, 1)
		if err != nil {
			return err
		}
		x := report.Exact
		l.values = append(l.values, float64(x.Lost+x.Twice+x.OtherID))
		l.notes = append(l.notes, fmt.Sprintf("%s messages, %s of %s deliveries, %d lost, %d again or out of order, %d with another id, %s reconnects, %d timeouts",
			thousands(x.Sent), thousands(x.Delivered), thousands(x.Expected), x.Lost, x.Twice, x.OtherID, thousands(x.Reconnects), x.TimedOut))
		if x.First != "" {
			l.notes = append(l.notes, "the first: "+x.First)
		}
		return nil
	}, l)
	return nil
}
