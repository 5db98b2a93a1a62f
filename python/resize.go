package python

import (
	"errors"
	"slices"
)

// seat is a place where there is a worker.
type seat struct {
	slot  int
	leave chan struct{} // closed when the place is given up
}

// open has a worker kept in one more place. mu is held.
func (s *Supervisor) open(first chan<- error) *seat {
	slot := 0
	for slices.ContainsFunc(s.seats, func(p *seat) bool { return p.slot == slot }) {
		slot++
	}
	p := &seat{slot, make(chan struct{})}
	s.seats = append(s.seats, p)
	s.group.Add(1)
	go s.keep(p, first)
	return p
}

// Resize has so many workers more, or fewer where by is negative, but at least one. Those that are no longer wanted finish what they have begun.
// It returns how many there will be, and does not wait. With Options.Develop the number stays.
func (s *Supervisor) Resize(by int) int {
	s.mu.Lock()
	defer s.release()
	if s.closed || s.options.Develop {
		return max(len(s.seats), s.options.Workers)
	}
	for ; by > 0; by-- {
		first := make(chan error, 1)
		p := s.open(first)
		s.group.Go(func() { s.admit(p, first) })
	}
	for ; by < 0 && len(s.seats) > 1; by++ {
		last := len(s.seats) - 1
		close(s.seats[last].leave)
		s.seats = s.seats[:last]
	}
	return len(s.seats)
}

// admit gives a new place up when no worker can serve there.
func (s *Supervisor) admit(p *seat, first <-chan error) {
	err := <-first
	if err == nil || errors.Is(err, errUnwanted) {
		return
	}
	s.logStart(err, 0)
	s.mu.Lock()
	defer s.release()
	s.seats = slices.DeleteFunc(s.seats, func(other *seat) bool { return other == p })
}
