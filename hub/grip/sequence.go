package grip

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	idsKept     = 60 * time.Second // for how long a message with an id that was seen is dropped
	maxIDs      = 4096             // of these, in each shard
	maxPending  = 100              // messages of a channel that wait for an earlier one
	lingers     = 60 * time.Second // for how long the last id of a channel is known after its last response hold, or message of a shared hub
	maxLingers  = 4096             // channels in each shard, above which none is kept for its message alone
	shardsCount = 64
)

// message is an item, and what it was published as.
type message struct {
	*item
	data []byte
}

// shard is a part of the table of channels: those that requests are held for, and those whose last request has just been answered. Where the hub is
// shared there are those that have just had a message, too: a client may come from another node.
type shard struct {
	proxy *Proxy
	order sync.Mutex // is held from when a message is next until it is in the hub; locked before mu

	mu       sync.Mutex // guards what follows; nobody waits with it
	channels map[string]*state
	seen     map[string]uint64 // by channel and id, the id of the message in the hub; 0: it has not arrived
	ids      []seenID          // oldest first
}

type seenID struct {
	key string
	at  time.Time
}

// state is a channel.
type state struct {
	holds   int
	last    string // the id of its last message; "": not known
	pending map[string]*pending
	forget  *time.Timer // when it has no holds
}

// pending is a message that waits for the one that it names as its predecessor.
type pending struct {
	message
	timer *time.Timer
}

func (p *Proxy) shard(channel string) *shard {
	return &p.shards[maphash.String(p.seed, channel)%shardsCount]
}

// hold notes that a request is held for a channel.
func (s *shard) hold(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[channel]
	if c == nil {
		c = &state{}
		s.channels[channel] = c
	}
	if c.forget != nil {
		c.forget.Stop()
		c.forget = nil
	}
	c.holds++
}

// release is the opposite of hold.
func (s *shard) release(channel string, lingering time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[channel]
	if c.holds--; c.holds > 0 {
		return
	}
	if s.proxy.options.Shared {
		lingering = lingers
	}
	if lingering == 0 {
		s.drop(channel, c)
		return
	}
	s.linger(channel, c, lingering)
}

// linger has a channel without holds forgotten after a while. s.mu is held.
func (s *shard) linger(channel string, c *state, lingering time.Duration) {
	c.forget = time.AfterFunc(lingering, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.channels[channel] == c && c.holds == 0 {
			s.drop(channel, c)
		}
	})
}

// drop forgets a channel, and what waits in it: there is nobody who wants it. s.mu is held.
func (s *shard) drop(channel string, c *state) {
	for _, p := range c.pending {
		p.timer.Stop()
	}
	delete(s.channels, channel)
}

// conflict tells whether a client with the id prev has missed something. The last id is forgotten then, so that asking the application once is
// enough, whatever that answers.
func (s *shard) conflict(channel, prev string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[channel]
	if c == nil || c.last == "" || c.last == prev {
		return false
	}
	c.last = ""
	return true
}

// forgetLast forgets the last id of a channel.
func (s *shard) forgetLast(channel string) { s.conflict(channel, "") }

// publish publishes a message in its turn. One that was seen is dropped, and one that comes too early waits.
func (s *shard) publish(m message) error {
	s.order.Lock()
	defer s.order.Unlock()
	return s.send(s.add(m, time.Now()))
}

// send has the hub publish messages of a channel. Behind one that it does not take the others wait for that to be published again. s.order is held.
func (s *shard) send(ready []message) error {
	for i, m := range ready {
		if _, _, err := s.proxy.hub.Publish(topic(m.channel), m.data); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.seen[idKey(m.item)] == 0 { // else it was stored all the same
				delete(s.seen, idKey(m.item))
			}
			if c := s.channels[m.channel]; c != nil {
				c.last = "" // clients that miss it ask the application
				for _, later := range ready[i+1:] {
					s.wait(c, later)
				}
			}
			return err
		}
	}
	return nil
}

func idKey(it *item) string { return it.channel + "\x00" + it.id }

// add returns what is to be published because of m.
func (s *shard) add(m message, now time.Time) (ready []message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.id != "" && !s.note(idKey(m.item), now) {
		return nil
	}
	c := s.channels[m.channel]
	switch {
	case c == nil || m.noSeq: // nobody listens: the next to listen begins with what it is told
		return []message{m}
	case c.last == "" || m.prev == "" || m.prev == c.last:
		return c.follow(m)
	case c.pending[m.prev] != nil || len(c.pending) >= maxPending:
		return nil
	}
	s.wait(c, m)
	return nil
}

// wait has a message wait for its predecessor. s.mu is held.
func (s *shard) wait(c *state, m message) {
	if c.pending == nil {
		c.pending = make(map[string]*pending)
	}
	w := &pending{message: m}
	c.pending[m.prev] = w
	w.timer = time.AfterFunc(s.proxy.options.MessageWait, func() { s.expire(c, w) })
}

// note notes the id of a message. It is false when that was seen. s.mu is held.
func (s *shard) note(key string, now time.Time) bool {
	for len(s.ids) > 0 && (len(s.ids) >= maxIDs || now.Sub(s.ids[0].at) > idsKept) {
		delete(s.seen, s.ids[0].key)
		s.ids[0] = seenID{}
		s.ids = s.ids[1:]
	}
	if _, seen := s.seen[key]; seen {
		return false
	}
	s.seen[key] = 0
	s.ids = append(s.ids, seenID{key, now})
	return true
}

// again tells whether a message of the hub has the id of an earlier one.
func (s *shard) again(it *item, id uint64) bool {
	if it.id == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.seen[idKey(it)]
	return first != 0 && first != id
}

// arrived takes note of a message of a shared hub, which has the id there.
func (s *shard) arrived(it *item, id uint64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it.id != "" {
		key := idKey(it)
		s.note(key, now)
		if s.seen[key] != 0 {
			return // nobody gets it
		}
		s.seen[key] = id
	}
	c := s.channels[it.channel]
	switch {
	case it.noSeq:
		return
	case c != nil:
		if c.holds == 0 && c.forget != nil {
			c.forget.Reset(lingers)
		}
	case it.id == "" || len(s.channels) >= maxLingers:
		return
	default:
		c = &state{}
		s.channels[it.channel] = c
		s.linger(it.channel, c, lingers)
	}
	c.last = it.id
	if w := c.pending[it.id]; w != nil && it.id != "" {
		w.timer.Stop()
		go s.expire(c, w)
	}
}

// follow is m, and those that have waited for it.
func (c *state) follow(m message) (ready []message) {
	for {
		ready = append(ready, m)
		c.last = m.id
		w := c.pending[m.id]
		if m.id == "" || w == nil {
			return ready
		}
		delete(c.pending, m.id)
		w.timer.Stop()
		m = w.message
	}
}

// expire publishes a message that has waited for too long, or whose predecessor has come from another node.
func (s *shard) expire(c *state, w *pending) {
	s.order.Lock()
	defer s.order.Unlock()
	s.mu.Lock()
	if s.channels[w.channel] != c || c.pending[w.prev] != w {
		s.mu.Unlock()
		return
	}
	delete(c.pending, w.prev)
	ready := c.follow(w.message)
	s.mu.Unlock()
	if err := s.send(ready); err != nil {
		s.proxy.log.Error("a message of GRIP is lost", "channel", w.channel, "error", err)
	}
}
