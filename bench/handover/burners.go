package handover

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// mostBeside is the p99 beside calls that compute.
const mostBeside = 20 * time.Millisecond

// burners sends requests at a rate beside calls that compute. Each round has a server of its own; figures begin when it has
// learned what it can.
func (m *measurer) burners() {
	z := m.o.sizes
	l := m.line(fmt.Sprintf("%d requests/s on %d connections beside %d connections in calls that compute %v: p99", z.rate, z.clients, z.company, z.spin),
		fmt.Sprintf("at most %v", mostBeside))
	var p50, p99, longest, lates, learning, calls, elsewhere []float64
	m.times(m.o.rounds, func(int) (string, error) {
		samples, seen, err := m.besideBurners()
		if err != nil {
			return "", err
		}
		all := tooks(samples, z.warm, z.warm+z.run)
		if len(all) == 0 {
			return "", errors.New("no request was due")
		}
		p50 = append(p50, inMilliseconds(verdict.Quantile(all, 0.5)))
		p99 = append(p99, inMilliseconds(verdict.Quantile(all, 0.99)))
		longest = append(longest, inMilliseconds(verdict.Quantile(all, 1)))
		learning = append(learning, inMilliseconds(verdict.Quantile(tooks(samples, 0, z.warm), 0.99)))
		lates = append(lates, inMilliseconds(late(samples)))
		calls, elsewhere = append(calls, seen.calls), append(elsewhere, seen.others)
		last := len(p99) - 1
		return fmt.Sprintf("p50 %s, p99 %s, longest %s, %.0f calls/s, others kept %.2f cores busy",
			milliseconds(p50[last]), milliseconds(p99[last]), milliseconds(longest[last]), seen.calls, seen.others), nil
	}, l)
	l.JudgeMedian(p99, inMilliseconds(mostBeside), milliseconds)
	if len(p99) > 0 {
		l.Note("medians of the rounds: p50 %s, longest %s, p99 of the first %v %s; %.0f computing calls/s; the client itself was late by %s (p99); other processes kept %.2f cores busy, at most %.2f",
			milliseconds(verdict.Median(p50)), milliseconds(verdict.Median(longest)), z.warm, milliseconds(verdict.Median(learning)), verdict.Median(calls), milliseconds(verdict.Median(lates)),
			verdict.Median(elsewhere), slices.Max(elsewhere))
	}
}

// A surroundings is what else there was in a round.
type surroundings struct {
	calls  float64 // that compute, answered in a second
	others float64 // cores that neither the server nor this program has used
}

func (m *measurer) besideBurners() (samples []sample, seen surroundings, err error) {
	z := m.o.sizes
	s, err := m.start()
	if err != nil {
		return nil, seen, err
	}
	defer s.stop()
	target, content := spinTarget(z.spin)
	others, err := watchOthers(s)
	if err != nil {
		return nil, seen, err
	}
	loop, err := startOpenLoop(s.addr, z.clients, z.rate, z.warm+z.run)
	if err != nil {
		return nil, seen, err
	}
	c, err := accompany(s.addr, z.company, target, content)
	if err == nil {
		err = m.pause(z.warm + z.run)
		seen.calls = c.rate()
		err = errors.Join(err, c.stop())
	}
	samples, stopped := loop.stop()
	if err = errors.Join(err, stopped, s.Alive()); err != nil {
		return nil, seen, err
	}
	seen.others, err = others.cores()
	return samples, seen, err
}
