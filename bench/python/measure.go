package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
	"github.com/weirhttp/weir/bench/internal/wrk"
)

// A measurer runs cases one after the other. On the main goroutine only.
type measurer struct {
	ctx     context.Context
	o       *options
	rows    []row // that run applications
	waiters []row // that let clients wait, with an application of their own
	results *results
}

func measureAll(ctx context.Context, o *options, rows []row) *results {
	// The kernel ends a server with the thread that started it, and the thread of a healthy client ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := &measurer{ctx: ctx, o: o, results: &results{}}
	m.rows, m.waiters = split(rows)
	for _, r := range rows {
		if r.missing != "" {
			m.results.remark("%s is MISSING: %s", r.Name, r.missing)
		}
	}
	for _, c := range o.cases {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "%s\n", c.name)
		began := time.Now()
		c.run(m)
		fmt.Fprintf(os.Stderr, "  %s took %.0f s\n", c.name, time.Since(began).Seconds())
	}
	return m.results
}

// line adds one to those that bars hold for, which a case completes when it has its figures.
func (m *measurer) line(title, bar string) *verdict.Line {
	l := &verdict.Line{Title: title, Bar: bar}
	m.results.lines = append(m.results.lines, l)
	return l
}

// row is the one of a name; none when --only leaves it out.
func (m *measurer) row(name string) (r row, found bool) {
	for _, r := range m.rows {
		if r.Name == name {
			return r, true
		}
	}
	return r, false
}

// A reading is what wrk and the kernel tell.
type reading struct {
	perSecond      float64
	p50, p99, p999 time.Duration
	cpu, workers   float64 // us a request, of all processes and of the workers
	problems       []string
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

// load runs wrk for a time, against a server that gives the right answer before and after, which wrk does not look at.
func (m *measurer) load(s *server, connections int, length time.Duration, more ...string) (reading, error) {
	r, err := m.loadOnce(s, connections, length, more...)
	if err != nil && m.ctx.Err() == nil {
		err = s.why(err)
	}
	if len(r.problems) > 0 && err == nil {
		m.results.remark("%s: %s", s.row.Name, strings.Join(r.problems, "; "))
	}
	return r, err
}

func (m *measurer) loadOnce(s *server, connections int, length time.Duration, more ...string) (r reading, err error) {
	if err := s.verify(); err != nil {
		return r, err
	}
	before, err := s.cpu()
	if err != nil {
		return r, err
	}
	args := append([]string{"-t2", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%.0fs", length.Seconds()), "--latency"}, more...)
	result, err := wrk.Run(m.ctx, m.o.wrk, append(args, "http://"+s.Addr+plaintext)...)
	if err != nil {
		return r, err
	}
	after, err := s.cpu()
	if err != nil {
		return r, err
	}
	if result.Requests == 0 {
		return r, errors.New("wrk: no request was answered")
	}
	for _, problem := range result.Problems {
		if strings.HasPrefix(problem, "Non-2xx") {
			return r, errors.New("wrk: " + problem)
		}
	}
	taken := after.since(before)
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(result.Requests) }
	r = reading{result.PerSecond, result.P50, result.P99, result.P999, each(taken.all()), each(taken.workers), result.Problems}
	return r, s.verify()
}
