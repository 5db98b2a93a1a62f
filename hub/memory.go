package hub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// MemoryOptions are the bounds of a store in memory. What is zero has the default.
type MemoryOptions struct {
	// Messages, Bytes and Age bound the history of a topic (1,000; 1 MiB; 10 min). The newest message is kept
	// whatever its size, until its age. Age takes effect when a topic gets a message, and for the whole topic when
	// the newest is that old.
	Messages, Bytes int
	Age             time.Duration
	// Topics and TotalBytes bound all topics together, approximately (100,000; 256 MiB). The topics that have been
	// silent for longest are forgotten first.
	Topics, TotalBytes int
	// First is the id before the first one. By default it is the time in microseconds: ids of an earlier process are
	// then smaller than those of this one, and their clients learn that they have missed something. A number of
	// JavaScript holds it.
	First uint64
	// Wildcards has ReadMatching work: what all topics together have got is known, up to 65,536 messages. They then get their messages one at a
	// time.
	Wildcards bool
}

// messageOverhead is what a message takes beside its octets, in memory and in the bounds.
const messageOverhead = 64

// Memory is a Store in the memory of the process. A store that others share keeps in one what it was told: see Put.
type Memory struct {
	options MemoryOptions
	seed    maphash.Seed
	shards  [64]memoryShard
	last    atomic.Uint64 // the id given out last; raised with the lock of the topic's shard
	arrived func(m Message) (reached int)
	journal *journal // nil: without Wildcards

	topics, bytes atomic.Int64

	mu     sync.Mutex
	timer  *time.Timer // of the next sweep; guarded by mu
	closed atomic.Bool
}

// memoryShard is a part of the table of topics that have a history.
type memoryShard struct {
	mu     sync.Mutex
	topics map[string]*history
	silent histories // by when they got their newest message, longest ago first
	// forgotten is the highest id of the topics that are not here any more: what was up to there may have been
	// theirs.
	forgotten uint64
}

// NewMemory returns a Memory that works until Close.
func NewMemory(options MemoryOptions) *Memory {
	setDefault(&options.Messages, 1000)
	setDefault(&options.Bytes, 1<<20)
	setDefault(&options.Age, 10*time.Minute)
	setDefault(&options.Topics, 100_000)
	setDefault(&options.TotalBytes, 256<<20)
	if options.First == 0 {
		options.First = uint64(time.Now().UnixMicro())
	}
	m := &Memory{options: options, seed: maphash.MakeSeed()}
	m.last.Store(options.First)
	if options.Wildcards {
		m.journal = &journal{lost: options.First}
	}
	for i := range m.shards {
		m.shards[i].topics = make(map[string]*history)
		m.shards[i].forgotten = options.First
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer = time.AfterFunc(m.sweepEvery(), m.sweepTimer)
	return m
}

// Notify implements Store.
func (m *Memory) Notify(arrived func(m Message) (reached int)) { m.arrived = arrived }

func (m *Memory) shard(topic string) *memoryShard {
	return &m.shards[maphash.String(m.seed, topic)%uint64(len(m.shards))]
}

// Append implements Store. arrived is called with the lock of the shard held, which keeps the order.
func (m *Memory) Append(topic string, data []byte) (id uint64, reached int, err error) {
	now := time.Now()
	s := m.shard(topic)
	m.journal.begin()
	defer m.journal.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.closed.Load() {
		return 0, 0, ErrClosed
	}
	message := Message{m.last.Add(1), topic, data}
	return message.ID, m.add(s, message, now, now), nil
}

// add adds a message of the time at to its topic. s.mu is held, and m.last was raised with it.
func (m *Memory) add(s *memoryShard, message Message, at, now time.Time) (reached int) {
	h := s.topics[message.Topic]
	if h == nil {
		h = &history{topic: message.Topic, dropped: s.forgotten}
		s.topics[message.Topic] = h
		m.topics.Add(1)
	} else {
		s.silent.remove(h)
	}
	s.silent.add(h)
	before := h.bytes
	h.add(entry{message.ID, at, message.Data})
	m.journal.note(message.ID, h)
	h.trim(m.options.Messages, m.options.Bytes, now.Add(-m.options.Age))
	m.bytes.Add(int64(h.bytes - before))
	m.evict(s, h)
	return m.arrived(message)
}

// evict forgets what is too much. s.mu is held. h has just got a message.
func (m *Memory) evict(s *memoryShard, h *history) {
	tooMuch := func() bool {
		return m.topics.Load() > int64(m.options.Topics) || m.bytes.Load() > int64(m.options.TotalBytes)
	}
	for s.silent.first != h && tooMuch() {
		m.forget(s, s.silent.first)
	}
	if excess := m.bytes.Load() - int64(m.options.TotalBytes); excess > 0 { // what others have is in other shards
		before := h.bytes
		h.trim(m.options.Messages, before-int(excess), time.Time{})
		m.bytes.Add(int64(h.bytes - before))
	}
}

// forget removes a topic. s.mu is held.
func (m *Memory) forget(s *memoryShard, h *history) {
	s.forgotten = max(s.forgotten, h.newest().id)
	s.silent.remove(h)
	delete(s.topics, h.topic)
	m.topics.Add(-1)
	m.bytes.Add(int64(-h.bytes))
	h.entries = nil // the journal may know h for longer
}

// Read implements Store.
func (m *Memory) Read(topic string, since uint64, limit int) (Page, error) {
	s := m.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	page := Page{Last: m.last.Load()} // with the lock: ids of the shard's topics up to here are in their histories
	dropped := s.forgotten
	page.Oldest = page.Last + 1
	h := s.topics[topic]
	if h != nil {
		dropped = h.dropped
		page.Oldest = h.entries[0].id
	}
	page.Dropped = dropped
	page.Gone = since != 0 && (since < dropped || since > page.Last)
	if h != nil && !page.Gone {
		page.Messages = h.after(since, limit)
	}
	return page, nil
}

// sweepBatch is how many topics are forgotten in a row while others wait for the shard.
const sweepBatch = 64

// sweep forgets the topics whose newest message is older than Age at the time now.
func (m *Memory) sweep(now time.Time) {
	limit := now.Add(-m.options.Age)
	for i := range m.shards {
		for m.sweepShard(&m.shards[i], limit) {
		}
	}
}

// sweepShard forgets some of those topics, and tells whether there may be more.
func (m *Memory) sweepShard(s *memoryShard, limit time.Time) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range sweepBatch {
		h := s.silent.first
		if h == nil || h.newest().at.After(limit) {
			return false
		}
		m.forget(s, h)
	}
	return true
}

func (m *Memory) sweepEvery() time.Duration { return max(m.options.Age/8, time.Millisecond) }

func (m *Memory) sweepTimer() {
	m.sweep(time.Now())
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed.Load() {
		m.timer.Reset(m.sweepEvery())
	}
}

// Close implements Store. What there is can still be read.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed.Store(true)
	m.timer.Stop()
	return nil
}
