package grip

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

const (
	// highWater is how much a client may leave unread before it gets no more: hub.Receiver speaks of the same.
	highWater = 64 << 10
	// maxQueue is how many messages wait while the application is asked. More are dropped: it will be asked again.
	maxQueue = 100
	// look is how often a stream looks at the clock at least. A client that leaves is forgotten after that.
	look = 30 * time.Second
)

// hold is a request that is held. It is the receiver of its channels' messages, and the watcher of its client.
type hold struct {
	site    *site
	d       app.Deferred
	request *request // nil: it is never asked again
	stream  bool
	over    atomic.Bool
	names   atomic.Pointer[[]string] // the channels that it is noted for; nil: none
	detach  atomic.Pointer[func()]   // from the hub; nil: not attached

	mu     sync.Mutex // guards what follows; Left does not take it, since a write may find that the client has left
	in     *instruct
	asking bool // the application is being asked
	again  bool // and has to be once more
	queue  []queued
	more   *moreOfStream // nil for response holds
}

// queued is an item that waits, and the id of its message.
type queued struct {
	id   uint64
	item *item
}

// moreOfStream is what streams have, and response holds do not.
type moreOfStream struct {
	at       *question // the request of the page that the client is on, for links; nil: there are none
	gone     string    // the first instruction's
	alive    time.Time // when a sign of life is due
	fetch    time.Time // when the next link is
	failures int       // of the next link, in a row
	unsent   int
	clock    int // the number of the clock that runs; earlier ones have stopped
}

func newHold(s *site, d app.Deferred, q *request, in *instruct) *hold {
	h := &hold{site: s, d: d, in: in, stream: in.mode != responseHold}
	if !h.stream || in.next != "" || in.gone != "" {
		h.request = q
	}
	if h.stream {
		h.more = &moreOfStream{gone: in.gone}
		if in.next != "" {
			h.more.at = q.question()
		}
	}
	return h
}

// begin begins to hold the request q.
func (h *hold) begin(q *request) {
	if h.stream {
		if err := h.d.Start(h.in.response.Status, h.in.response.Headers); err != nil {
			h.d.Abort(err)
			return
		}
		if !h.in.response.HasContent() || q.method() == "HEAD" { // the client takes the head for all of it
			h.close()
			return
		}
		content, err := h.in.content()
		if err != nil {
			h.site.proxy.log.Error("a stream ends, because of its first content", "error", err)
			_ = h.d.Close()
			return
		}
		_, _ = h.d.Write(content) // with none the head leaves; ErrGone: Left is told
	} else {
		h.d.SetDeadline(h.in.timeout, h.in.response)
	}
	if h.stream && h.in.next == "" && slices.ContainsFunc(h.in.channels, func(c channel) bool { return c.prev != "" }) {
		h.site.proxy.log.Error("a channel of a stream has a prev-id, and there is no next link to go on from", "channels", h.in.channels)
		h.close()
		return
	}
	if !h.attach() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.conflict() || h.in.mode == noHold:
		h.update()
	case h.stream:
		h.setClock(time.Now())
		h.startClock()
	}
}

// attach subscribes to the channels of in, in the place of those before. It is false when the hold has ended. mu is not held.
func (h *hold) attach() bool {
	h.mu.Lock()
	in := h.in
	h.mu.Unlock()
	if before := h.detach.Swap(nil); before != nil {
		defer (*before)() // none is missed in between, and what comes twice is in the queue once
	}
	names := make([]string, 0, len(in.channels))
	topics := make([]string, 0, len(in.channels))
	for _, c := range in.channels {
		if name := h.name(c.name); !slices.Contains(names, name) {
			names = append(names, name)
			topics = append(topics, topic(name))
		}
	}
	if len(topics) == 0 {
		topics = append(topics, topic("")) // where nothing comes: the end of the hub concerns those without channels too
	}
	detach, err := h.site.proxy.hub.Attach(h.d, topics, h)
	switch {
	case errors.Is(err, hub.ErrClosed):
		h.close()
		return false
	case err != nil:
		h.site.proxy.log.Error("a request is not held", "channels", names, "error", err)
		h.fail()
		return false
	}
	h.detach.Store(&detach)
	for _, name := range names { // now they are put in order for it, too
		h.site.proxy.shard(name).hold(name)
	}
	h.release(h.names.Swap(&names))
	if h.over.Load() { // what was noted since is taken back
		h.forget()
		return false
	}
	return true
}

// forget takes the hold out of its channels, and of the hub.
func (h *hold) forget() {
	h.release(h.names.Swap(nil))
	h.leaveHub()
}

// leaveHub ends what attach has begun.
func (h *hold) leaveHub() {
	if detach := h.detach.Swap(nil); detach != nil {
		(*detach)()
	}
}

// name is the name of a channel for publishers.
func (h *hold) name(channel string) string { return h.site.proxy.options.Prefix + channel }

// release gives up channels.
func (h *hold) release(names *[]string) {
	if names == nil {
		return
	}
	linger := lingers
	if h.stream {
		linger = 0
	}
	for _, name := range *names {
		h.site.proxy.shard(name).release(name, linger)
	}
}

// end lets go of everything. Any goroutine, with mu or without.
func (h *hold) end() {
	if h.over.Swap(true) {
		return
	}
	h.forget()
	if h.request == nil {
		return
	}
	gone := h.gone()
	if gone == "" {
		return
	}
	h.site.proxy.asks.do(func() {
		a, err := h.request.question().follow("POST", gone, "")
		if err == nil {
			_, err = h.site.ask(a)
		}
		if err != nil {
			h.site.proxy.log.Warn("the gone link could not be fetched", "link", gone, "error", err)
		}
	})
}

// gone is the link for a client that has left.
func (h *hold) gone() string {
	if h.more != nil {
		return h.more.gone
	}
	return h.in.gone // of a response hold, which does not change
}

// Left implements hub.Receiver.
func (h *hold) Left() { h.end() }

// End implements hub.Receiver.
func (h *hold) End(error) { h.close() }

// close ends the response with what is there: the end of a stream, or the answer that a response hold has for the case that nothing comes.
func (h *hold) close() {
	if h.stream {
		_ = h.d.Close()
	} else {
		_ = h.d.Answer(h.in.response)
	}
	h.end()
}

// fail ends the response because of an error.
func (h *hold) fail() {
	if h.stream {
		_ = h.d.Close()
	} else {
		_ = h.d.Answer(badGateway)
	}
	h.end()
}

// Receive implements hub.Receiver.
func (h *hold) Receive(m hub.Message) (unsent int, err error) {
	it := h.site.proxy.item(m)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stream {
		h.more.unsent = 0
	}
	switch {
	case h.over.Load():
	case it == nil:
	case h.asking:
		h.enqueue(queued{m.ID, it})
	default:
		h.deliver(it)
	}
	if h.over.Load() {
		return 0, app.ErrGone
	}
	if h.stream {
		unsent = h.more.unsent
	}
	return unsent, nil
}

// enqueue keeps an item until the application has answered. mu is held.
func (h *hold) enqueue(q queued) {
	switch {
	case slices.ContainsFunc(h.queue, func(other queued) bool { return other.id == q.id }):
	case len(h.queue) < maxQueue:
		h.queue = append(h.queue, q)
	default:
		h.again = true
	}
}

// deliver does what an item says. mu is held.
func (h *hold) deliver(it *item) {
	f := it.response
	if h.stream {
		f = it.stream
	}
	i := slices.IndexFunc(h.in.channels, func(c channel) bool { return h.name(c.name) == it.channel })
	if f == nil || i < 0 {
		return
	}
	c := &h.in.channels[i]
	if c.prev != "" && c.prev != it.prev {
		h.site.proxy.shard(it.channel).forgetLast(it.channel)
		h.queue = nil
		h.update()
		return
	}
	if f.filters != nil && !slices.Equal(f.filters, c.contentFilters()) {
		return
	}
	if c.prev != "" {
		c.prev = it.id
	}
	content, ok := h.in.filter(c, it.meta, f.content)
	switch {
	case !ok || f.action == ignored:
	case f.action == hint:
		h.queue = nil
		h.update()
	case !h.stream && f.action == send:
		_ = h.d.Answer(h.in.answer(f, content)) // ErrGone: the client has left
		h.end()
	case h.stream && f.action == send:
		h.write(content)
	case h.stream && f.action == closes:
		h.close()
	}
}

// answer is what a response hold is answered with. The fields of the application's own answer go with it.
func (in *instruct) answer(f *format, content []byte) *app.Response {
	r := &app.Response{Status: f.status, Headers: make([]app.Header, 0, len(in.response.Headers)+len(f.headers)), Content: content}
	for _, field := range in.response.Headers {
		same := func(h app.Header) bool { return strings.EqualFold(h.Name, field.Name) }
		if !slices.ContainsFunc(f.headers, same) {
			r.Headers = append(r.Headers, field)
		}
	}
	r.Headers = append(r.Headers, f.headers...)
	return r
}

// write writes to a stream. mu is held.
func (h *hold) write(content []byte) {
	if len(content) == 0 {
		return
	}
	unsent, err := h.d.Write(content)
	if err != nil {
		h.end()
		return
	}
	h.more.unsent = unsent
	if !h.in.alive.interval {
		h.more.alive = time.Now().Add(h.in.alive.every)
	}
	h.more.fetch = time.Now().Add(h.in.after)
}

// conflict tells whether the client has missed messages of its channels. mu is held.
func (h *hold) conflict() bool {
	missed := false
	for _, c := range h.in.channels {
		if name := h.name(c.name); c.prev != "" && h.site.proxy.shard(name).conflict(name, c.prev) {
			missed = true
		}
	}
	return missed
}

// setClock sets when something is due on a stream. mu is held.
func (h *hold) setClock(now time.Time) {
	h.more.alive, h.more.fetch = now.Add(h.in.alive.every), now.Add(h.in.after)
}

// startClock has tick called when something is due, in the place of the clock before: what that waits for may be later. mu is held.
func (h *hold) startClock() {
	h.more.clock++
	h.tick(h.more.clock)
}

// tick does what is due on a stream, and comes again. mu is held.
func (h *hold) tick(clock int) {
	if clock != h.more.clock || h.over.Load() {
		return
	}
	every, fetches := h.in.alive.every, h.in.next != "" && h.in.after > 0
	now := time.Now()
	wait := look
	if every > 0 {
		if !now.Before(h.more.alive) {
			h.live()
			h.more.alive = now.Add(every)
		}
		wait = min(wait, h.more.alive.Sub(now))
	}
	if fetches && !h.asking {
		if !now.Before(h.more.fetch) {
			h.update()
		} else {
			wait = min(wait, h.more.fetch.Sub(now))
		}
	}
	if every == 0 && (!fetches || h.asking) { // holdOn starts the clock again
		return
	}
	h.d.After(max(wait, time.Millisecond), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tick(clock)
	})
}

// live sends a sign of life, unless the client has not taken what was sent before. mu is held.
func (h *hold) live() {
	if unsent, err := h.d.Write(nil); err != nil || unsent > highWater {
		return
	}
	if _, err := h.d.Write(h.in.alive.data); err != nil {
		h.end()
	}
}
