package accesslog

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Scribe takes the entries of one loop, which is the only one to call it.
type Scribe struct {
	log   *Log
	form  *form
	every int // one of so many requests has a line
	page  *page
	stamp stamp

	// For the writer, who looks at what there is without taking it away.
	current atomic.Pointer[page] // page, unless it is being handed over
	poked   atomic.Bool          // the writer knows that there are lines
}

// page is a buffer of whole lines. The loop adds lines behind those that are there, and the writer reads what was announced: neither waits
// for the other.
type page struct {
	room    []byte
	lines   atomic.Int64 // so many octets of room are lines
	written int          // so many of them are written; the writer's
}

const (
	// pageSize is when a page is handed to the writer.
	pageSize = 64 << 10
	// pageRoom leaves space for the line that makes a page full.
	pageRoom = pageSize + 4<<10
)

var pages = sync.Pool{New: func() any { return &page{room: make([]byte, pageRoom)} }}

func (p *page) free() {
	if len(p.room) == pageRoom { // else it was made for one long line
		p.written = 0
		p.lines.Store(0)
		pages.Put(p)
	}
}

// Wants is what Append wants to be told.
func (s *Scribe) Wants() *Wants { return &s.form.wants }

// Picks tells whether a request with this status is to have a line: where lines are sampled, one of several, and all that have failed. To
// one that is not picked, nothing is appended.
func (s *Scribe) Picks(status int) bool {
	return s.every == 1 || failed(status) || rand.IntN(s.every) == 0
}

// failed tells whether the status is that of a failure here; without one the request got no answer.
func failed(status int) bool { return status >= 500 || status == 0 }

// Append adds the line of e. clock is the loop's time in nanoseconds, whatever its origin; it may be coarse. now is the time as Now tells it,
// which is read only if lines have durations, else it is 0.
func (s *Scribe) Append(clock int64, e *Entry) (now int64) {
	if s.form.wants.Time {
		now = Now()
	}
	s.stamp.renew(clock)
	p := s.page
	if p != nil && p.lines.Load() >= pageSize && !s.handOver() {
		s.log.drop()
		return now
	}
	p = s.sheet()
	weight := s.every
	if weight > 1 && failed(e.Status) {
		weight = 1
	}
	begin := int(p.lines.Load())
	text := s.form.append(p.room[:begin], &s.stamp, e, now, weight)
	switch {
	case len(text) <= len(p.room):
	case begin > 0 && !s.handOver():
		s.log.drop()
		return now
	default: // it did not fit, and stands elsewhere: that becomes a page of its own
		p = &page{room: text[begin:]}
		text = p.room
		s.page = p
		s.current.Store(p)
	}
	p.lines.Store(int64(len(text)))
	if len(text) >= pageSize && s.handOver() {
		return now
	}
	if !s.poked.Load() {
		s.poked.Store(true)
		s.log.wake()
	}
	return now
}

// sheet is the page that is not full.
func (s *Scribe) sheet() *page {
	if s.page == nil {
		s.page = pages.Get().(*page)
		s.current.Store(s.page)
	}
	return s.page
}

// handOver queues the page. It is false when the queue is full.
func (s *Scribe) handOver() bool {
	s.current.Store(nil) // first: the writer may be done with the page before this goes on
	select {
	case s.log.queue <- s.page:
		s.page = nil
		return true
	default:
		s.current.Store(s.page)
		return false
	}
}
