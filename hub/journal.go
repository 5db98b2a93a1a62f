package hub

import (
	"sort"
	"sync"
	"sync/atomic"
)

// WildcardStore is a Store that can be read by patterns. It calls arrived in the order of ids over all topics.
type WildcardStore interface {
	Store
	// ReadMatching is Read for the topics that a pattern stands for, together: messages are in the order of their ids, and none is missing
	// between them. since 0 stands for the beginning of what there is without a gap. When some of what was behind since was dropped, Gone is
	// set, unless there are messages before that: they come first. A limit of 0 asks for Gone alone. Oldest is the first message that nothing is missing
	// behind, and means something when Gone is set.
	//
	// It returns ErrWildcards where that is off.
	ReadMatching(pattern string, since uint64, limit int) (Page, error)
}

// journalSize is how many messages a journal knows. It bounds what ReadMatching looks through.
const journalSize = 1 << 16

// journal is which topics the messages of all have gone to, in the order of their ids. What they were is in the histories: a message that is not there
// any more was dropped.
type journal struct {
	mu      sync.Mutex // is held from when a message gets its id until it has arrived; locked before that of a shard
	records []record   // oldest first; others read what they have got of it, so that only append and reslicing will do
	lost    uint64     // messages up to this id are not in it
}

type record struct {
	id uint64
	of *history
}

// begin begins a message. The journal may be nil: nobody reads by patterns.
func (j *journal) begin() {
	if j != nil {
		j.mu.Lock()
	}
}

// end is the opposite of begin.
func (j *journal) end() {
	if j != nil {
		j.mu.Unlock()
	}
}

// note adds a message that has begun.
func (j *journal) note(id uint64, of *history) {
	if j == nil {
		return
	}
	if len(j.records) == journalSize {
		j.lost = j.records[0].id
		j.records = j.records[1:]
	}
	j.records = append(j.records, record{id, of})
}

// lose forgets all, and that there was something up to id.
func (j *journal) lose(id uint64) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records, j.lost = nil, max(j.lost, id)
}

// read returns what there is, up to the id last.
func (j *journal) read(at *atomic.Uint64) (records []record, lost, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.records, j.lost, at.Load()
}

// ReadMatching implements WildcardStore.
func (m *Memory) ReadMatching(pattern string, since uint64, limit int) (Page, error) {
	if m.journal == nil {
		return Page{}, ErrWildcards
	}
	records, lost, last := m.journal.read(&m.last)
	page := Page{Last: last}
	i := 0
	switch {
	case since == 0 && limit == 0:
		return page, nil
	case since == 0:
		i = m.gapless(pattern, records)
		page.Dropped = before(i, records, lost)
	default:
		page.Gone = since < lost || since > last
		i = sort.Search(len(records), func(i int) bool { return records[i].id > since })
	}
	for ; i < len(records) && !page.Gone && (limit == 0 || len(page.Messages) < limit); i++ {
		if !matches(pattern, records[i].of.topic) {
			continue
		}
		switch message, ok := m.message(records[i]); {
		case ok && limit > 0:
			page.Messages = append(page.Messages, message)
		case ok:
		case len(page.Messages) > 0:
			limit = len(page.Messages) // the next read will tell
			page.Last = records[i].id - 1
		default:
			page.Gone = since != 0
		}
	}
	if page.Gone {
		from := m.gapless(pattern, records)
		page.Dropped, page.Oldest = before(from, records, lost), oldest(pattern, records[from:], last)
	}
	return page, nil
}

// message is that of a record, unless it was dropped.
func (m *Memory) message(r record) (message Message, ok bool) {
	s := m.shard(r.of.topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.of.message(r.id)
}

// gapless is the index from which on no message of a pattern was dropped.
func (m *Memory) gapless(pattern string, records []record) int {
	for i := len(records); i > 0; i-- {
		if r := records[i-1]; matches(pattern, r.of.topic) {
			if _, ok := m.message(r); !ok {
				return i
			}
		}
	}
	return 0
}

// before is the position before a record.
func before(i int, records []record, lost uint64) uint64 {
	if i == 0 {
		return lost
	}
	return records[i-1].id
}

// oldest is the id of the first message, that behind last when there is none.
func oldest(pattern string, records []record, last uint64) uint64 {
	for _, r := range records {
		if matches(pattern, r.of.topic) {
			return r.id
		}
	}
	return last + 1
}
