package grip

// Holds is how many requests are held for a channel.
func (p *Proxy) Holds(channel string) int {
	s := p.shard(channel)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[channel]; c != nil {
		return c.holds
	}
	return 0
}

// Channels is how many channels are known.
func (p *Proxy) Channels() (n int) {
	for i := range p.shards {
		p.shards[i].mu.Lock()
		n += len(p.shards[i].channels)
		p.shards[i].mu.Unlock()
	}
	return n
}

// MaxPending is how many messages of a channel may wait for an earlier one.
const MaxPending = maxPending
