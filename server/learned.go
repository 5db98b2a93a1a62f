package server

import "github.com/weirhttp/weir/server/exchange"

// LearnedPath is what is known of a path whose calls have blocked (docs/handover.md).
type LearnedPath struct {
	// Path is percent-encoded, as it was received.
	Path string
	// Blocked is how many of the path's last 64 calls have lost their loop, or would have.
	Blocked int
	// Goroutine tells that further calls run on goroutines from the start.
	Goroutine bool
}

// LearnedPaths lists the paths that have blocked, in no order; at most 1,024.
func (s *Server) LearnedPaths() (list []LearnedPath) {
	s.mu.Lock()
	config := s.exchange
	s.mu.Unlock()
	if config == nil {
		return nil
	}
	config.Paths.All(func(p *exchange.Path) bool {
		list = append(list, LearnedPath{p.Path, p.Blocked(), p.Blocks()})
		return true
	})
	return list
}

// Takeovers is how many calls of the application have lost their loop so far.
func (s *Server) Takeovers() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reactor == nil {
		return 0
	}
	return s.reactor.Takeovers()
}
