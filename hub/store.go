package hub

import (
	"cmp"
	"math"
	"slices"
)

// Message is what was published. It does not change, Data neither.
type Message struct {
	ID    uint64
	Topic string
	Data  []byte
}

// Page is what a store knows of a topic behind an id.
type Page struct {
	// Messages are those behind the id, oldest first.
	Messages []Message
	// Gone tells that the store cannot say what was behind the id: it has dropped messages there, or does not
	// know the id.
	Gone bool
	// Oldest is the id of the oldest message that the store has of the topic, Last+1 when it has none.
	Oldest uint64
	// Last is the position of the store: the messages of the topic with ids up to Last have all arrived, and those to
	// come have larger ones.
	Last uint64
	// Dropped is the least position that is not Gone. It is told when Gone is set, and when the id is 0.
	Dropped uint64
}

// Store keeps the messages of topics and gives them their ids: one increasing sequence for all topics. It may be
// shared by several hubs, on several machines. Its methods are safe for use by any goroutine.
type Store interface {
	// Notify is called once, before all else. The store calls arrived for each message, wherever it was appended,
	// once and in the order of ids within a topic, when Read knows of it. arrived does not wait, and does not call
	// the store; reached is how many requests of this hub it woke. A message without an id tells that the store has
	// lost some, of any topic: all that wait look again, and find by Read's Gone whether it concerns them.
	Notify(arrived func(m Message) (reached int))
	// Append adds a message to a topic; data is the store's from now on. It returns when the message is safe. reached
	// is what arrived has returned for it.
	Append(topic string, data []byte) (id uint64, reached int, err error)
	// Read returns up to limit messages of topic with ids above since. since 0 stands for the beginning of what there
	// is, and is never Gone. It is called on event loops and does not wait: a store that others share answers from
	// what it was told.
	Read(topic string, since uint64, limit int) (Page, error)
	// Close lets go of what the store holds. Append fails from now on.
	Close() error
}

// readKey is Store.Read for a topic, or a pattern.
func (h *Hub) readKey(key string, since uint64, limit int) (Page, error) {
	pattern, ok := patternOf(key)
	if !ok {
		return h.store.Read(key, since, limit)
	}
	if s, ok := h.store.(WildcardStore); ok {
		return s.ReadMatching(pattern, since, limit)
	}
	return Page{}, ErrWildcards
}

// read is Store.Read for several topics together, by their keys: messages are in the order of their ids, each once, and none
// is missing between them. Last is the position up to which that can be said.
func (h *Hub) read(topics []string, since uint64, limit int) (Page, error) {
	return h.readOn(topics, since, 0, limit)
}

// readOn is read for one who has begun with what there was: what the topics had dropped then, up to the id start, is not missing.
func (h *Hub) readOn(topics []string, since, start uint64, limit int) (Page, error) {
	if len(topics) == 1 {
		return h.readKey(topics[0], since, limit)
	}
	for {
		merged, beyond, err := h.merge(topics, since, start, limit)
		// What is beyond the position of the topic that was read first is in order only when that is read again.
		if err != nil || merged.Gone || len(merged.Messages) > 0 || !beyond {
			return merged, err
		}
	}
}

// merge reads each topic once. beyond tells that there are messages above the position that all topics share.
func (h *Hub) merge(topics []string, since, start uint64, limit int) (merged Page, beyond bool, err error) {
	merged.Last = math.MaxUint64
	var found []Message
	for _, topic := range topics {
		page, err := h.readKey(topic, since, limit)
		if err == nil && page.Gone && since < page.Dropped && page.Dropped <= start {
			page, err = h.readKey(topic, page.Dropped, limit)
		}
		if err != nil {
			return Page{}, false, err
		}
		if page.Gone {
			merged.Gone = true
			merged.Oldest = max(merged.Oldest, page.Oldest)
		}
		merged.Last = min(merged.Last, page.Last)
		merged.Dropped = max(merged.Dropped, page.Dropped)
		found = append(found, page.Messages...)
	}
	slices.SortFunc(found, func(a, b Message) int { return cmp.Compare(a.ID, b.ID) })
	found = slices.CompactFunc(found, func(a, b Message) bool { return a.ID == b.ID }) // one that several patterns stand for
	for i, m := range found {
		if m.ID > merged.Last {
			found, beyond = found[:i], true
			break
		}
	}
	merged.Messages = found[:min(len(found), limit)]
	return merged, beyond, nil
}
