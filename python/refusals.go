package python

import (
	"sync/atomic"
	"time"
)

// refusals counts requests that were answered with 503 because the workers are behind. The log tells of many in one line.
type refusals struct {
	full, late atomic.Int64 // since the log has told
	telling    atomic.Bool  // tellRefusals will be called
}

// The log tells of refused requests tellAfter the first of them, and then every tellEvery, while there are more.
const (
	tellAfter = time.Second
	tellEvery = 10 * time.Second
)

// refused counts one. count is of s.refusals.
func (s *Supervisor) refused(count *atomic.Int64) {
	count.Add(1)
	if !s.refusals.telling.Load() && s.refusals.telling.CompareAndSwap(false, true) {
		time.AfterFunc(tellAfter, s.tellRefusals)
	}
}

func (s *Supervisor) tellRefusals() {
	if s.logRefusals() {
		time.AfterFunc(tellEvery, s.tellRefusals)
		return
	}
	r := &s.refusals
	r.telling.Store(false)
	if r.full.Load()+r.late.Load() > 0 && r.telling.CompareAndSwap(false, true) { // counted meanwhile
		time.AfterFunc(tellAfter, s.tellRefusals)
	}
}

// logRefusals is false when there is nothing to tell.
func (s *Supervisor) logRefusals() bool {
	full, late := s.refusals.full.Swap(0), s.refusals.late.Swap(0)
	if full > 0 {
		s.log.Warn("requests were answered 503, because as many as --queue allows were waiting for a worker", "requests", full, "queue", s.options.Queue)
	}
	if late > 0 {
		s.log.Warn("requests were answered 503, because they have waited for a worker for --queue-timeout", "requests", late, "timeout", s.options.QueueTime)
	}
	return full+late > 0
}
