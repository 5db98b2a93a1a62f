package python

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// Bars of weir beside a client that is constantly in a view which sleeps.
const (
	mostTail  = 6.0  // ms, p99.9 of the others
	leastRate = 0.75 // of the undisturbed requests/s
	mostCPU   = 1.3  // times the undisturbed CPU a request
)

// A disturbance is the same clients without and with the one that is in the sleeping view.
type disturbance struct {
	alone, beside reading
	calls         float64 // of the view, a second
}

// sleeper compares the same clients of the same server without and with one that is constantly in a view which sleeps 50 ms. weir
// has all rounds, peers have one.
func (m *measurer) sleeper() {
	const title = "raw WSGI hello, 64 connections beside one that is constantly in a view which sleeps 50 ms"
	t := m.results.table(title, "server", "requests/s, undisturbed", "beside", "share", "p99.9, undisturbed", "p50 beside", "p99", "p99.9",
		"CPU us a request, undisturbed", "beside", "sleeping calls/s", "rounds")
	for _, r := range m.rows {
		if m.ctx.Err() != nil {
			return
		}
		if r.missing != "" {
			t.addMissing(r)
			continue
		}
		rounds, lines := 1, []*verdict.Line{{Title: r.Name + ", a view that sleeps"}}
		if r.Name == weir {
			rounds = m.o.rounds
			lines = []*verdict.Line{
				m.line(title+": p99.9 of the others", fmt.Sprintf("at most %g ms", mostTail)),
				m.line("the same: requests/s of the others", fmt.Sprintf("at least %.0f %% of undisturbed", 100*leastRate)),
				m.line("the same: CPU a request", fmt.Sprintf("at most %g times undisturbed", mostCPU)),
			}
		}
		all := m.disturb(r, rounds, lines)
		if r.Name == weir {
			judgeDisturbances(lines, all)
		} else {
			m.results.keepFailures(lines[0])
		}
		t.add(disturbanceCells(r, all)...)
	}
}

// disturb has the two take turns.
func (m *measurer) disturb(r row, rounds int, lines []*verdict.Line) (all []disturbance) {
	s, err := m.start(r, "sleeper")
	if err == nil {
		defer s.Stop()
		_, err = m.load(s, connections, m.o.sizes.warm)
	}
	if err != nil {
		if m.ctx.Err() == nil {
			for _, l := range lines {
				l.Failures = append(l.Failures, err.Error())
			}
		}
		return nil
	}
	script := []string{"-s", filepath.Join(m.o.dir, "python", "latency.lua")}
	verdict.Times(m.ctx, rounds, func(round int) (told string, err error) {
		var d disturbance
		for turn := range 2 {
			if (round+turn)%2 == 0 {
				d.alone, err = m.load(s, connections, m.o.sizes.run, script...)
			} else {
				d.beside, d.calls, err = m.loadBesideSleeper(s, script)
			}
			if err != nil {
				return "", err
			}
		}
		all = append(all, d)
		return fmt.Sprintf("%s: %.0f/s, beside %.0f/s; p99.9 %v, beside %v; %.1f us, beside %.1f us", r.Name,
			d.alone.perSecond, d.beside.perSecond, d.alone.p999, d.beside.p999, d.alone.cpu, d.beside.cpu), nil
	}, lines...)
	return all
}

func (m *measurer) loadBesideSleeper(s *server, script []string) (r reading, perSecond float64, err error) {
	var quit atomic.Bool
	var calls atomic.Int64
	done := make(chan error, 1)
	began := time.Now()
	go func() {
		for !quit.Load() {
			content, err := s.get("/sleep?ms=50")
			if err == nil && string(content) != greeting {
				err = fmt.Errorf("answered with %.60q", content)
			}
			if err != nil {
				done <- fmt.Errorf("/sleep: %w", err)
				return
			}
			calls.Add(1)
		}
		done <- nil
	}()
	r, err = m.load(s, connections, m.o.sizes.run, script...)
	perSecond = float64(calls.Load()) / time.Since(began).Seconds()
	quit.Store(true)
	slept := <-done
	if slept != nil && s.row.Name != weir { // with so many clients beside it, one that waits for long is a figure too
		fmt.Fprintf(os.Stderr, "  %s: %v\n", s.row.Name, slept)
		slept = nil
	}
	return r, perSecond, errors.Join(err, slept)
}

func judgeDisturbances(lines []*verdict.Line, all []disturbance) {
	if len(all) == 0 {
		return
	}
	var tails, aloneTails []float64
	for _, d := range all {
		tails, aloneTails = append(tails, inMilliseconds(d.beside.p999)), append(aloneTails, inMilliseconds(d.alone.p999))
	}
	lines[0].JudgeMedian(tails, mostTail, milliseconds)
	lines[0].Detail += ", undisturbed " + milliseconds(verdict.Median(aloneTails))
	before, beside := medianDisturbance(all)
	share := beside.perSecond / before.perSecond
	lines[1].Judge(share >= leastRate, fmt.Sprintf("%.0f %%", 100*share), fmt.Sprintf("%.0f/s of %.0f/s", beside.perSecond, before.perSecond))
	times := beside.cpu / before.cpu
	lines[2].Judge(times <= mostCPU, fmt.Sprintf("%.2f", times), fmt.Sprintf("%s, undisturbed %s", microseconds(beside.cpu), microseconds(before.cpu)))
}

// medianDisturbance has the medians of each figure.
func medianDisturbance(all []disturbance) (alone, beside reading) {
	of := func(side func(disturbance) reading) reading {
		var runs []reading
		for _, d := range all {
			runs = append(runs, side(d))
		}
		duration := func(each func(reading) time.Duration) time.Duration {
			return time.Duration(medianOf(runs, func(r reading) float64 { return float64(each(r)) }))
		}
		return reading{
			perSecond: verdict.Median(perSecond(runs)),
			cpu:       medianOf(runs, func(r reading) float64 { return r.cpu }),
			p50:       duration(func(r reading) time.Duration { return r.p50 }),
			p99:       duration(func(r reading) time.Duration { return r.p99 }),
			p999:      duration(func(r reading) time.Duration { return r.p999 }),
		}
	}
	return of(func(d disturbance) reading { return d.alone }), of(func(d disturbance) reading { return d.beside })
}

func disturbanceCells(r row, all []disturbance) []string {
	if len(all) == 0 {
		return append(append([]string{r.Name}, strings.Split(strings.Repeat("-", 10), "")...), "0")
	}
	alone, beside := medianDisturbance(all)
	calls := make([]float64, len(all))
	for i, d := range all {
		calls[i] = d.calls
	}
	ms := func(d time.Duration) string { return milliseconds(inMilliseconds(d)) }
	return []string{
		r.Name, fmt.Sprintf("%.0f", alone.perSecond), fmt.Sprintf("%.0f", beside.perSecond), fmt.Sprintf("%.0f %%", 100*beside.perSecond/alone.perSecond),
		ms(alone.p999), ms(beside.p50), ms(beside.p99), ms(beside.p999), fmt.Sprintf("%.1f", alone.cpu), fmt.Sprintf("%.1f", beside.cpu),
		fmt.Sprintf("%.0f", verdict.Median(calls)), fmt.Sprint(len(all)),
	}
}
