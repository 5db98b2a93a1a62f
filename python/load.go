package python

import (
	"math"
	"time"
)

// load is requests on their way into one packet. Requests in one packet cost the worker and the supervisor a system call and, often, a change of
// processes for all of them instead of one each; but the supervisor cannot take back what was read with another. So they come together
// only while no call takes long but those of slow paths (slow.go), and a worker whose call turns out to does gives them back (RETURNED).
type load struct {
	requests []*request
	size     int    // octets
	octets   []byte // storage
}

// slowCall is how long a call goes on, after the worker has found it to take long, when requests better come one by one for a while.
const slowCall = 5 * time.Millisecond

// loadSize is how many octets of requests come in one packet.
const loadSize = 32 << 10

// calmTime is how long, in nanoseconds, no call must have been a long one for requests to come together.
const calmTime = 2e9

// calm tells whether no call takes long but those that are expected to. Supervisor.mu is held.
func (s *Supervisor) calm() bool { return now()-s.longAt > calmTime }

// takes tells whether r may come with what is in l.
func (l *load) takes(r *request) bool {
	return r.content == nil && l.requests[0].content == nil && l.size+len(r.packet.octets) <= loadSize
}

// fill gives w what it has room for.
func (s *Supervisor) fill(w *worker) { s.fillUpTo(w, math.MaxInt) }

// fillUpTo is fill with most requests at most.
func (s *Supervisor) fillUpTo(w *worker, most int) {
	together := w.takesSeveral && s.capacity() == 1 && s.calm()
	l := &s.load
	for room := min(w.room(), most); room > 0; room-- {
		r := s.queue.front(w.lane)
		if r == nil || !w.fits(r) {
			break
		}
		if len(l.requests) > 0 && !(together && l.takes(r)) && !w.send() {
			return
		}
		s.queue.pop(r)
		w.add(r)
	}
	w.send()
}

// add puts r into the load for w.
func (w *worker) add(r *request) {
	t := now()
	if w.requests.count == 0 {
		w.since = t
	}
	w.supervisor.given++
	w.supervisor.waited += t - r.arrived
	number := w.requests.number()
	setNumber(r.packet.octets, number)
	w.alone = r.staysAlone()
	r.worker, r.number, r.phase, r.progress = w, number, sent, w.since
	w.requests.add(r)
	w.supervisor.watch(w.pace())
	l := &w.supervisor.load
	l.requests = append(l.requests, r)
	l.size += len(r.packet.octets)
	w.supervisor.inFlight.Add(1)
}

// send sends the load to w. It is false when w takes nothing more for now; the requests are in the queue again then.
func (w *worker) send() bool {
	s := w.supervisor
	l := &s.load
	if len(l.requests) == 0 {
		return true
	}
	for _, r := range l.requests {
		if shape := shapeOf(r.packet.octets); shape != 0 {
			w.tell(shape)
		}
	}
	packet := l.requests[0].packet.octets
	if len(l.requests) > 1 {
		l.octets = l.octets[:0]
		for _, r := range l.requests {
			l.octets = append(l.octets, r.packet.octets...)
		}
		packet = l.octets
	}
	full := len(w.outbox) > 0
	if !full {
		var err error
		full, err = sendPacket(w.fd, packet)
		full = full || err != nil // an error: the worker has just died, and is about to be taken out
	}
	if full {
		w.blocked = true
		s.watch(often)
		for i := len(l.requests) - 1; i >= 0; i-- {
			l.requests[i].leaves()
			s.requeue(l.requests[i])
		}
	}
	clear(l.requests)
	l.requests, l.size = l.requests[:0], 0
	return !full
}
