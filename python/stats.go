package python

import "time"

// Stats is what a Supervisor does.
type Stats struct {
	// Workers are those that take requests.
	Workers []WorkerStats
	// Leaving is the number of workers that finish what they have begun, Waiting that of requests in the queue.
	Leaving, Waiting int
	// Died is how many workers have died, TakenBack how many requests were taken from a worker that was busy with another.
	Died, TakenBack uint64
	// Replaced is how many workers another one was started for, because they had taken enough requests or memory, or were to be.
	Replaced uint64
	// Given is how many requests were given to workers, Waited for how long they had waited for that, all together. One that was taken back counts
	// again.
	Given  uint64
	Waited time.Duration
	// Template is the process that forks workers, 0 when there is none.
	Template int
}

// WorkerStats is what one worker does.
type WorkerStats struct {
	Place    int // which of Options.Workers it is, from 0
	PID      int
	InFlight int   // requests that it has
	Window   int   // that it may have at once
	Requests int   // that it has answered
	RSS      int64 // octets; 0: not known yet
	// Import is how long the import of the application took, that of the template with Options.Preload.
	Import time.Duration
}

// Stats returns what the supervisor does at the moment.
func (s *Supervisor) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Leaving: len(s.leaving), Waiting: s.queue.count, Died: uint64(s.restarts.Load()), TakenBack: s.takenBack,
		Replaced: uint64(s.replaced.Load()), Given: s.given, Waited: time.Duration(s.waited)}
	if t, _ := s.templates.get(); t != nil {
		stats.Template = t.pid
	}
	for _, w := range s.workers {
		stats.Workers = append(stats.Workers, WorkerStats{
			Place: w.slot, PID: w.pid, InFlight: w.requests.count, Window: max(s.capacity(), w.window()), Requests: w.answered, RSS: w.rss.Load(), Import: w.imported,
		})
	}
	return stats
}
