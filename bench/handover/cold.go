package handover

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// mostDelay is the longest that others wait for the first call that blocks.
const mostDelay = 5 * time.Millisecond

// margin is how long before that call the window begins.
const margin = 10 * time.Millisecond

// cold makes the first call that blocks to a new server, beside requests at a rate.
func (m *measurer) cold() {
	z := m.o.sizes
	l := m.line(fmt.Sprintf("%d requests/s on %d connections around the first call that blocks: longest", z.coldRate, z.clients),
		fmt.Sprintf("at most %v", mostDelay))
	var around, quiet, lates []float64
	m.times(m.o.rounds, func(int) (string, error) {
		samples, from, to, err := m.firstBlocking()
		if err != nil {
			return "", err
		}
		in, before := tooks(samples, from, to), tooks(samples, from-(to-from), from)
		if len(in) == 0 || len(before) == 0 {
			return "", errors.New("no request was due")
		}
		around = append(around, inMilliseconds(verdict.Quantile(in, 1)))
		quiet = append(quiet, inMilliseconds(verdict.Quantile(before, 1)))
		lates = append(lates, inMilliseconds(late(samples)))
		return fmt.Sprintf("longest %s, before %s", milliseconds(around[len(around)-1]), milliseconds(quiet[len(quiet)-1])), nil
	}, l)
	l.JudgeMedian(around, inMilliseconds(mostDelay), milliseconds)
	if len(around) > 0 {
		l.Note("in the same time before it the longest was %s (median of the rounds); the client itself was late by %s (p99)",
			milliseconds(verdict.Median(quiet)), milliseconds(verdict.Median(lates)))
	}
}

// firstBlocking returns also the window around the call.
func (m *measurer) firstBlocking() (samples []sample, from, to time.Duration, err error) {
	z := m.o.sizes
	s, err := m.start()
	if err != nil {
		return nil, 0, 0, err
	}
	defer s.stop()
	c, err := dial(s.addr)
	if err != nil {
		return nil, 0, 0, err
	}
	defer c.close()
	if err := c.exchange(requestFor(plaintext), 1, greeting); err != nil {
		return nil, 0, 0, err
	}
	loop, err := startOpenLoop(s.addr, z.clients, z.coldRate, z.before+z.sleep+z.after+answerWithin)
	if err != nil {
		return nil, 0, 0, err
	}
	target, content := sleepTarget(z.sleep)
	err = m.pause(z.before)
	from = loop.now() - margin
	if err == nil {
		err = c.exchange(requestFor(target), 1, content)
	}
	if err == nil {
		err = m.pause(z.after)
	}
	to = loop.now()
	samples, stopped := loop.stop()
	return samples, from, to, errors.Join(err, stopped, s.Alive())
}
