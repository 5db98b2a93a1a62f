package python

import (
	"context"
	"fmt"
	"time"

	"github.com/weirhttp/weir/bench/internal/healthy"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// mostHealthy is the p99 of a healthy client, in milliseconds.
const mostHealthy = 3.0

// Others are clients that cost a server something beside the one that is looked at.
type others struct {
	title string
	count func(z sizes) int
	// start returns when they are there, or the time for it is over. What it returns ends them, and tells how many were still there.
	start func(ctx context.Context, addr string, count int, within time.Duration) (stop func() (left int))
}

var (
	slowClients = others{"clients that send an octet a second", func(z sizes) int { return z.slow }, startSlow}
	idleClients = others{"idle keep-alive connections", func(z sizes) int { return z.idle }, startIdle}
)

// A besides is what a healthy client has seen.
type besides struct {
	quiet, p50, p99  time.Duration
	requests, errors int
	first            error
	left             int // of the others
}

// stopped tells whether the server has stopped answering: half of what was due had no answer within half a second, or an error.
func (b besides) stopped() bool { return b.p50 > time.Second/2 || 2*b.errors > b.requests }

// beside looks at a client that makes 200 requests a second at fixed times, beside others. weir has a few rounds, peers have one.
func (m *measurer) beside(o others) {
	count := o.count(m.o.sizes)
	title := fmt.Sprintf("200 requests/s of a client beside %d %s", count, o.title)
	t := m.results.table(title, "server", "p99 before", "p50", "p99", "without an answer in 2 s", "of the others open at the end", "", "rounds")
	for _, r := range m.rows {
		if m.ctx.Err() != nil {
			return
		}
		if r.missing != "" {
			t.addMissing(r)
			continue
		}
		rounds, l := 1, &verdict.Line{Title: title + ": " + r.Name}
		if r.Name == weir {
			rounds, l = min(m.o.rounds, fewRounds), m.line(title+": p99", fmt.Sprintf("at most %g ms", mostHealthy))
		}
		var all []besides
		verdict.Times(m.ctx, rounds, func(int) (string, error) {
			b, err := m.besideOnce(r, o, count)
			if err != nil {
				return "", err
			}
			if r.Name == weir && b.errors > 0 {
				return "", fmt.Errorf("%d of %d requests failed: %w", b.errors, b.requests, b.first)
			}
			all = append(all, b)
			return fmt.Sprintf("%s: p99 %v, before %v; %d of %d requests failed, %d of the others are left",
				r.Name, b.p99, b.quiet, b.errors, b.requests, b.left), nil
		}, l)
		if r.Name == weir {
			var p99 []float64
			for _, b := range all {
				p99 = append(p99, inMilliseconds(b.p99))
			}
			l.JudgeMedian(p99, mostHealthy, milliseconds)
		} else {
			m.results.keepFailures(l)
		}
		t.add(besidesCells(r, all)...)
	}
}

func (m *measurer) besideOnce(r row, o others, count int) (b besides, err error) {
	s, err := m.start(r, "raw")
	if err != nil {
		return b, err
	}
	defer s.Stop()
	h, err := healthy.New(s.Values.Port, plaintext, greeting)
	if err != nil {
		h.Stop()
		return b, s.why(err)
	}
	h.Begin()
	err = program.Pause(m.ctx, m.o.sizes.quiet)
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	stop := o.start(ctx, s.Addr, count, m.o.sizes.open)
	h.Attack()
	if err == nil {
		err = program.Pause(m.ctx, m.o.sizes.run)
	}
	h.Stop()
	b.left = stop()
	if err == nil {
		err = s.Alive()
	}
	b.quiet, b.p50, b.p99 = h.Quiet.Quantile(0.99), h.Latencies.Quantile(0.5), h.Latencies.Quantile(0.99)
	b.requests, b.errors, b.first = h.Requests, h.Errors, h.FirstError
	return b, err
}

func besidesCells(r row, all []besides) []string {
	if len(all) == 0 {
		return []string{r.Name, "-", "-", "-", "-", "-", "", "0"}
	}
	of := func(each func(besides) time.Duration) string {
		var values []float64
		for _, b := range all {
			values = append(values, inMilliseconds(each(b)))
		}
		return milliseconds(verdict.Median(values))
	}
	last := all[len(all)-1]
	word := ""
	if last.stopped() {
		word = "stops answering"
	}
	return []string{
		r.Name, of(func(b besides) time.Duration { return b.quiet }), of(func(b besides) time.Duration { return b.p50 }),
		of(func(b besides) time.Duration { return b.p99 }), fmt.Sprintf("%d of %d", last.errors, last.requests), fmt.Sprint(last.left), word, fmt.Sprint(len(all)),
	}
}
