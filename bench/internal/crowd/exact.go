package crowd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/weirhttp/weir/bench/internal/response"
)

const exactDrain = 5 * time.Second // for what is under way in the end

// An auditor publishes to topics with several clients each, which leave at random, half of them with a reset, come back
// and poll since the last message that they have seen. Each must see each message once. A message carries its number
// in its topic; the ids that publishing returned are compared as well.
type auditor struct {
	*crowd
	publishers []*publisher
	random     *rand.Rand
	published  []int         // messages of each topic
	returned   [][]uint64    // their ids, as they were answered
	seen       [][]uint64    // ids that each client has had
	back       [1024][]int32 // clients that come back in a millisecond, modulo its length, which AwayMost fits in
	tick       int64         // milliseconds for which back has been looked at
	result     ExactResult
	answers    int
	gone       int // clients that are away
}

func newAuditor(c *crowd) (*auditor, error) {
	a := &auditor{crowd: c, random: rand.New(rand.NewPCG(4, uint64(c.plan.Clients))),
		published: make([]int, c.plan.Topics), returned: make([][]uint64, c.plan.Topics), seen: make([][]uint64, len(c.clients))}
	for i := range publishers {
		// All messages of a topic take one connection, so they are answered in order.
		p, err := c.newPublisher(i, func(topic int, id uint64, _ int) error {
			a.returned[topic] = append(a.returned[topic], id)
			a.answers++
			return nil
		})
		if err != nil {
			return nil, err
		}
		a.publishers = append(a.publishers, p)
	}
	return a, nil
}

// publishAll publishes for the time of the plan, while clients leave and come back, then waits until all have had
// everything.
func (a *auditor) publishAll() (*ExactResult, error) {
	// Everybody has an id to go on from before the first one leaves.
	for topic := range a.plan.Topics {
		a.publish(topic)
	}
	if err := a.settle(); err != nil {
		return nil, err
	}
	if missing := a.outstanding(); missing > 0 {
		return nil, fmt.Errorf("%d of %d clients have not had the first message", missing, len(a.clients))
	}
	began := time.Now()
	a.tick = 0
	total := int(float64(a.plan.Rate) * a.plan.Length.Seconds())
	leavesPerSecond := float64(len(a.clients)) / a.plan.LeavesEach.Seconds()
	for sent, left := 0, 0; ; {
		elapsed := time.Since(began)
		for ; sent < total && sent < int(elapsed.Seconds()*float64(a.plan.Rate)); sent++ {
			a.publish(sent % a.plan.Topics)
		}
		for ; left < int(elapsed.Seconds()*leavesPerSecond); left++ {
			a.leave()
		}
		if err := a.comeBack(elapsed); err != nil {
			return nil, err
		}
		if err := a.handle(); err != nil {
			return nil, err
		}
		if sent == total {
			break
		}
	}
	for a.gone > 0 {
		if err := a.comeBack(time.Duration(a.tick+1) * time.Millisecond); err != nil {
			return nil, err
		}
		if err := a.handle(); err != nil {
			return nil, err
		}
	}
	if err := a.settle(); err != nil {
		return nil, err
	}
	a.compare()
	return &a.result, nil
}

func (a *auditor) publish(topic int) {
	data := append(strconv.AppendInt(nil, int64(topic), 10), '.')
	data = strconv.AppendInt(data, int64(a.published[topic]), 10)
	a.publishers[topic%len(a.publishers)].publish(topic, topic, data)
	a.published[topic]++
	a.result.Sent++
}

// leave closes the connection of a client at random, whatever is under way on it.
func (a *auditor) leave() {
	i := a.random.IntN(len(a.clients))
	k := &a.clients[i]
	if k.fd < 0 {
		return
	}
	if a.random.IntN(2) == 0 {
		_ = setReset(int(k.fd)) // else it ends in order, which is as good
	}
	a.disconnect(i)
	a.gone++
	// Strictly later than what has been looked at, and within one turn of the ring.
	when := a.tick + 1 + a.random.Int64N(a.plan.AwayMost.Milliseconds())
	slot := &a.back[when%int64(len(a.back))]
	*slot = append(*slot, int32(i))
}

// comeBack connects the clients whose time it is.
func (a *auditor) comeBack(elapsed time.Duration) error {
	for ; a.tick < elapsed.Milliseconds(); a.tick++ {
		slot := &a.back[(a.tick+1)%int64(len(a.back))]
		for _, i := range *slot {
			if err := a.connect(int(i), waiting, a.pollRequest(int(i))); err != nil {
				return err
			}
			a.gone--
			a.result.Reconnects++
		}
		*slot = (*slot)[:0]
	}
	return nil
}

// settle waits until all has been answered and received, or the time for it is over.
func (a *auditor) settle() error {
	for end := time.Now().Add(exactDrain); time.Now().Before(end); {
		if err := a.handle(); err != nil {
			return err
		}
		if a.answers == a.result.Sent && a.outstanding() == 0 {
			return nil
		}
	}
	return nil
}

// outstanding counts the clients that have not had everything yet.
func (a *auditor) outstanding() (n int) {
	for i := range a.clients {
		if k := &a.clients[i]; k.next < a.published[k.topic] {
			n++
		}
	}
	return n
}

func (a *auditor) handle() error {
	for _, p := range a.publishers {
		if err := p.flush(); err != nil {
			return err
		}
	}
	events, err := a.poller.wait(time.Millisecond)
	if err != nil {
		return err
	}
	for _, event := range events {
		if event.Fd < 0 {
			err = a.publishers[-1-event.Fd].handle()
		} else {
			err = a.read(int(event.Fd), event.Events, a.receive)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) receive(i int, r response.Response) error {
	k := &a.clients[i]
	if r.Status == 204 && k.stage == waiting {
		a.result.TimedOut++
		return a.poll(i)
	}
	m, err := a.received(i, r)
	if err != nil {
		return fmt.Errorf("topic %d since %d: %w", k.topic, k.since, err)
	}
	topic, n, err := parseNumbers(m.data)
	if err != nil || topic != int(k.topic) {
		return fmt.Errorf("topic %d: received %q", k.topic, m.data)
	}
	switch {
	case n < k.next:
		a.result.Twice++
		a.note("client %d of topic %d has message %d, %d must be next", i, k.topic, n, k.next)
	case n > k.next:
		a.result.Lost += n - k.next
		a.note("client %d of topic %d has message %d, %d must be next", i, k.topic, n, k.next)
		a.seen[i] = append(a.seen[i], make([]uint64, n-k.next)...)
		fallthrough
	default:
		a.seen[i] = append(a.seen[i], m.id)
		a.result.Delivered++
		k.next = n + 1
	}
	k.since = m.id
	return a.poll(i)
}

func (a *auditor) note(format string, args ...any) {
	if a.result.First == "" {
		a.result.First = fmt.Sprintf(format, args...)
	}
}

// compare looks at each client's ids beside those that publishing returned.
func (a *auditor) compare() {
	for i := range a.clients {
		topic := int(a.clients[i].topic)
		a.result.Expected += a.published[topic]
		if tail := a.published[topic] - a.clients[i].next; tail > 0 {
			a.result.Lost += tail
			a.note("client %d of topic %d has had %d of %d messages", i, topic, a.clients[i].next, a.published[topic])
		}
		for n, id := range a.seen[i] {
			if id != 0 && (n >= len(a.returned[topic]) || a.returned[topic][n] != id) {
				a.result.OtherID++
				a.note("client %d of topic %d has message %d with an id that publishing did not return", i, topic, n)
			}
		}
		if !slices.IsSorted(slices.DeleteFunc(slices.Clone(a.seen[i]), func(id uint64) bool { return id == 0 })) {
			a.note("client %d of topic %d has ids that do not increase", i, topic)
			a.result.OtherID++
		}
	}
}

// parseNumbers reads TOPIC.N.
func parseNumbers(data []byte) (topic, n int, err error) {
	dot := slices.Index(data, '.')
	if dot < 0 {
		return 0, 0, errors.New("not two numbers")
	}
	topic, err = response.Number(data[:dot])
	if err == nil {
		n, err = response.Number(data[dot+1:])
	}
	return topic, n, err
}
