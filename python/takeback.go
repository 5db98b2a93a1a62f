package python

import (
	"bytes"
	"time"
)

// takeBack takes from w what it has not read. Requests go back to the front of the queue; what is for requests that were
// begun is sent again, in order. What is left are requests that w has read. Supervisor.mu is held.
func (s *Supervisor) takeBack(w *worker) {
	var back []*request
	var control [][]byte
	for {
		n := takePacket(w.peer, s.scratch)
		if n == 0 {
			break
		}
		f, rest, err := nextFrame(s.scratch[:n])
		if err == nil && f.kind != frameRequest {
			control = append(control, bytes.Clone(s.scratch[:n]))
			continue
		}
		for ; err == nil; f, rest, err = nextFrame(rest) {
			if r := w.requests.get(f.number); r != nil {
				r.leaves()
				back = append(back, r)
			}
		}
	}
	w.blocked = false
	s.takenBack += uint64(len(back))
	for i := len(back) - 1; i >= 0; i-- {
		s.requeue(back[i])
	}
	if !w.dead {
		later := w.outbox
		w.outbox = nil
		for _, p := range control {
			f, _, _ := nextFrame(p)
			if f.kind != frameGone || w.requests.get(f.number) != nil { // else it was about one that was taken back
				w.control(p)
			}
		}
		for _, p := range later {
			w.control(p)
		}
		if len(w.outbox) == 0 {
			w.blocked = false
		}
	}
	t := now()
	if len(back) > 0 && w.requests.count == 0 && !w.dead {
		w.sleeps(t)
	}
	for r := range w.requests.all() {
		if r.phase == sent && w.marks.begun(r.number) {
			r.begins()
			r.progress = t
		}
	}
}

// requeue puts a request that a worker has not begun, or is to be called again, in front of those that wait.
func (s *Supervisor) requeue(r *request) {
	r.worker, r.phase, r.noticed = nil, queued, 0
	if r.gone { // the worker does not know its number
		r.finish()
		return
	}
	s.queue.pushFront(r)
}

// A worker that has read nothing for a while is busy with something else, or stopped. It is tried again after firstPause, and after twice
// that each time, up to lastPause.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// sleeps notes at time t that w does not read.
func (w *worker) sleeps(t int64) {
	if w.asleep == 0 {
		w.asleep, w.pause = t, int64(firstPause)
	}
	w.tryAt = t + w.pause
	w.pause = min(2*w.pause, int64(lastPause))
}

// wakes notes that w has sent something.
func (w *worker) wakes() { w.asleep, w.tryAt = 0, 0 }
