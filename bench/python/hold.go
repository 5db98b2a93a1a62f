package python

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// Bars of clients that a view lets wait.
const (
	mostHeld = 600.0 // octets each
	mostWake = 60.0  // ms until all have the message
)

const (
	holdSeconds = 60 // that the clients ask to wait
	warmHeld    = 100
	holdLimit   = 2 * time.Minute // for a crowd
)

// holders are the servers that can let clients wait without a thread for each: weir with a Flask view, and those with applications of their
// own kind in one process.
func (m *measurer) holders() []row {
	if r, found := m.row(weir); found {
		return append([]row{r}, m.waiters...)
	}
	return m.waiters
}

// A holding is what a server has done with clients that wait.
type holding struct {
	all, first float64 // octets a client, of all processes and of the first
	wakes      []float64
}

// hold lets clients wait on one topic, looks at the memory, and publishes messages. weir has a few rounds, peers have one.
func (m *measurer) hold() {
	n := m.o.sizes.held
	title := fmt.Sprintf("%d clients that a view lets wait on one topic", n)
	t := m.results.table(title+", 2 sync workers", "server", "memory for each, octets", "of this the first process", "until all are woken", "worst", "messages", "")
	for _, r := range m.holders() {
		if m.ctx.Err() != nil {
			return
		}
		if r.missing != "" {
			t.addMissing(r)
			continue
		}
		rounds, lines := 1, []*verdict.Line{{Title: title + ": " + r.Name}}
		if r.Name == weir {
			rounds = min(m.o.rounds, fewRounds)
			lines = []*verdict.Line{
				m.line(title+": RSS of the server for each", fmt.Sprintf("at most %g octets", mostHeld)),
				m.line("the same: one publish until all have their answer", fmt.Sprintf("at most %g ms", mostWake)),
			}
		}
		var all, first, wakes []float64
		verdict.Times(m.ctx, rounds, func(int) (string, error) {
			h, err := m.holdOnce(r, n)
			if err != nil {
				return "", err
			}
			all, first, wakes = append(all, h.all), append(first, h.first), append(wakes, h.wakes...)
			return fmt.Sprintf("%s: %.0f octets each, woken in %.1f ms", r.Name, h.all, h.wakes), nil
		}, lines...)
		if r.Name == weir {
			lines[0].JudgeMedian(first, mostHeld, octets)
			lines[1].JudgeMedian(wakes, mostWake, milliseconds)
			if len(all) > 0 {
				lines[0].Note("%s with the workers", octets(verdict.Median(all)))
			}
		} else {
			m.results.keepFailures(lines[0])
		}
		t.add(holdingCells(r, all, first, wakes, lines[0].Failures)...)
	}
}

func holdingCells(r row, all, first, wakes []float64, failures []string) []string {
	if len(wakes) == 0 {
		word := ""
		if len(failures) > 0 {
			word = failures[0]
		}
		return []string{r.Name, "-", "-", "-", "-", "0", word}
	}
	return []string{r.Name, fmt.Sprintf("%.0f", verdict.Median(all)), fmt.Sprintf("%.0f", verdict.Median(first)), milliseconds(verdict.Median(wakes)),
		milliseconds(verdict.Quantile(wakes, 1)), fmt.Sprint(len(wakes)), ""}
}

func (m *measurer) holdOnce(r row, clients int) (h holding, err error) {
	s, err := m.start(r, "held")
	if err != nil {
		return h, err
	}
	defer s.Stop()
	if err := m.holds(s); err != nil {
		return h, err
	}
	if _, err := m.crowd(s, warmHeld, 1, func() error { return nil }); err != nil {
		return h, err
	}
	if err := program.Pause(m.ctx, m.o.sizes.settle); err != nil {
		return h, err
	}
	allBefore, firstBefore, err := s.resident()
	if err != nil {
		return h, err
	}
	h.wakes, err = m.crowd(s, clients, m.o.sizes.wakes, func() error {
		if err := program.Pause(m.ctx, m.o.sizes.settle); err != nil {
			return err
		}
		all, first, err := s.resident()
		h.all, h.first = float64(all-allBefore)/float64(clients), float64(first-firstBefore)/float64(clients)
		return err
	})
	return h, err
}

// holds is an error when the server does not let a client wait.
func (m *measurer) holds(s *server) error {
	ctx, cancel := context.WithTimeout(m.ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+"/poll/probe?timeout=1", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return s.why(err)
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("not held: status %d", response.StatusCode)
	}
	return nil
}

// crowd has clients wait, calls waiting when they do, and wakes them several times. The figures are the times until the last one has its
// message, in milliseconds.
func (m *measurer) crowd(s *server, clients, wakes int, waiting func() error) (took []float64, err error) {
	c, err := crowd.Gather(m.ctx, crowd.Plan{Mode: crowd.ModeWake, Addr: s.Addr, Clients: clients, Topics: 1, Hold: holdSeconds,
		AtOnce: 100, Settle: m.o.sizes.settle, Limit: holdLimit})
	if err != nil {
		return nil, err
	}
	defer c.Dismiss()
	err = c.AwaitWaiting(clients)
	if err == nil {
		err = waiting()
	}
	if err != nil {
		return nil, errors.Join(err, s.Alive())
	}
	report, err := c.GoOn(wakes)
	if err != nil {
		return nil, errors.Join(err, s.Alive())
	}
	for _, w := range report.Wakes {
		took = append(took, inMilliseconds(w.Last))
	}
	return took, nil
}

func octets(v float64) string { return fmt.Sprintf("%.0f octets", v) }
