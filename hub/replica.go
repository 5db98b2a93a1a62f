package hub

import "time"

// This is the side of a Memory that a store uses which others share. One goroutine calls it, and Append is not called.

// Put adds a message that has its id, above all earlier ones, and the time at which it was published. It returns what
// arrived has returned.
func (m *Memory) Put(message Message, at time.Time) (reached int) {
	s := m.shard(message.Topic)
	m.journal.begin()
	defer m.journal.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	m.last.Store(message.ID)
	return m.add(s, message, at, time.Now())
}

// Lose tells that messages up to an id may be missing, of any topic. What there is of them is forgotten, and positions
// before id are gone.
func (m *Memory) Lose(id uint64) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for s.silent.first != nil {
			m.forget(s, s.silent.first)
		}
		s.forgotten = max(s.forgotten, id)
		s.mu.Unlock()
	}
	m.journal.lose(id)
	if id > m.last.Load() {
		m.last.Store(id)
	}
}
