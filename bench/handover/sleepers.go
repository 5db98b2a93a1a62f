package handover

import (
	"errors"
	"fmt"

	"github.com/weirhttp/weir/bench/internal/verdict"
	"github.com/weirhttp/weir/bench/internal/wrk"
)

const (
	leastShare   = 0.70 // of the undisturbed throughput
	mostTailGrow = 2.0  // times the undisturbed p99
)

// sleepers compares the same clients of the same server without and with calls that sleep beside them, in turn.
func (m *measurer) sleepers() {
	z := m.o.sizes
	load := load{connections: 64}
	beside := fmt.Sprintf("%d clients beside %d connections in calls that sleep %v", load.connections, z.company, z.sleep)
	share := m.line(beside+": throughput", fmt.Sprintf("at least %s of undisturbed", percent(leastShare)))
	tail := m.line(beside+": p99", fmt.Sprintf("at most %.1f times undisturbed", mostTailGrow))
	s, err := m.start()
	if err == nil {
		defer s.stop()
		_, err = m.wrk(s, load, z.run)
	}
	if err != nil {
		share.Failures, tail.Failures = []string{err.Error()}, []string{err.Error()}
		return
	}
	var perSecond, p99 [2][]float64 // undisturbed, disturbed
	var calls []float64
	m.times(m.o.rounds, func(round int) (string, error) {
		var results [2]*wrk.Result
		var rate float64
		for _, i := range []int{round % 2, 1 - round%2} {
			var err error
			if i == 0 {
				results[i], err = m.wrk(s, load, z.run)
			} else {
				results[i], rate, err = m.wrkBesideSleepers(s, load)
			}
			if err != nil {
				return "", err
			}
		}
		for i, r := range results {
			perSecond[i] = append(perSecond[i], r.PerSecond)
			p99[i] = append(p99[i], inMilliseconds(r.P99))
		}
		calls = append(calls, rate)
		return fmt.Sprintf("%.0f/s and %.0f/s, p99 %v and %v", results[0].PerSecond, results[1].PerSecond, results[0].P99, results[1].P99), nil
	}, share, tail)
	if len(calls) == 0 {
		return
	}
	of := verdict.Median(perSecond[1]) / verdict.Median(perSecond[0])
	share.Judge(of >= leastShare, percent(of), fmt.Sprintf("%.0f/s of %.0f/s", verdict.Median(perSecond[1]), verdict.Median(perSecond[0])))
	grown := verdict.Median(p99[1]) / verdict.Median(p99[0])
	tail.Judge(grown <= mostTailGrow, fmt.Sprintf("%.2f", grown),
		fmt.Sprintf("%s, undisturbed %s", milliseconds(verdict.Median(p99[1])), milliseconds(verdict.Median(p99[0]))))
	share.Note("%.0f sleeping calls/s were answered", verdict.Median(calls))
}

func (m *measurer) wrkBesideSleepers(s *server, load load) (*wrk.Result, float64, error) {
	z := m.o.sizes
	target, content := sleepTarget(z.sleep)
	c, err := accompany(s.addr, z.company, target, content)
	if err != nil {
		return nil, 0, err
	}
	result, err := m.wrk(s, load, z.run)
	rate := c.rate()
	return result, rate, errors.Join(err, c.stop())
}
