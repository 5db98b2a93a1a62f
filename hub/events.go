package hub

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/weirhttp/weir/app"
)

const (
	// highWater is how much a client may leave unread before its stream stops: Watcher.Drained speaks of the same.
	highWater = 64 << 10
	// pageSize is how many messages a stream reads from the history at a time.
	pageSize = 32
)

// Events returns the application of event streams (text/event-stream): GET of prefix and the name of a topic,
// "/events/" for one. More topics, or all, are named by parameters "topic"; events of such a stream have the topic as
// their type. With Options.Wildcards they may be patterns, and the same holds for one.
//
// Each message is an event with its id. A stream begins after the id in the field Last-Event-ID, which browsers send
// when they connect again, or in the parameter lastEventId or since; 0 stands for the beginning of what the history
// has. Without any it begins now. An id that is too old, or of an earlier process, is answered with 410, as for Poll.
//
// Streams are text: lines end with LF whatever they ended with, and octets that are not UTF-8 are replaced by the
// browser.
//
// A client that does not take its events is sent no more until it does, and then goes on from the history. When that
// does not reach back any more, the stream ends; the client learns from the 410 when it connects again.
func (h *Hub) Events(prefix string) app.Application {
	return h.front(func(environ *app.Environ) (hold Hold, refusal *app.Response) {
		hold, q, refusal := h.parse(environ, prefix, "GET")
		hold.Stream = true
		if last, ok := lastEventID(environ, q); ok && refusal == nil {
			refusal = hold.readSince(last)
		}
		return hold, refusal
	})
}

// lastEventID is where the client wants to go on from, if it says so. The field counts more than the parameters:
// these are still those of the first time when a browser connects again.
func lastEventID(environ *app.Environ, q query) (id string, ok bool) {
	if value, ok := environ.Header("Last-Event-ID"); ok && len(value) > 0 {
		return string(value), true
	}
	for _, name := range []string{"lastEventId", "since"} {
		if id, ok := q.value(name); ok {
			return id, true
		}
	}
	return "", false
}

// stream is a held stream.
type stream struct {
	hub    *Hub
	outlet outlet
	places places
	keeper *keeper
	index  int // in its keeper; guarded by keepers.mu
	ended  atomic.Bool

	mu     sync.Mutex // guards what follows; Left does not take it, since a write may find that the client has left
	since  uint64
	start  uint64 // what was dropped up to there is not missing: the stream began with what there was
	full   bool   // Drained is to come
	behind bool   // the store could not be read
}

// outlet is what a stream is written to: a response, or a WebSocket.
type outlet interface {
	app.Executor
	Executor() app.Executor
	Watch(w app.Watcher)
	// begin writes what comes before the messages. since is the position.
	begin(since uint64) (unsent int, err error)
	// message writes a message. d is its delivery if it is at hand. With errFull nothing was taken.
	message(m Message, d *delivery) (unsent int, err error)
	// life writes a sign of life, with the position.
	life(since uint64) (unsent int, err error)
	// end ends what is written to: with ErrClosed, ErrGone or what is wrong.
	end(why error)
}

// errFull tells that an outlet takes nothing before Drained.
var errFull = errors.New("hub: the client is too slow")

// stream begins a stream on an outlet.
func (h *Hub) stream(o outlet, hold *Hold) *stream {
	s := &stream{hub: h, outlet: o, since: hold.Since}
	s.places = h.places(hold.Topics, s)
	h.patterns.add(hold.Topics)
	h.streams.Add(1)
	h.keepers.add(h, s)
	o.Watch(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	unsent, err := o.begin(s.since)
	s.wrote(unsent, err)
	if s.ended.Load() && !errors.Is(err, app.ErrGone) {
		o.end(err)
	}
	s.goOn(nil)
	return s
}

// goOn writes what the topics have after since, as far as the client takes it, and leaves s linked when that was all.
// d is the delivery of one of them, or nil. mu is held.
func (s *stream) goOn(d *delivery) {
	for more := true; more && !s.full && !s.ended.Load(); {
		s.places.link(s.outlet.Executor())
		if s.hub.released.Load() {
			s.close(ErrClosed)
			break
		}
		page, err := s.hub.readOn(s.places.topics, s.since, s.start, pageSize)
		if s.behind = err != nil; s.behind {
			break // the next message, or sign of life, tries again
		}
		if page.Gone {
			s.close(ErrGone)
			break
		}
		if s.since == 0 {
			s.start = page.Dropped
		}
		if more = len(page.Messages) > 0; !more {
			s.since = max(s.since, page.Last)
		}
		for _, m := range page.Messages {
			if s.full || s.ended.Load() {
				break
			}
			s.message(m, d)
		}
	}
	if s.ended.Load() { // by Left, perhaps before the last link
		s.places.unlink()
	}
}

// message writes the next message. d is the delivery of it or another, or nil. mu is held.
func (s *stream) message(m Message, d *delivery) {
	if d != nil && d.message.ID != m.ID {
		d = nil
	}
	if s.wrote(s.outlet.message(m, d)) {
		s.since = m.ID
	}
}

// wrote takes note of what writing returned. It tells whether something was written. mu is held.
func (s *stream) wrote(unsent int, err error) bool {
	if s.full = unsent > highWater || err == errFull; err != nil && err != errFull {
		s.end()
	}
	return err == nil
}

// wake implements waiter. With mu it knows that nothing was missing after since when s was linked: the message is the
// next one of its topic, unless s is behind.
func (s *stream) wake(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full || s.ended.Load() {
		return
	}
	if len(s.places.topics) == 1 && d.message.ID > s.since && !s.behind {
		s.message(d.message, d)
	}
	s.goOn(d)
}

// keepAlive sends a sign of life, and the position: that of a client whose topics are silent is not to fall out of
// the history.
func (s *stream) keepAlive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goOn(nil)
	if !s.full && !s.ended.Load() {
		s.wrote(s.outlet.life(s.since))
	}
}

// close ends the stream.
func (s *stream) close(why error) {
	s.outlet.end(why)
	s.end()
}

// end lets go of s. Any goroutine, with mu or without.
func (s *stream) end() {
	if s.ended.Swap(true) {
		return
	}
	s.hub.streams.Add(-1)
	s.hub.keepers.remove(s)
	s.places.unlink()
	s.hub.patterns.remove(s.places.topics)
}

// Left implements app.Watcher.
func (s *stream) Left() { s.end() }

// Drained implements app.Watcher.
func (s *stream) Drained() {
	s.outlet.Post(func() { // not at once: it may be called in a write
		s.mu.Lock()
		defer s.mu.Unlock()
		s.full = false
		s.goOn(nil)
	})
}
