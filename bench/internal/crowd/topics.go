package crowd

import (
	"fmt"
	"strconv"
	"time"

	"github.com/weirhttp/weir/bench/internal/histogram"
	"github.com/weirhttp/weir/bench/internal/response"
)

const (
	publishers  = 4               // connections
	topicsDrain = 5 * time.Second // for what is under way in the end
	topicsWarm  = time.Second     // of messages that are checked, and counted in no latency
)

// A ticker publishes at a fixed rate to many topics in turn, whatever the server does, and each topic's only waiter
// polls again as soon as it has a message. Message n is due at n/rate and belongs to topic n modulo the topics, so a
// waiter knows which message must be its next one.
type ticker struct {
	*crowd
	publishers []*publisher
	began      time.Time
	total      int
	sent       int
	returned   []uint64 // ids that publishing returned, 0 before
	seen       []uint64 // ids that the waiters have had
	answers    int
	arrived    int
	warm       time.Duration
	latencies  histogram.Histogram
	late       histogram.Histogram
}

func newTicker(c *crowd) (*ticker, error) {
	warm := min(topicsWarm, c.plan.Length/4)
	t := &ticker{crowd: c, warm: warm, total: int(float64(c.plan.Rate) * (warm + c.plan.Length).Seconds())}
	t.returned, t.seen = make([]uint64, t.total), make([]uint64, t.total)
	for i := range c.clients {
		c.clients[i].next = i
	}
	for i := range publishers {
		p, err := c.newPublisher(i, func(n int, id uint64, _ int) error {
			t.returned[n] = id
			t.answers++
			return nil
		})
		if err != nil {
			return nil, err
		}
		t.publishers = append(t.publishers, p)
	}
	return t, nil
}

func (t *ticker) due(n int) time.Time {
	return t.began.Add(time.Duration(float64(n) / float64(t.plan.Rate) * float64(time.Second)))
}

// publishAll publishes until the time is over, and waits for what is under way.
func (t *ticker) publishAll() (*TopicsResult, error) {
	if err := t.handle(0); err != nil {
		return nil, err
	}
	t.began = time.Now()
	end := t.due(t.total).Add(topicsDrain)
	var lastSent time.Time
	for t.arrived < t.total || t.answers < t.total {
		now := time.Now()
		if now.After(end) {
			return nil, fmt.Errorf("of %d messages %d were published and %d received %v after the last was due",
				t.total, t.answers, t.arrived, topicsDrain)
		}
		for t.sent < t.total && !t.due(t.sent).After(now) {
			t.publish(t.sent)
			if t.sent++; t.sent == t.total {
				lastSent = now
			}
		}
		for _, p := range t.publishers {
			if err := p.flush(); err != nil {
				return nil, err
			}
		}
		// The next one is due in less than the poller can tell apart.
		if err := t.handle(time.Millisecond); err != nil {
			return nil, err
		}
	}
	for n, id := range t.returned {
		if t.seen[n] != id {
			return nil, fmt.Errorf("message %d was published as %d, received as %d", n, id, t.seen[n])
		}
	}
	return &TopicsResult{
		Sent: t.sent, Received: t.arrived, Rate: float64(t.sent) / max(lastSent.Sub(t.began), time.Millisecond).Seconds(),
		P50: t.latencies.Quantile(0.5), P99: t.latencies.Quantile(0.99), P999: t.latencies.Quantile(0.999), Max: t.latencies.Quantile(1),
		Late: t.late.Quantile(0.99),
	}, nil
}

func (t *ticker) publish(n int) {
	topic := n % t.plan.Topics
	var data [20]byte
	t.publishers[topic%len(t.publishers)].publish(n, topic, strconv.AppendInt(data[:0], int64(n), 10))
	t.late.Record(time.Since(t.due(n)))
}

func (t *ticker) handle(most time.Duration) error {
	events, err := t.poller.wait(most)
	if err != nil {
		return err
	}
	for _, event := range events {
		if event.Fd < 0 {
			err = t.publishers[-1-event.Fd].handle()
		} else {
			err = t.read(int(event.Fd), event.Events, t.receive)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive checks that the message is the next one, and polls for the one after it.
func (t *ticker) receive(i int, r response.Response) error {
	m, err := t.received(i, r)
	if err != nil {
		return err
	}
	k := &t.clients[i]
	if n, err := response.Number(m.data); err != nil || n != k.next {
		return fmt.Errorf("topic %d: received message %q after %d, %d must be next", k.topic, m.data, k.next-t.plan.Topics, k.next)
	}
	if due := t.due(k.next); due.Sub(t.began) >= t.warm {
		t.latencies.Record(time.Since(due))
	}
	t.seen[k.next] = m.id
	t.arrived++
	k.since = m.id
	k.next += t.plan.Topics
	return t.poll(i)
}
