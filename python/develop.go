package python

import (
	"errors"
	"time"
)

// How workers are kept while the application is being developed (Options.Develop). From one change of its files to the next they are an edition. Its
// workers serve that one only: they get no request when a file has changed, and what comes then waits for those of the next edition.
// Where an edition does not start, its failure is what clients get.

// edition is what the files of the application are between two changes.
type edition struct {
	outdated chan struct{} // closed when a file has changed
	settled  chan struct{} // closed when the files may be read

	// Guarded by Supervisor.mu.
	told    bool     // Options.Started was called
	failure *failure // nil: none so far
}

func newEdition() *edition {
	return &edition{outdated: make(chan struct{}), settled: make(chan struct{})}
}

// over is closed when e is outdated. nil is an edition that never is.
func (e *edition) over() <-chan struct{} {
	if e == nil {
		return nil
	}
	return e.outdated
}

// isSettled tells whether Renew was called. mu is held.
func (e *edition) isSettled() bool {
	select {
	case <-e.settled:
		return true
	default:
		return false
	}
}

// Outdate tells that a file of the application has changed, with Options.Develop: the workers get no more requests, and finish those that they have
// begun. Requests wait for the ones that Renew has started.
func (s *Supervisor) Outdate() {
	s.mu.Lock()
	defer s.release()
	if e := s.edition; e.isSettled() {
		s.edition = newEdition()
		s.workers = nil // what keeps them dismisses them
		close(e.outdated)
	}
}

// Renew has workers started that import the application as its files are now, if Outdate was called.
func (s *Supervisor) Renew() {
	s.mu.Lock()
	defer s.release()
	if e := s.edition; !e.isSettled() {
		close(e.settled)
	}
}

// develop is keep for Options.Develop.
func (s *Supervisor) develop(slot int) {
	defer s.group.Done()
	for {
		s.mu.Lock()
		e := s.edition
		s.mu.Unlock()
		select {
		case <-e.settled:
		case <-s.stopping:
			return
		}
		if err := s.keepEdition(slot, e); err != nil {
			s.failed(e, err)
		}
		select {
		case <-e.outdated:
		case <-s.stopping:
			return
		}
	}
}

// keepEdition sees to it that there is a worker of e in a place, until e is outdated. The error is that none can serve.
func (s *Supervisor) keepEdition(slot int, e *edition) error {
	w, err := s.launch(slot, e)
	for err == nil {
		joined := now()
		s.join(w, e)
		s.started(e, nil)
		select {
		case <-w.exited:
			s.log.Error("worker "+w.fate(), "pid", w.pid, "status", w.status)
			s.restarts.Add(1)
			if now()-joined < int64(bornTime) {
				s.rest(firstDelay, e)
			}
			w, err = s.launch(slot, e)
		case why := <-w.retire:
			w = s.relaunchBeside(slot, w, e, why)
		case <-e.outdated:
			s.group.Go(func() { s.dismiss(w) })
			return nil
		case <-s.stopping:
			s.dismiss(w)
			return nil
		}
	}
	if errors.Is(err, errUnwanted) {
		return nil
	}
	return err
}

// rest waits for d, or until nobody wants workers of e.
func (s *Supervisor) rest(d time.Duration, e *edition) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.outdated:
	case <-s.stopping:
	}
}

// failed notes that e does not start: clients are told why, unless another worker serves it.
func (s *Supervisor) failed(e *edition, err error) {
	f := newFailure(err)
	s.mu.Lock()
	e.failure = f
	s.spread()
	s.release()
	s.started(e, err)
}

// started tells the developer whether e has started, once.
func (s *Supervisor) started(e *edition, err error) {
	s.mu.Lock()
	first := !e.told && s.edition == e
	e.told = true
	s.release()
	if first && s.options.Started != nil {
		s.options.Started(err)
	}
}

// refuseFailed answers what waits, when the edition does not start. mu is held.
func (s *Supervisor) refuseFailed() {
	if s.edition == nil || s.edition.failure == nil || len(s.workers) > 0 {
		return
	}
	for r := s.queue.front(anyLane); r != nil; r = s.queue.front(anyLane) {
		s.queue.pop(r)
		r.finish()
		r.fail(s.edition.failure.answer(r.html))
	}
}
