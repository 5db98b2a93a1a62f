package hub_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// audience is the clients of TestExactlyOnce.
type audience struct {
	t            *testing.T
	poll, events app.Application
	complete     atomic.Int64 // clients that have seen as many messages as there are
	ended        atomic.Bool
	blocking     chan func() // run elsewhere than on a loop
}

// listener is a client that polls or has a stream, and comes back from where it was whenever that ends.
type listener struct {
	*audience
	loop   *loop
	topics []string
	stream bool
	stands []string // for which topics
	// expected is how many messages there are for it.
	expected int

	mu       sync.Mutex
	since    uint64
	seen     []uint64
	exchange *exchange
}

// connect asks. It runs on the loop, or not.
func (c *listener) connect() {
	if c.ended.Load() {
		return
	}
	x := &exchange{method: "GET", path: "/", loop: c.loop, length: -1, done: make(chan struct{})}
	x.query = "timeout=60"
	for _, topic := range c.topics {
		x.query += "&topic=" + topic
	}
	c.mu.Lock()
	x.query += "&since=" + strconv.FormatUint(c.since, 10)
	c.exchange = x
	c.mu.Unlock()
	x.onWrite = c.wrote
	x.onEnd = func() { c.answered(x.status, x.content.Bytes(), x.headers) }
	if c.stream {
		x.run(c.events, app.NewMemory(nil))
	} else {
		x.run(c.poll, app.NewMemory(nil))
	}
}

// wrote takes a chunk of a stream.
func (c *listener) wrote(chunk []byte) {
	_, id, _ := bytes.Cut(chunk, []byte("id: "))
	id, rest, _ := bytes.Cut(id, []byte("\n"))
	c.saw(string(id), bytes.Contains(rest, []byte("data:")))
}

// answered takes what became of a request, and sends the next one.
func (c *listener) answered(status string, content []byte, headers []app.Header) {
	switch {
	case c.stream || status == "": // or it has left
	case status == "200 OK":
		c.saw(strconv.FormatUint(parse(c.t, string(content)).ID, 10), true)
	case status == "204 No Content":
		for _, h := range headers {
			if h.Name == hub.LastID {
				c.saw(h.Value, false)
			}
		}
	}
	if status != "" && status[0] != '2' {
		c.t.Errorf("got %s, %s", status, content)
		return
	}
	if rand.IntN(4) == 0 {
		c.blocking <- c.connect
	} else {
		c.loop.Post(c.connect)
	}
}

// saw notes the id of a message, or of a position.
func (c *listener) saw(text string, isMessage bool) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since = id; isMessage {
		c.seen = append(c.seen, id)
		if len(c.seen) == c.expected {
			c.complete.Add(1)
		}
	}
}

// interrupt has the request of a client end in another way than by a message, if it waits.
func (c *listener) interrupt() {
	c.mu.Lock()
	x := c.exchange
	c.mu.Unlock()
	if x == nil {
		return
	}
	x.mu.Lock()
	returned, expires := x.returned, x.deadline != nil && rand.IntN(2) == 0
	x.mu.Unlock()
	switch {
	case !returned:
	case expires:
		c.loop.Post(x.expire)
	default:
		c.loop.Post(x.leave)
	}
}

// TestExactlyOnce: clients that reconnect at random, polls and streams, see each message of their topics once and in
// order.
func TestExactlyOnce(t *testing.T) { exactlyOnce(t, 1000, 10, false) }

// TestExactlyOnceWildcards: so do those that name them by wildcards.
func TestExactlyOnceWildcards(t *testing.T) { exactlyOnce(t, 100, 10, true) }

// kinds is how many topics have the same last token.
const kinds = 20

// topic is the name of a topic of these tests.
func topic(i int) string { return fmt.Sprintf("t.%d.%d", i, i%kinds) }

func exactlyOnce(t *testing.T, topics, each int, wildcards bool) {
	const messages, publishers = 8, 4
	h := hub.New(hub.Options{Memory: hub.MemoryOptions{First: first}, Wildcards: wildcards})
	stop := make(chan struct{})
	var running, publishing sync.WaitGroup
	a := &audience{t: t, poll: h.Poll("/"), events: h.Events("/"), blocking: make(chan func(), topics*each)}
	loops := []*loop{newLoop(), newLoop(), newLoop()}
	for _, l := range loops {
		running.Go(func() { l.run(stop) })
	}
	running.Go(func() {
		for {
			select {
			case f := <-a.blocking:
				f()
			case <-stop:
				return
			}
		}
	})

	var clients []*listener
	for i := range topics * each {
		c := &listener{audience: a, since: first, loop: loops[rand.IntN(len(loops))], stream: i/topics%3 == 2}
		c.topics = []string{topic(i % topics)}
		if i/topics%4 == 3 {
			c.topics = append(c.topics, topic((i+1)%topics), topic((i+7)%topics))
		}
		c.stands = c.topics
		if wildcards && i/topics%2 == 1 {
			c.topics = []string{fmt.Sprintf("t.*.%d", i%kinds)}
			c.stands = nil
			for n := i % kinds; n < topics; n += kinds {
				c.stands = append(c.stands, topic(n))
			}
			if i/topics%4 == 3 { // and another way
				c.topics = append(c.topics, c.stands[0], fmt.Sprintf("*.%d.>", i%kinds))
			}
		}
		c.expected = messages * len(c.stands)
		clients = append(clients, c)
		c.connect()
	}
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				clients[rand.IntN(len(clients))].interrupt()
				time.Sleep(20 * time.Microsecond)
			}
		}
	})
	var published [publishers]map[string][]uint64
	for p := range publishers {
		published[p] = make(map[string][]uint64)
		publishing.Go(func() {
			for i := range topics * messages / publishers {
				topic := topic(i*publishers%topics + (i*publishers/topics+p)%publishers)
				id, _, err := h.Publish(topic, []byte(topic))
				if err != nil {
					t.Error(err)
				}
				published[p][topic] = append(published[p][topic], id)
			}
		})
	}
	publishing.Wait()
	for deadline := time.Now().Add(patience); a.complete.Load() < int64(len(clients)); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d clients of %d have seen as much as there is", a.complete.Load(), len(clients))
			break
		}
	}
	a.ended.Store(true)
	close(stop)
	running.Wait()

	for i, c := range clients {
		var want []uint64
		for _, topic := range c.stands {
			for p := range publishers {
				want = append(want, published[p][topic]...)
			}
		}
		slices.Sort(want)
		if !slices.Equal(c.seen, want) {
			t.Fatalf("client %d, stream %v, of %v has seen %v, want %v", i, c.stream, c.topics, c.seen, want)
		}
	}
	for _, c := range clients {
		if x := c.exchange; x.isHeld() {
			x.leave()
		}
	}
	if wildcards && h.Patterns() != 0 {
		t.Errorf("%d patterns are left", h.Patterns())
	}
	if s := h.Stats(); s.Polls != 0 || s.Streams != 0 || s.Topics != 0 || h.Links() != 0 {
		t.Errorf("%+v, %d links are left", s, h.Links())
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
