package hub

import (
	"hash/maphash"
	"sync"

	"github.com/weirhttp/weir/app"
)

// sliceSize is how many waiters a loop wakes before it looks at other things.
const sliceSize = 256

// waiter is a held request.
type waiter interface {
	// wake tells that a link of the waiter was taken out of the table, because of d. It is called on the loop of the
	// request, or on a goroutine from which the loop was taken over.
	wake(d *delivery)
}

// link is the place of a waiter in the list of a topic. One is in one list at the most.
type link struct {
	shard  *shard // the topic's
	waiter waiter

	// Guarded by shard.mu.
	list       *list // nil: in none
	next, prev *link // a ring; prev of the first is the last
}

// list is the waiters of one topic, or pattern, on one loop. It is in the table until a message arrives, and then with the task
// that wakes its waiters, until that has taken them out. Either way a waiter that gives up takes itself out. It is
// guarded by shard.mu.
type list struct {
	topic    string // as a key
	executor app.Executor
	next     *list // of the same topic
	first    *link
	n        int
	taken    bool // out of the table
}

// places are the links of a waiter with several topics, or with a pattern.
type places struct {
	topics []string // as keys
	links  []link
}

func (h *Hub) places(topics []string, w waiter) places {
	links := make([]link, len(topics))
	for i, topic := range topics {
		links[i] = link{shard: h.shard(topic), waiter: w}
	}
	return places{topics, links}
}

// link links those that are not linked.
func (p *places) link(executor app.Executor) {
	for i := range p.links {
		p.links[i].shard.link(&p.links[i], p.topics[i], executor)
	}
}

func (p *places) unlink() {
	for i := range p.links {
		p.links[i].unlink()
	}
}

// shard is a part of the table of topics that have waiters, by their keys. A topic that has none is not there.
type shard struct {
	hub    *Hub
	mu     sync.Mutex
	topics map[string]*list
}

// shard returns the shard of a topic.
func (h *Hub) shard(topic string) *shard {
	return &h.shards[maphash.String(h.seed, topic)%uint64(len(h.shards))]
}

// link puts l last into the list of topic, unless it is in one already: then it is to be woken for an earlier
// message.
func (s *shard) link(l *link, topic string, executor app.Executor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.list != nil {
		return
	}
	m := s.topics[topic]
	for m != nil && m.executor != executor {
		m = m.next
	}
	if m == nil {
		m = &list{topic: topic, executor: executor, next: s.topics[topic]}
		s.topics[topic] = m
	}
	l.list = m
	m.n++
	if m.first == nil {
		m.first, l.next, l.prev = l, l, l
		return
	}
	l.next, l.prev = m.first, m.first.prev
	l.prev.next, l.next.prev = l, l
}

// unlink takes l out of its list, if it is in one.
func (l *link) unlink() {
	s := l.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	m := l.list
	if m == nil {
		return
	}
	m.remove(l)
	if m.first == nil && !m.taken {
		s.remove(m)
	}
}

func (m *list) remove(l *link) {
	if l.next == l {
		m.first = nil
	} else {
		l.prev.next, l.next.prev = l.next, l.prev
		if m.first == l {
			m.first = l.next
		}
	}
	m.n--
	l.list, l.next, l.prev = nil, nil, nil
}

// remove takes an empty list out of the table. s.mu is held.
func (s *shard) remove(m *list) {
	first := s.topics[m.topic]
	switch {
	case first != m:
		for first.next != m {
			first = first.next
		}
		first.next = m.next
	case m.next != nil:
		s.topics[m.topic] = m.next
	default:
		delete(s.topics, m.topic)
	}
}

// take takes the lists of a key out of the table and hands them to their loops, with a message. One without an id
// has them look into the store.
func (s *shard) take(key string, message Message) (reached int) {
	s.mu.Lock()
	first := s.topics[key]
	if first == nil {
		s.mu.Unlock()
		return 0
	}
	delete(s.topics, key)
	for m := first; m != nil; m = m.next {
		m.taken = true
		reached += m.n
	}
	s.mu.Unlock()
	d := &delivery{message: message}
	for m := first; m != nil; m = m.next {
		m.executor.Post(func() { s.wake(m, d) })
	}
	return reached
}

// takeAll takes all lists.
func (s *shard) takeAll() {
	s.mu.Lock()
	topics := make([]string, 0, len(s.topics))
	for topic := range s.topics {
		topics = append(topics, topic)
	}
	s.mu.Unlock()
	for _, topic := range topics {
		s.take(topic, Message{Topic: topic})
	}
}

// wake wakes waiters of a list that was taken, a slice of them at a time. It runs on their loop.
func (s *shard) wake(m *list, d *delivery) {
	var slice [sliceSize]*link
	n := 0
	s.mu.Lock()
	for ; n < len(slice) && m.first != nil; n++ {
		slice[n] = m.first
		m.remove(m.first)
	}
	more := m.first != nil
	s.mu.Unlock()
	for _, l := range slice[:n] {
		l.waiter.wake(d)
	}
	if more {
		m.executor.Post(func() { s.wake(m, d) })
	}
}

func (s *shard) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.topics)
}
