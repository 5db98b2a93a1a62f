// Package hub holds requests that wait for messages, and answers them when there are some: long-poll (Hub.Poll) and
// event streams (Hub.Events) over topics that anybody publishes to (Hub.Publish). Both are front ends of Hub.Hold, which
// holds any request whose answer was deferred. WebSockets get the messages of topics as streams do (Hub.Sockets).
//
// # The mechanism
//
// A held request is a waiter with a link in the list of each of its topics. Lists are per topic and loop. To wait is
// to link first and to look into the store afterwards; to publish is to append to the store first and to wake the
// lists afterwards. Whichever comes first, no message falls between the two.
//
// The store tells of each message once, in the order of ids within a topic. What that costs the publisher does not
// depend on the number of waiters: a topic's lists are taken out of the table whole, and one task is posted to the
// loop of each. The task wakes its waiters in slices and posts itself for the rest, so that the loop serves others in
// between. A poll that was woken is answered, with a response that is rendered once for all. A stream writes the
// event, links again and looks again. One whose client takes nothing does not link: it goes on from the history when
// there is room.
//
// # Ids
//
// An id is a position in the one sequence of all topics. A client that names the last id that it knows ("since") gets
// what its topics have had since, exactly once and in order, or is told that it was away for too long (410). Ids
// increase within a topic, and are not contiguous.
package hub

import (
	"bytes"
	"errors"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/weirhttp/weir/app"
)

var (
	// ErrClosed is what Publish returns after Close.
	ErrClosed = errors.New("hub: closed")
	// ErrTopic is what Publish returns for a name that no topic may have.
	ErrTopic = errors.New("hub: a topic's name is UTF-8 without control characters, not empty and not too long")
	// ErrTooLarge is what Publish returns for a message above Options.MaxMessage.
	ErrTooLarge = errors.New("hub: message is too large")
)

// Options are the settings of a Hub. What is zero has the default.
type Options struct {
	// Store keeps the messages. Default: in memory, within the bounds of Memory. The hub closes it.
	Store  Store
	Memory MemoryOptions

	// MaxMessage bounds a message, in octets (64 KiB).
	MaxMessage int
	// MaxTopicName bounds the name of a topic, in octets (200).
	MaxTopicName int
	// MaxTopics bounds the topics that one request waits for (50).
	MaxTopics int
	// PollTimeout is for how long a poll waits that does not say (25 s: less than what proxies allow), MaxPollTimeout
	// what it may ask for (5 min). The age of the history should be above it.
	PollTimeout, MaxPollTimeout time.Duration
	// KeepAlive is how often an event stream gets a sign of life (15 s).
	KeepAlive time.Duration
	// Retry is what event streams tell their clients to wait for before they connect again (2 s).
	Retry time.Duration
	// Wildcards lets requests wait for patterns of topics, as NATS has them: "*" stands for one token, ">" at the end for one or
	// more; tokens are what stands between dots. With it a client of Poll, Events and Sockets may see every topic, and the
	// names that Hold is given are patterns if Hold.Wildcards says so. Store must be a WildcardStore that has it on; in memory
	// the hub sees to that.
	Wildcards bool
}

// Hub connects publishers with the requests that wait. Its methods are safe for use by any goroutine.
type Hub struct {
	options Options
	store   Store
	seed    maphash.Seed
	shards  [64]shard
	keepers keepers
	// released: nobody waits any more. closed: nothing is published either.
	released, closed atomic.Bool
	// patterns are those that requests wait for; nil: without Options.Wildcards.
	patterns *waitedPatterns

	// positions are the notices of clients that waited in vain, for all that do so at about the same time.
	positions [16]atomic.Pointer[position]

	observer       atomic.Pointer[func(m Message)] // nil: nobody
	polls, streams atomic.Int64
	published      atomic.Uint64
}

// New returns a hub that works until Close.
func New(options Options) *Hub {
	setDefault(&options.MaxMessage, 64<<10)
	setDefault(&options.MaxTopicName, 200)
	setDefault(&options.MaxTopics, 50)
	setDefault(&options.MaxPollTimeout, 5*time.Minute)
	setDefault(&options.PollTimeout, min(25*time.Second, options.MaxPollTimeout))
	setDefault(&options.KeepAlive, 15*time.Second)
	setDefault(&options.Retry, 2*time.Second)
	h := &Hub{options: options, store: options.Store, seed: maphash.MakeSeed()}
	if h.store == nil {
		options.Memory.Wildcards = options.Wildcards
		h.store = NewMemory(options.Memory)
	}
	if options.Wildcards {
		h.patterns = new(waitedPatterns)
	}
	for i := range h.shards {
		h.shards[i].hub = h
		h.shards[i].topics = make(map[string]*list)
	}
	h.keepers.of = make(map[app.Executor]*keeper)
	h.store.Notify(h.arrived)
	return h
}

// Observe has f called for each message, wherever it was published, before those that wait for it are told: in the order of ids within a topic, and not
// for what the store had before. f does not wait, and does not call the hub. There is one observer; it is to be there before there are requests.
func (h *Hub) Observe(f func(m Message)) { h.observer.Store(&f) }

// setDefault gives an option that is not set its default.
func setDefault[T int | time.Duration](option *T, value T) {
	if *option <= 0 {
		*option = value
	}
}

// Publish adds a message to a topic. reached is how many requests of this hub were waiting for it; a stream that is
// just being written gets it uncounted. data is copied. Publish does not wait for clients; it does wait for a store
// that others share, whose errors it returns.
func (h *Hub) Publish(topic string, data []byte) (id uint64, reached int, err error) {
	switch {
	case h.closed.Load():
		return 0, 0, ErrClosed
	case !h.validTopic(topic):
		return 0, 0, ErrTopic
	case len(data) > h.options.MaxMessage:
		return 0, 0, ErrTooLarge
	}
	return h.store.Append(topic, bytes.Clone(data))
}

func (h *Hub) validTopic(name string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return name != "" && len(name) <= h.options.MaxTopicName && utf8.ValidString(name) && !strings.ContainsFunc(name, control)
}

// Release ends all that wait, soon: polls with 503, streams by their end; and so those that come later. It, or Close, is
// to be called before the server shuts down, which would wait for them. What is published still reaches the store, until
// Close: requests that the server finishes may publish, where others have the store.
func (h *Hub) Release() {
	if !h.released.Swap(true) {
		h.lookAgain()
	}
}

// Close is Release, and closes the store.
func (h *Hub) Close() error {
	if h.closed.Swap(true) {
		return nil
	}
	h.Release()
	return h.store.Close()
}

// lookAgain has all that wait look into the store.
func (h *Hub) lookAgain() {
	for i := range h.shards {
		h.shards[i].takeAll()
	}
}

// Stats is what a hub does.
type Stats struct {
	// Topics is the number of topics, or patterns of them, that requests wait for, Polls and Streams how many requests of the kind are
	// held.
	Topics, Polls, Streams int
	// Published is the number of messages that the store has told of, on whichever machine they were published.
	Published uint64
}

// Stats returns what the hub does at the moment.
func (h *Hub) Stats() Stats {
	s := Stats{Polls: int(h.polls.Load()), Streams: int(h.streams.Load()), Published: h.published.Load()}
	for i := range h.shards {
		s.Topics += h.shards[i].size()
	}
	return s
}
