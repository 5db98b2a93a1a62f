package python

import (
	"sync"
	"sync/atomic"
	"time"
)

// How requests come to workers. All of this is guarded by Supervisor.mu.
//
// A request that comes while nothing goes on is sent at once. Others wait in the queue: until the loop has seen to all its clients that were
// ready, when they are shared out among the workers that are idle, or until the replies of a worker come, which takes as many
// as its window then. Either way a worker is woken once for all of them. The window is as many requests as take it half a millisecond, or two while no call takes
// long; a worker may have two windows, one to work at while the replies to the other leave and the next comes, or it would have nothing to do in between. Workers
// that make several calls at a time get a request at once while they have room for another call.
// While no call takes long, requests go to a worker several in a packet (load.go).
// Requests that a worker has not read when it turns out to be busy with one are taken back (takeback.go).
// Those whose path is known for calls that take long have a worker for themselves (slow.go).

const (
	// batchTime is what a worker may be given to do at once. While no call takes long, nothing that is given to it has to wait for one, and
	// it may be more: what a wake costs is shared by more requests.
	batchTime     = 500 * time.Microsecond
	calmBatchTime = 2 * time.Millisecond
	maxWindow     = 16
	// longCall is how long a call may take before requests behind it are given to others.
	longCall = time.Millisecond
)

var epoch = time.Now()

// now is the time, in nanoseconds since the start of the process.
func now() int64 { return int64(time.Since(epoch)) }

// capacity is how many calls a worker makes at a time.
func (s *Supervisor) capacity() int {
	switch s.options.Class {
	case Threads:
		return s.options.Threads
	case Gevent:
		return s.options.Connections
	}
	return 1
}

// window is how many requests the worker may be given at once.
func (w *worker) window() int {
	most := int64(batchTime)
	if w.average < most && w.supervisor.calm() {
		most = int64(calmBatchTime)
	}
	return int(min(max(most/max(w.average, 1), 1), maxWindow))
}

// room is how many requests more the worker may be given.
func (w *worker) room() int {
	capacity := w.supervisor.capacity()
	switch {
	case w.blocked || w.begun >= capacity || w.alone || w.dismissed:
		return 0
	case w.asleep > 0:
		if w.requests.count > 0 || now() < w.tryAt {
			return 0
		}
		return 1
	}
	most := w.window()
	if most > 1 { // a slow call is not to have anything behind it
		most *= 2
	}
	return max(capacity, most) - w.requests.count
}

// submit has a worker see to r. It waits for nobody: it is called on loops.
func (s *Supervisor) submit(r *request) {
	r.arrived = now()
	r.lane = s.homes.meet(r.deferred.Executor())
	s.inbox.mu.Lock()
	s.inbox.requests = append(s.inbox.requests, r)
	s.inbox.filled.Store(true)
	s.inbox.mu.Unlock()
	s.watch(slowly)
	switch {
	case s.inFlight.Load() == 0 || s.capacity() > 1:
		s.share()
	case !s.free.Load(): // the one who ends a request shares
	case s.posted.CompareAndSwap(false, true):
		r.deferred.Post(s.sharePosted)
	}
}

// inbox has the requests that were submitted, until somebody who has Supervisor.mu puts them into the queue.
type inbox struct {
	mu       sync.Mutex // never held for long
	requests []*request
	spare    []*request // its storage is used again
	filled   atomic.Bool
}

// takeInbox puts what was submitted into the queue. mu is held.
func (s *Supervisor) takeInbox() {
	if !s.inbox.filled.Load() {
		return
	}
	s.inbox.mu.Lock()
	requests := s.inbox.requests
	s.inbox.requests = s.inbox.spare[:0]
	s.inbox.filled.Store(false)
	s.inbox.mu.Unlock()
	for i, r := range requests {
		requests[i] = nil
		switch {
		case r.gone:
			r.finish()
		case s.closed:
			r.finish()
			r.fail(unavailableAnswer)
		default:
			s.queue.push(r)
		}
	}
	s.inbox.spare = requests // of the one who has mu
}

// sharePosted is share when the loop has seen to all its clients that were ready: what they want wakes a worker once.
func (s *Supervisor) sharePosted() {
	s.posted.Store(false)
	s.share()
}

// share gives what waits to workers that are idle. When somebody else has mu, it is left to them.
func (s *Supervisor) share() {
	if s.mu.TryLock() {
		s.release()
	}
}

// release unlocks mu, after it was seen to what came meanwhile.
func (s *Supervisor) release() {
	for {
		if s.inbox.filled.Load() {
			s.takeInbox()
			s.spread()
		}
		s.bound()
		free := false
		for _, w := range s.workers {
			free = free || w.requests.count == 0
		}
		if free != s.free.Load() {
			s.free.Store(free) // before the last look at the inbox
		}
		s.mu.Unlock()
		if !s.inbox.filled.Load() || !s.mu.TryLock() {
			return
		}
	}
}

// bound refuses the newest of the requests that still wait when workers have got what they take, as far as they are too many.
func (s *Supervisor) bound() {
	for s.queue.count > s.options.Queue {
		r := s.queue.popNewest()
		r.finish()
		s.refused(&s.refusals.full)
		r.fail(unavailableAnswer)
	}
	if n := int64(s.queue.count); n != s.waiting.Load() {
		s.waiting.Store(n)
	}
}

// idle returns the worker that can call an application for r at once, the least busy one; nil: there is none.
func (s *Supervisor) idle(r *request) (best *worker) {
	capacity := s.capacity()
	n := len(s.workers)
	for i := range n {
		w := s.workers[(s.next+i)%n]
		if !w.fits(r) || w.requests.count >= capacity || w.blocked || w.begun >= capacity || w.asleep > 0 && now() < w.tryAt {
			continue
		}
		if best == nil || w.requests.count < best.requests.count || w.requests.count == best.requests.count && w.lane == r.lane && best.lane != r.lane {
			best = w
		}
	}
	s.next++
	return best
}

// fits tells whether r may be put beside what the worker has.
func (w *worker) fits(r *request) bool { return !w.alone && (w.requests.count == 0 || !r.staysAlone()) }

// staysAlone tells whether a worker that makes one call at a time is to have nothing beside r: one that reads content while it is called must not find
// requests in front of the content, and nothing should be behind a call that takes long.
func (r *request) staysAlone() bool {
	return r.supervisor.capacity() == 1 && (r.content != nil || r.slow.isSlow())
}

// spread gives what waits to workers that are idle.
func (s *Supervisor) spread() {
	s.refuseFailed()
	if s.capacity() == 1 {
		s.spreadEvenly()
		return
	}
	for {
		r := s.queue.front(anyLane)
		if r == nil {
			return
		}
		w := s.idle(r)
		if w == nil {
			return
		}
		s.queue.pop(r)
		if w.add(r); !w.send() {
			return
		}
	}
}

// spreadEvenly is spread among workers that make one call at a time: each that is idle gets its part, as far as its window goes.
func (s *Supervisor) spreadEvenly() {
	isIdle := func(w *worker) bool { return w.requests.count == 0 && w.room() > 0 }
	idle := 0
	for _, w := range s.workers {
		if isIdle(w) {
			idle++
		}
	}
	for i := range s.workers {
		if s.queue.count == 0 || idle == 0 {
			return
		}
		if w := s.workers[(s.next+i)%len(s.workers)]; isIdle(w) {
			s.fillUpTo(w, (s.queue.count+idle-1)/idle)
			idle--
		}
	}
}

// tell tells w of a shape, the first time.
func (w *worker) tell(number uint16) {
	place, bit := &w.shapes[number/64], uint64(1)<<(number%64)
	if *place&bit == 0 {
		*place |= bit
		w.control(w.supervisor.shapes.numbered(number).frame)
	}
}

// control sends a packet that is not a request. It stays in order, and waits for room where there is none.
func (w *worker) control(p []byte) {
	if w.dead {
		return
	}
	if len(w.outbox) == 0 {
		if full, _ := sendPacket(w.fd, p); !full {
			return
		}
	}
	w.outbox = append(w.outbox, p)
	w.supervisor.watch(often)
}

// flush sends what has waited for room.
func (w *worker) flush() {
	for len(w.outbox) > 0 {
		if full, _ := sendPacket(w.fd, w.outbox[0]); full {
			return
		}
		w.outbox[0] = nil
		w.outbox = w.outbox[1:]
	}
	w.outbox = nil
	w.blocked = false
}

// begins notes that the application is being called for r.
func (r *request) begins() {
	if r.phase == sent {
		r.phase = begun
		r.worker.begun++
	}
}

// leaves takes r, which has ended or was taken back, off its worker.
func (r *request) leaves() {
	w := r.worker
	w.requests.remove(r)
	w.supervisor.inFlight.Add(-1)
	if r.phase == begun {
		w.begun--
	}
	w.alone = false // or it would have had r alone
}

// measure notes that n requests have ended by now.
func (w *worker) measure(n int) {
	t := now()
	// A call that took long was alone when that was noticed, and says nothing about those that are quick.
	each := min((t-w.since)/int64(n), int64(longCall))
	w.since = t
	weight := int64(min(n, 4))
	w.average += (each - w.average) * weight / 16
	w.answered += n
}
