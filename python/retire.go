package python

import (
	"context"
	"time"
)

// retireTime is how long after Retire has begun requests may still come: those that had chosen this Supervisor before another one took its place.
const retireTime = time.Second

// Retire is Shutdown for a Supervisor in whose place requests go to another one: those that it has been given are answered first, those that wait for a
// worker too.
func (s *Supervisor) Retire(ctx context.Context) error {
	begun := time.Now()
	for tick := time.NewTicker(retireTime / 20); ; {
		select {
		case <-tick.C:
			if time.Since(begun) < retireTime || !s.isIdle() {
				continue
			}
		case <-s.stopping:
		case <-ctx.Done():
		}
		tick.Stop()
		return s.Shutdown(ctx)
	}
}

// isIdle tells whether there is no request.
func (s *Supervisor) isIdle() bool {
	s.mu.Lock()
	defer s.release()
	s.takeInbox()
	return s.queue.count == 0 && s.inFlight.Load() == 0
}
