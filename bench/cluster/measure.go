package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// Bars.
const (
	mostHealthy   = 50 * time.Millisecond // p99 from publish to read
	mostAfterNATS = 15 * time.Second
	mostAfterWeir = 3 * time.Second
)

// settle is how long clients may take for what is still on its way at the end.
const settle = 30 * time.Second

// measure makes the run.
func measure(ctx context.Context, o *options) ([]*verdict.Line, error) {
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	s, err := startServers(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	say("3 NATS servers and 3 weirs are ready")
	log := newMessages(o)
	c, err := startClients(ctx, o, s, log)
	defer c.stop()
	if err != nil {
		return nil, err
	}
	say("%d clients wait", len(c.clients))

	log.begun = time.Now()
	published := make(chan struct{})
	go func() {
		log.publish(ctx, c)
		close(published)
	}()
	natsKill, natsBack, weirKill := o.duration/4, o.duration/4+min(o.duration/5, 10*time.Second), o.duration*7/10
	victim, err := s.leader()
	if err != nil {
		return nil, err
	}
	for _, event := range []struct {
		at   time.Duration
		what string
		do   func() error
	}{
		{natsKill, "the leader of the stream is killed: " + victim.name, func() error { return kill(victim.Process) }},
		{natsBack, victim.name + " comes back", victim.start},
		{weirKill, "a weir is killed", func() error {
			c.down.Store(0)
			return kill(s.weirs[0].Process)
		}},
	} {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(event.at - time.Since(log.begun)):
		}
		say("%5.1f s: %s", time.Since(log.begun).Seconds(), event.what)
		if err := event.do(); err != nil {
			return nil, err
		}
	}
	<-published
	for end := time.Now().Add(settle); !log.complete(o.clients) && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(100 * time.Millisecond)
	}
	for _, w := range s.weirs[1:] {
		if err := w.Alive(); err != nil {
			return nil, err
		}
	}
	c.stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return log.lines(o, c, natsKill, weirKill), nil
}

// lines are the figures of a run whose clients have ended.
func (l *messages) lines(o *options, c *crowd, natsKill, weirKill time.Duration) []*verdict.Line {
	deliveries, faults, wrong := l.check(c)
	acknowledged, returns := 0, 0
	for i := range l.all {
		if l.all[i].id != 0 {
			acknowledged++
		}
	}
	for _, r := range c.clients {
		returns += r.returns
	}
	once := &verdict.Line{Title: "every message once and in order, for every client", Bar: "0 faults", Runs: 1, Notes: wrong}
	once.Judge(faults == 0 && acknowledged > 0, fmt.Sprintf("%d faults", faults),
		fmt.Sprintf("%d of %d messages acknowledged, %d deliveries, %d connections made again", acknowledged, len(l.all), deliveries, returns))

	// A message before the kill that is on its way when it happens does not count as healthy.
	healthy := l.latencies([2]time.Duration{0, natsKill - slow}, [2]time.Duration{natsKill + mostAfterNATS, weirKill - slow})
	p99 := quantile(healthy, 0.99)
	latency := &verdict.Line{Title: "healthy: publish to read, p99", Bar: "at most " + show(mostHealthy), Runs: 1}
	latency.Judge(len(healthy) > 0 && p99 <= mostHealthy, show(p99),
		fmt.Sprintf("p50 %s, worst %s, %d deliveries", show(quantile(healthy, 0.5)), show(quantile(healthy, 1)), len(healthy)))

	return []*verdict.Line{once, latency,
		l.after("NATS's leader killed: service whole again after", natsKill, weirKill-slow, mostAfterNATS),
		l.after("weir killed: service whole again after", weirKill, o.duration, mostAfterWeir)}
}

// after is the figure of a kill.
func (l *messages) after(title string, kill, until, most time.Duration) *verdict.Line {
	line := &verdict.Line{Title: title, Bar: "at most " + most.String(), Runs: 1}
	whole, failed, late := l.whole(kill, until)
	line.Judge(whole <= most, show(whole), fmt.Sprintf("%d messages not acknowledged, %d delivered later than %v", failed, late, slow))
	return line
}

func show(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
