package accesslog

import (
	"sync"
	"time"
)

// Scribe takes the entries of one loop. Only that loop calls Append; the mutex is for the writer, who collects what
// there is and holds it for a few instructions.
type Scribe struct {
	log *Log

	mu   sync.Mutex
	page *page // guarded by mu; nil when there are no lines

	date      []byte // as of the last line; the loop's
	dateUntil int64  // in the loop's time
}

// page is a buffer of whole lines.
type page struct{ lines []byte }

const (
	// pageSize is when a page is handed to the writer.
	pageSize = 64 << 10
	// maxPage keeps the rare page with a huge line from being used again.
	maxPage = 2 * pageSize
)

var pages = sync.Pool{New: func() any { return &page{lines: make([]byte, 0, pageSize+4<<10)} }}

func (p *page) free() {
	if cap(p.lines) <= maxPage {
		p.lines = p.lines[:0]
		pages.Put(p)
	}
}

// Append adds the line of e. now is the loop's time in nanoseconds, whatever its origin.
func (s *Scribe) Append(now int64, e *Entry) {
	if now >= s.dateUntil {
		wall := time.Now()
		s.date = wall.AppendFormat(s.date[:0], dateLayout)
		s.dateUntil = now + int64(time.Second) - int64(wall.Nanosecond())
	}
	s.mu.Lock()
	if s.page != nil && len(s.page.lines) >= pageSize && !s.handOver() {
		s.mu.Unlock()
		s.log.drop()
		return
	}
	first := s.page == nil
	if first {
		s.page = pages.Get().(*page)
	}
	s.page.lines = appendEntry(s.page.lines, s.log.format, s.date, e)
	if len(s.page.lines) >= pageSize && s.handOver() {
		first = false
	}
	s.mu.Unlock()
	if first {
		s.log.wake()
	}
}

// handOver queues the page. It is false when the queue is full. s.mu is held.
func (s *Scribe) handOver() bool {
	select {
	case s.log.queue <- s.page:
		s.page = nil
		return true
	default:
		return false
	}
}

// take returns the page that is not full yet; nil when there is none.
func (s *Scribe) take() *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.page
	s.page = nil
	return p
}
