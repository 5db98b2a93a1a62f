package longpoll

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

const (
	holdSeconds  = 300              // the most that weir's demo lets wait, and longer than clients wait here
	exactSeconds = 25               // in the case where clients come and go, some may
	crowdLimit   = 10 * time.Minute // for a crowd; the case of many processes has its own
	fewRounds    = 3                // what repeats well, or takes long, needs no more
	openAtOnce   = 100              // fewer than the server's queue of new connections takes
)

// A measurer runs cases one after the other.
type measurer struct {
	ctx   context.Context
	o     *options
	lines []*verdict.Line
}

func measureAll(ctx context.Context, o *options) []*verdict.Line {
	m := &measurer{ctx: ctx, o: o}
	for _, c := range o.cases {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", c.name, c.title)
		c.run(m)
	}
	return m.lines
}

// A figure is a line of the table while it is measured.
type figure struct {
	*verdict.Line
	show   func(float64) string
	most   float64
	values []float64
}

func (m *measurer) figure(title string, show func(float64) string, most float64) *figure {
	f := &figure{Line: &verdict.Line{Title: title, Bar: "at most " + show(most)}, show: show, most: most}
	m.lines = append(m.lines, f.Line)
	return f
}

// judge holds the figures against their bars, which are those of full sizes, but for 0.
func (m *measurer) judge(figures ...*figure) {
	for _, f := range figures {
		f.JudgeMedian(f.values, f.most, f.show)
		if m.o.scale < 1 && f.most > 0 && f.Measured != "" {
			f.Verdict = verdict.NotJudged
		}
	}
}

// plan completes a plan for a server.
func (m *measurer) plan(s *server, p crowd.Plan) crowd.Plan {
	p.Addr, p.Settle, p.Limit, p.AtOnce = s.addr, m.o.sizes.settle, crowdLimit, openAtOnce
	if p.Hold == 0 {
		p.Hold = holdSeconds
	}
	return p
}

// startWarm starts a server on which clients have waited, been woken and gone.
func (m *measurer) startWarm() (*server, error) {
	s, err := m.start()
	if err != nil {
		return nil, err
	}
	if err := crowd.Warm(m.ctx, m.plan(s, crowd.Plan{Clients: m.o.sizes.warm}), m.o.sizes.warm); err != nil {
		stop(s)
		return nil, err
	}
	return s, nil
}

// hold starts a server, has a crowd wait, and has it go on.
func (m *measurer) hold(p crowd.Plan, count int) (h *crowd.Hold, report crowd.Report, cpu time.Duration, err error) {
	s, err := m.startWarm()
	if err != nil {
		return nil, report, 0, err
	}
	defer stop(s)
	if h, err = crowd.StartHold(m.ctx, s, m.plan(s, p)); err != nil {
		return nil, report, 0, err
	}
	defer h.Dismiss()
	report, cpu, err = h.GoOn(count)
	return h, report, cpu, err
}

func (m *measurer) memory() {
	n := m.o.sizes.waiters
	each := m.figure(fmt.Sprintf("RSS growth for a waiting client, %s sockets in one process", thousands(n)), bytesEach, 500)
	verdict.Times(m.ctx, min(m.o.rounds, fewRounds), func(int) (string, error) {
		h, _, _, err := m.hold(crowd.Plan{Mode: crowd.ModeWake, Clients: n, Topics: 1}, 1)
		if err != nil {
			return "", err
		}
		each.values = append(each.values, h.Each())
		return bytesEach(h.Each()) + " each; then one message reached all", nil
	}, each.Line)
	m.judge(each)
}

func (m *measurer) wake() {
	n := m.o.sizes.waiters
	last := m.figure(fmt.Sprintf("one publish to %s waiters on one topic, until the last has its answer", thousands(n)), milliseconds, 120)
	beside := m.figure("meanwhile 200 requests/s of /plaintext, p99 in the wakes of a run", milliseconds, 25)
	verdict.Times(m.ctx, m.o.rounds, func(int) (string, error) {
		_, report, _, err := m.hold(crowd.Plan{Mode: crowd.ModeWake, Clients: n, Topics: 1, Probe: true}, m.o.sizes.wakes)
		if err != nil {
			return "", err
		}
		p := report.Probe
		if p.Errors > 0 {
			return "", fmt.Errorf("%d of %d requests for /plaintext failed: %s", p.Errors, p.Requests, p.First)
		}
		var took []float64
		for _, w := range report.Wakes {
			took = append(took, inMilliseconds(w.Last))
		}
		p99 := p.Waking
		if p.InWakes == 0 { // they were shorter than the time between two requests
			p99 = p.Quiet
		}
		last.values, beside.values = append(last.values, took...), append(beside.values, inMilliseconds(p99))
		beside.Note("%d of %d requests in wakes; the others had a p99 of %s", p.InWakes, p.Requests, milliseconds(inMilliseconds(p.Quiet)))
		return fmt.Sprintf("all woken in %s, /plaintext meanwhile %s", milliseconds(verdict.Median(took)), milliseconds(inMilliseconds(p99))), nil
	}, last.Line, beside.Line)
	m.judge(last, beside)
}

func (m *measurer) topics() {
	z := m.o.sizes
	read := m.figure(fmt.Sprintf("%s topics with one waiter each, %s publishes/s, p99 to the client's read", thousands(z.topics), thousands(z.rate)), milliseconds, 20)
	verdict.Times(m.ctx, min(m.o.rounds, fewRounds), func(int) (string, error) {
		h, report, cpu, err := m.hold(crowd.Plan{Mode: crowd.ModeTopics, Clients: z.topics, Topics: z.topics, Rate: z.rate, Length: z.length}, 1)
		if err != nil {
			return "", err
		}
		t := report.Topics
		read.values = append(read.values, inMilliseconds(t.P99))
		read.Note("%s messages at %.0f/s, all received, p50 %s, p99.9 %s, longest %s, written late by %s (p99), "+
			"server CPU %.1f us a message, RSS %.0f bytes for a waiter with its topic", thousands(t.Received), t.Rate,
			milliseconds(inMilliseconds(t.P50)), milliseconds(inMilliseconds(t.P999)), milliseconds(inMilliseconds(t.Max)),
			milliseconds(inMilliseconds(t.Late)), float64(cpu.Microseconds())/float64(t.Sent), h.Each())
		return "p99 " + milliseconds(inMilliseconds(t.P99)), nil
	}, read.Line)
	m.judge(read)
}

func (m *measurer) exact() {
	z := m.o.sizes
	wrong := m.figure(fmt.Sprintf("%s topics with %d clients each that reconnect at random, %s messages/s for %.0f s: not seen exactly once, in order",
		thousands(z.exactTopics), z.exactClients, thousands(z.exactRate), z.exactLength.Seconds()), plainCount, 0)
	verdict.Times(m.ctx, 1, func(int) (string, error) {
		_, report, _, err := m.hold(crowd.Plan{Mode: crowd.ModeExact, Clients: z.exactTopics * z.exactClients, Topics: z.exactTopics,
			Rate: z.exactRate, Length: z.exactLength, LeavesEach: z.leavesEach, AwayMost: z.awayMost, Hold: exactSeconds}, 1)
		if err != nil {
			return "", err
		}
		x := report.Exact
		wrong.values = append(wrong.values, float64(x.Lost+x.Twice+x.OtherID))
		wrong.Note("%s messages, %s of %s deliveries, %d lost, %d again or out of order, %d with another id, %s reconnects, %d timeouts",
			thousands(x.Sent), thousands(x.Delivered), thousands(x.Expected), x.Lost, x.Twice, x.OtherID, thousands(x.Reconnects), x.TimedOut)
		if x.First != "" {
			wrong.Note("the first: %s", x.First)
		}
		return plainCount(wrong.values[0]), nil
	}, wrong.Line)
	m.judge(wrong)
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func milliseconds(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

func bytesEach(v float64) string { return fmt.Sprintf("%.0f bytes", v) }

func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v) }

func plainCount(v float64) string { return thousands(int(v)) }

// thousands groups digits.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
