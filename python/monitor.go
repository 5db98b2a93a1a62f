package python

import (
	"log/slog"
	"time"
)

// pace is how often the monitor looks. Workers tell by themselves when a call takes long; what they cannot tell, in a call that keeps
// Python's lock, is seen here. It matters at once to requests that a worker has behind a call.
type pace int32

const (
	resting pace = iota
	slowly       // while there is work
	often        // while requests are behind others, or wait
)

func (p pace) every() time.Duration {
	if p == often {
		return lookEvery
	}
	return 5 * lookEvery
}

const lookEvery = 2 * time.Millisecond

// watch has the monitor look at that pace at least.
func (s *Supervisor) watch(p pace) {
	for was := s.pace.Load(); was < int32(p); was = s.pace.Load() {
		if s.pace.CompareAndSwap(was, int32(p)) {
			select {
			case s.working <- struct{}{}:
			default:
			}
			return
		}
	}
}

// monitor looks after what does not tell by itself, as long as there is work.
func (s *Supervisor) monitor() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.working:
		case <-timer.C:
			for _, r := range s.look() {
				s.refused(&s.refusals.late)
				r.fail(unavailableAnswer)
			}
		case <-s.ended:
			return
		}
		if p := pace(s.pace.Load()); p != resting {
			timer.Reset(p.every())
		}
	}
}

// look looks once, and sets the pace. late are requests that have waited for too long.
func (s *Supervisor) look() (late []*request) {
	s.mu.Lock()
	defer s.release()
	s.takeInbox()
	t := now()
	for r := s.queue.front(anyLane); r != nil && t-r.arrived > int64(s.options.QueueTime); r = s.queue.front(anyLane) {
		s.queue.pop(r)
		r.gone = true
		r.finish()
		late = append(late, r)
	}
	next := resting
	if s.queue.count > 0 {
		next = often
	}
	for _, list := range [2][]*worker{s.workers, s.leaving} {
		for _, w := range list {
			if len(w.outbox) > 0 || w.blocked {
				w.flush()
				next = often
			}
			if w.asleep > 0 {
				next = often
				if t-w.asleep > int64(s.options.Timeout) {
					w.asleep = t // said once
					go w.endSleeping()
				}
			}
			if w.requests.count > 0 {
				w.lookForLong(t)
				next = max(next, w.pace())
			}
		}
	}
	s.pace.Store(int32(next)) // from here on who begins something may raise it
	s.spread()
	if s.inbox.filled.Load() {
		s.watch(slowly)
	}
	return late
}

// pace is what the worker's requests need.
func (w *worker) pace() pace {
	if w.requests.count-w.begun > 1 {
		return often
	}
	return slowly
}

// lookForLong takes back what a call has in front of it for long, and sees to calls without end.
func (w *worker) lookForLong(t int64) {
	s := w.supervisor
	unknown := w.requests.count - w.begun
	quiet := t - w.since
	if quiet > int64(stillTime) && !w.alone && w.calls() {
		s.longAt = t
	}
	switch {
	case unknown == 0:
	case unknown > 1 && quiet > int64(lookEvery) && w.calls(), quiet > int64(sleepTime):
		s.takeBack(w)
		if w.requests.count > 0 && w.asleep == 0 && !w.calls() { // it has read them, and stands
			w.sleeps(t)
		}
	}
	if w.asleep > 0 && w.calls() {
		w.wakes()
	}
	var stuck []stuckRequest
	for r := range w.requests.all() {
		behind := r.owed >= minCredit || r.content.isAwaited() // it is the client that takes its time
		if r.phase == begun && !r.stuck && !behind && t-r.progress > int64(s.options.Timeout) {
			r.stuck = true
			stuck = append(stuck, stuckRequest{r, r.gone, r.about(w)})
		}
	}
	if len(stuck) > 0 {
		go w.endStuck(stuck)
	}
}

// sleepTime is how long a worker may take to read a request. Less can be the system's doing, which has others to run.
const sleepTime = 50 * time.Millisecond

// stillTime is for how long a worker that calls the application may send nothing, when requests better come one by one for a while. It
// cannot tell by itself when the call keeps Python's lock. Less can be the system's doing.
const stillTime = 20 * time.Millisecond

// calls tells whether w is calling the application, as far as it is known.
func (w *worker) calls() bool {
	for r := range w.requests.all() {
		if w.marks.begun(r.number) {
			return true
		}
	}
	return false
}

// endSleeping ends a worker that does not react.
func (w *worker) endSleeping() {
	w.supervisor.log.Error("worker takes no requests and is killed; the stacks of its threads may follow", "pid", w.pid, "timeout", w.supervisor.options.Timeout)
	w.killWithStack()
}

// stuckRequest is a request that a worker is stuck in.
type stuckRequest struct {
	request *request
	gone    bool // its client has left
	about   slog.Attr
}

// endStuck answers requests that a worker is stuck in, and ends it. One that makes other calls too is replaced,
// and may finish those.
func (w *worker) endStuck(stuck []stuckRequest) {
	s := w.supervisor
	for _, one := range stuck {
		outcome := "whose client has left"
		if !one.gone {
			outcome = one.request.fail(timeoutAnswer)
			one.request.abandon()
		}
		s.log.Error("worker is stuck in a request, "+outcome+"; the stacks of its threads follow, and it is replaced",
			"pid", w.pid, "timeout", s.options.Timeout, one.about)
	}
	if s.capacity() > 1 {
		_ = w.process.Signal(signalStack)
		w.replace("it is stuck in a request")
		return
	}
	w.killWithStack()
}

// killWithStack ends the process after it had time to write down where it is.
func (w *worker) killWithStack() {
	_ = w.process.Signal(signalStack)
	timer := time.NewTimer(stackTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		w.kill()
	case <-w.exited:
	}
}

// stackTime is how long a worker gets to write its stacks down.
const stackTime = 200 * time.Millisecond
