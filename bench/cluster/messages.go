package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// message is one publication. Its number is its content.
type message struct {
	topic  int
	at     time.Duration // when it was to be published, since the beginning
	id     uint64        // of the answer; 0: it was not acknowledged
	failed time.Duration // when that was known

	mu    sync.Mutex
	reads []time.Duration // since the beginning
	told  uint64          // the id that clients had it with
	wrong string
}

// messages are all of them. They are there before the first is published.
type messages struct {
	begun time.Time
	all   []message
}

func newMessages(o *options) *messages {
	l := &messages{all: make([]message, int(o.duration.Seconds()*float64(o.rate)))}
	for i := range l.all {
		l.all[i].topic = i % o.topics
		l.all[i].at = time.Duration(float64(i) / float64(o.rate) * float64(time.Second))
	}
	return l
}

// read notes that a client has got message n.
func (l *messages) read(n int, id uint64, topic int) {
	now := time.Since(l.begun)
	if n < 0 || n >= len(l.all) {
		return
	}
	m := &l.all[n]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads = append(m.reads, now)
	switch {
	case m.topic != topic:
		m.wrong = fmt.Sprintf("message %d came on topic %d", n, topic)
	case m.told != 0 && m.told != id:
		m.wrong = fmt.Sprintf("message %d came with the ids %d and %d", n, m.told, id)
	}
	m.told = id
}

// publish publishes everything at its time, each message at the next weir that is up, once.
func (l *messages) publish(ctx context.Context, c *crowd) {
	var running sync.WaitGroup
	defer running.Wait()
	for i := range l.all {
		m := &l.all[i]
		if wait := m.at - time.Since(l.begun); wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		at := i % nodes
		if int64(at) == c.down.Load() {
			at = (at + 1) % nodes
		}
		running.Go(func() {
			id, err := post(c.weirs[at], m.topic, i)
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.id = id; err != nil {
				m.failed = time.Since(l.begun)
			}
		})
	}
}

// post publishes once. The client repeats nothing: a POST without a name for it is not idempotent.
func post(weir string, topic, n int) (id uint64, err error) {
	response, err := client.Post(fmt.Sprintf("http://%s/publish/topic%d", weir, topic), "text/plain", strings.NewReader(fmt.Sprint(n)))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer struct{ ID uint64 }
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("publishing is answered with %s", response.Status)
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.ID, err
}

// complete tells whether every client has what was acknowledged.
func (l *messages) complete(clients int) bool {
	for i := range l.all {
		m := &l.all[i]
		m.mu.Lock()
		lacking := m.id != 0 && len(m.reads) < clients
		m.mu.Unlock()
		if lacking {
			return false
		}
	}
	return true
}

// slow is how late a delivery is that shows that the service is not whole.
const slow = time.Second

// whole is how long after a kill the last message was late, or failed, of those before the next event.
func (l *messages) whole(kill, until time.Duration) (after time.Duration, failed, late int) {
	for i := range l.all {
		m := &l.all[i]
		if m.at < kill-slow || m.at >= until {
			continue
		}
		switch {
		case m.id == 0 && m.failed != 0:
			failed++
			after = max(after, m.failed-kill)
		case len(m.reads) > 0 && slices.Max(m.reads)-m.at > slow:
			late++
			after = max(after, slices.Max(m.reads)-kill)
		}
	}
	return after, failed, late
}

// latencies are those of the messages published in spans of time.
func (l *messages) latencies(spans ...[2]time.Duration) (all []time.Duration) {
	for i := range l.all {
		m := &l.all[i]
		if slices.ContainsFunc(spans, func(s [2]time.Duration) bool { return m.at >= s[0] && m.at < s[1] }) {
			for _, r := range m.reads {
				all = append(all, r-m.at)
			}
		}
	}
	return all
}

// check holds what clients have got against what was acknowledged. wrong are the first few things that are not so.
func (l *messages) check(c *crowd) (deliveries, faults int, wrong []string) {
	fault := func(format string, args ...any) {
		if faults++; faults <= 10 {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	ids := make([][]uint64, c.o.topics) // that clients of the topic must have
	for i := range l.all {
		m := &l.all[i]
		if m.wrong != "" {
			fault("%s", m.wrong)
		}
		switch {
		case m.id != 0:
			ids[m.topic] = append(ids[m.topic], m.id)
			if m.told != 0 && m.told != m.id {
				fault("message %d came with the id %d, and was acknowledged as %d", i, m.told, m.id)
			}
		case len(m.reads) > 0: // the acknowledgement was lost: then all have it
			ids[m.topic] = append(ids[m.topic], m.told)
		}
	}
	for topic := range ids {
		slices.Sort(ids[topic])
	}
	for i, r := range c.clients {
		deliveries += len(r.ids)
		switch {
		case r.refused != "":
			fault("client %d was refused: %s", i, r.refused)
		case !slices.Equal(r.ids, ids[r.topic]):
			fault("client %d of topic %d has got %s", i, r.topic, difference(r.ids, ids[r.topic]))
		}
	}
	return deliveries, faults, wrong
}

// difference tells in short how a client's ids are not those that it must have.
func difference(got, want []uint64) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d as its message %d, and not %d", got[i], i, want[i])
		}
	}
	return fmt.Sprintf("%d messages of %d", len(got), len(want))
}

func quantile(values []time.Duration, q float64) time.Duration { return verdict.Quantile(values, q) }
