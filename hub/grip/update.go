package grip

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weirhttp/weir/hub"
)

// maxFailures is how often in a row a next link may fail before the stream ends.
const maxFailures = 5

// errHold is what is wrong with a page behind a next link that wants a response hold.
var errHold = errors.New("grip: a next link leads to something else than a stream")

// update has the application asked for what the client has missed: by the request itself for a response hold, by the next link for a stream.
// A stream without one is left as it is. mu is held.
func (h *hold) update() {
	switch {
	case h.over.Load():
		return
	case h.asking:
		h.again = true
		return
	case h.stream && h.in.next == "":
		return
	case !h.stream && !h.request.whole:
		h.site.proxy.log.Error("a request cannot be made again, because its content was not kept; its client gets the answer for the case that nothing comes", "path", h.request.path())
		h.close()
		return
	}
	h.asking, h.again = true, false
	f := h.askAgain
	if h.stream {
		f = h.goOn
	} else {
		h.d.SetDeadline(0, nil)
	}
	if !h.site.proxy.asks.do(f) {
		h.site.proxy.log.Error("too many requests wait for the application; a held one is given up")
		go h.fail()
	}
}

// last is Grip-Last for the channels that the client is known to follow.
func (in *instruct) last() string {
	var b []byte
	for _, c := range in.channels {
		if c.prev == "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, c.name...), "; last-id="...), c.prev...)
	}
	return string(b)
}

// askAgain makes the request of a response hold once more, and the answer takes its place. It is a goroutine.
func (h *hold) askAgain() {
	h.mu.Lock()
	last := h.in.last()
	h.mu.Unlock()
	h.leaveHub()
	if h.over.Load() {
		return
	}
	a := h.request.question()
	a.last = last
	r, err := h.site.ask(a)
	if h.over.Swap(true) {
		return
	}
	h.release(h.names.Swap(nil))
	if err != nil {
		h.site.proxy.log.Error("the application could not be asked again; answered 502", "path", a.path, "error", err)
		_ = h.d.Answer(badGateway)
		return
	}
	h.site.take(h.d, h.request, r)
}

// goOn fetches the next link of a stream, and those behind it as long as they do not hold. It is a goroutine.
func (h *hold) goOn() {
	for !h.over.Load() {
		h.mu.Lock()
		at, link, last := h.more.at, h.in.next, h.in.last()
		h.mu.Unlock()
		a, err := at.follow("GET", link, last)
		if err == nil && h.page(a) {
			continue
		} else if err != nil {
			h.site.proxy.log.Error("a stream ends, because its next link cannot be fetched", "link", link, "error", err)
			h.fail()
		}
		return
	}
}

// page fetches one page, and sends it. It is true when the client has it, and the next is to follow at once.
func (h *hold) page(a *question) (more bool) {
	r, err := h.site.ask(a)
	if err != nil || r.Status[0] != '2' {
		h.retry(a)
		return false
	}
	in, err := parse(r, h.site.proxy.options.MaxResponse)
	if err == nil && in.mode == responseHold {
		err = errHold
	}
	var content []byte
	if err == nil {
		content, err = in.content()
	}
	if err != nil {
		h.site.proxy.log.Error("a stream ends, because of the instructions behind its next link", "path", a.path, "error", err)
		h.fail()
		return false
	}
	h.mu.Lock()
	same := slices.EqualFunc(h.in.channels, in.channels, func(a, b channel) bool { return a.name == b.name })
	h.in, h.more.at, h.more.failures = in, a, 0
	h.setClock(time.Now())
	h.write(content)
	h.mu.Unlock()
	switch {
	case in.mode == streamHold:
		if !same && !h.attach() {
			return false
		}
		h.holdOn()
		return false
	case in.next == "":
		h.close()
		return false
	}
	return h.room()
}

// room tells whether the client has room for another page. When it has none, that is fetched later; nobody waits meanwhile.
func (h *hold) room() bool {
	unsent, err := h.d.Write(nil)
	switch {
	case err != nil:
		h.end()
		return false
	case unsent <= highWater:
		return true
	}
	h.d.After(100*time.Millisecond, func() {
		if !h.over.Load() && h.room() {
			h.fetch()
		}
	})
	return false
}

// fetch has the next page fetched.
func (h *hold) fetch() {
	if !h.over.Load() && !h.site.proxy.asks.do(h.goOn) {
		go h.fail()
	}
}

// retry fetches a page once more, later.
func (h *hold) retry(a *question) {
	h.mu.Lock()
	failures := h.more.failures
	h.more.failures++
	h.mu.Unlock()
	if failures >= maxFailures {
		h.site.proxy.log.Error("a stream ends, because its next link cannot be fetched", "path", a.path)
		h.fail()
		return
	}
	wait := time.Second<<failures + rand.N(time.Second)
	h.d.After(wait, h.fetch)
}

// holdOn ends an update of a stream: what has come meanwhile is sent, as far as it follows what the application knew.
func (h *hold) holdOn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	queue := h.queue
	h.queue, h.asking = nil, false
	for len(queue) > 0 && !h.follows(queue[0].item) {
		queue = queue[1:]
	}
	for _, q := range queue {
		switch {
		case h.over.Load():
			return
		case h.asking:
			return // it has gone wrong again, and what is left will be asked for
		}
		h.deliver(q.item)
	}
	if h.again && !h.asking {
		h.update()
	}
	h.startClock()
}

// follows tells whether an item is the next one of its channel. mu is held.
func (h *hold) follows(it *item) bool {
	i := slices.IndexFunc(h.in.channels, func(c channel) bool { return h.name(c.name) == it.channel })
	return i >= 0 && (h.in.channels[i].prev == "" || h.in.channels[i].prev == it.prev)
}

// decodedItem is an item that was decoded last: most are for many requests.
type decodedItem struct {
	mu   sync.Mutex
	id   uint64
	data []byte
	item *item
}

// item is that of a message, nil when it is none, or is to be dropped.
func (p *Proxy) item(m hub.Message) *item {
	it := p.decode(m)
	if it != nil && p.options.Shared && p.shard(it.channel).again(it, m.ID) {
		return nil
	}
	return it
}

// arrived takes note of a message that has come from the hub.
func (p *Proxy) arrived(m hub.Message) {
	if !strings.HasPrefix(m.Topic, topic("")) {
		return
	}
	if it := p.decode(m); it != nil {
		p.shard(it.channel).arrived(it, m.ID, time.Now())
	}
}

// decode is the item of a message, nil when it is none.
func (p *Proxy) decode(m hub.Message) *item {
	place := &p.decoded[m.ID%uint64(len(p.decoded))]
	place.mu.Lock()
	defer place.mu.Unlock()
	if place.id == m.ID && bytes.Equal(place.data, m.Data) {
		return place.item
	}
	it, err := decode(m.Data)
	if err != nil || topic(it.channel) != m.Topic {
		p.log.Error("a message of the hub is no item of GRIP", "topic", m.Topic, "error", err)
		it = nil
	}
	place.id, place.data, place.item = m.ID, m.Data, it
	return it
}

var _ hub.Receiver = (*hold)(nil)
