package hub

import (
	"sort"
	"time"
)

// history is the messages that a topic has, at least one. It is guarded by the lock of its shard.
type history struct {
	topic   string
	entries []entry // oldest first
	bytes   int     // of all entries, with messageOverhead each
	dropped uint64  // what was up to this id may be missing

	prev, next *history // in histories
}

type entry struct {
	id   uint64
	at   time.Time
	data []byte
}

func (e entry) size() int { return len(e.data) + messageOverhead }

func (h *history) newest() entry { return h.entries[len(h.entries)-1] }

func (h *history) add(e entry) {
	h.entries = append(h.entries, e)
	h.bytes += e.size()
}

// trim drops the oldest entries until there are no more than messages, of no more than bytes, and none from before
// limit. The newest stays.
func (h *history) trim(messages, bytes int, limit time.Time) {
	n := 0
	for ; n < len(h.entries)-1; n++ {
		e := h.entries[n]
		if len(h.entries)-n <= messages && h.bytes <= bytes && !e.at.Before(limit) {
			break
		}
		h.bytes -= e.size()
		h.dropped = e.id
		h.entries[n] = entry{} // append leaves what is in front of a slice behind when it grows
	}
	h.entries = h.entries[n:]
}

// behind is the index of the first entry with an id above since.
func (h *history) behind(since uint64) int {
	return sort.Search(len(h.entries), func(i int) bool { return h.entries[i].id > since })
}

// message is the message with that id, unless it was dropped.
func (h *history) message(id uint64) (m Message, ok bool) {
	if len(h.entries) == 0 || id < h.entries[0].id {
		return m, false
	}
	if i := h.behind(id - 1); i < len(h.entries) && h.entries[i].id == id {
		return Message{id, h.topic, h.entries[i].data}, true
	}
	return m, false
}

// after returns up to limit messages with ids above since.
func (h *history) after(since uint64, limit int) []Message {
	i := h.behind(since)
	found := h.entries[i:min(len(h.entries), i+limit)]
	if len(found) == 0 {
		return nil
	}
	messages := make([]Message, len(found))
	for i, e := range found {
		messages[i] = Message{e.id, h.topic, e.data}
	}
	return messages
}

// histories is a list of topics.
type histories struct{ first, last *history }

// add puts h last.
func (l *histories) add(h *history) {
	h.prev = l.last
	if l.last == nil {
		l.first = h
	} else {
		l.last.next = h
	}
	l.last = h
}

func (l *histories) remove(h *history) {
	if h.prev == nil {
		l.first = h.next
	} else {
		h.prev.next = h.next
	}
	if h.next == nil {
		l.last = h.prev
	} else {
		h.next.prev = h.prev
	}
	h.prev, h.next = nil, nil
}
