package server

import (
	"context"
	"time"
)

// LoopLags asks each loop to answer, and tells how long that took it; negative: it did not until ctx ended. There are none before Serve and after the
// loops have ended.
func (s *Server) LoopLags(ctx context.Context) []time.Duration {
	s.mu.Lock()
	reactor := s.reactor
	s.mu.Unlock()
	if reactor == nil {
		return nil
	}
	type answer struct {
		loop int
		lag  time.Duration
	}
	loops := reactor.Loops()
	lags := make([]time.Duration, len(loops))
	answers := make(chan answer, len(loops)) // a loop never waits for who asked
	start := time.Now()
	for i, l := range loops {
		lags[i] = -1
		l.Post(func(any) { answers <- answer{i, time.Since(start)} }, nil)
	}
	for range loops {
		select {
		case a := <-answers:
			lags[a.loop] = a.lag
		case <-ctx.Done():
			return lags
		case <-s.stopped:
			return nil
		}
	}
	return lags
}
