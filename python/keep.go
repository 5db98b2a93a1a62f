package python

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// keep sees to it that there is a worker in a place, until that is given up or Shutdown begins. first is told how the first start went.
func (s *Supervisor) keep(p *seat, first chan<- error) {
	defer s.group.Done()
	slot := p.slot
	w, err := s.launch(slot, nil)
	first <- err
	if err != nil {
		return
	}
	for {
		joined := now()
		s.join(w, nil)
		select {
		case <-w.exited:
			s.log.Error("worker "+w.fate(), "pid", w.pid, "status", w.status)
			s.restarts.Add(1)
			var delay time.Duration
			if now()-joined < int64(bornTime) {
				delay = firstDelay
			}
			var ok bool
			if w, ok = persist(s, delay, func() (*worker, error) { return s.launch(slot, nil) }); !ok {
				return
			}
		case why := <-w.retire:
			w = s.relaunchBeside(slot, w, nil, why)
		case <-p.leave:
			s.log.Info("worker is no longer wanted", "pid", w.pid)
			s.dismiss(w)
			return
		case <-s.stopping:
			s.dismiss(w)
			return
		}
	}
}

// A worker that dies within bornTime is started again after firstDelay, and after twice that each time it cannot serve, up to
// lastDelay.
const (
	bornTime   = time.Second
	firstDelay = 100 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// persist starts a process, after delay, however often that takes. ok is false when weir stops.
func persist[T any](s *Supervisor, delay time.Duration, launch func() (T, error)) (started T, ok bool) {
	for {
		if delay > 0 {
			timer := time.NewTimer(delay)
			select {
			case <-timer.C:
			case <-s.stopping:
				timer.Stop()
				return started, false
			}
		}
		started, err := launch()
		switch {
		case err == nil:
			return started, true
		case errors.Is(err, errUnwanted):
			return started, false
		}
		delay = min(max(2*delay, firstDelay), lastDelay)
		s.logStart(err, delay)
	}
}

// relaunchBeside starts the worker that takes the place of old, which serves until then, and dismisses old. It is old when that goes on, since
// another does not start. One worker at a time is replaced so: there is memory and CPU for one more.
func (s *Supervisor) relaunchBeside(slot int, old *worker, e *edition, why string) *worker {
	select {
	case s.relaunching <- struct{}{}:
		defer func() { <-s.relaunching }()
	case <-old.exited:
		return old
	case <-e.over():
		return old
	case <-s.stopping:
		return old
	}
	next, err := s.launch(slot, e)
	if err != nil {
		if errors.Is(err, errUnwanted) {
			return old
		}
		s.logStart(err, lastDelay)
		time.AfterFunc(lastDelay, func() { old.replace(why) })
		return old
	}
	s.replaced.Add(1)
	s.log.Info("worker is replaced", "pid", old.pid, "by", next.pid, "because", why)
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		s.dismiss(old)
	}()
	return next
}

// logStart tells why a worker was not started, and after what time that is tried again; 0: it is not.
func (s *Supervisor) logStart(err error, delay time.Duration) {
	why := slog.Any("error", err)
	var start *StartError
	if errors.As(err, &start) {
		why = slog.String("traceback", start.Traceback)
	}
	if delay == 0 {
		s.log.Error("a new worker cannot serve, and is left out", why)
		return
	}
	s.log.Error("a new worker cannot serve", why, "again after", delay)
}

// StartError tells that a worker cannot serve.
type StartError struct {
	// Traceback is Python's, its last line what to do about it.
	Traceback string
}

func (e *StartError) Error() string { return e.Traceback }

// Split returns the traceback alone, empty where there is none, and what to do about it.
func (e *StartError) Split() (traceback, cure string) {
	text := strings.TrimRight(e.Traceback, "\n")
	i := strings.LastIndexByte(text, '\n') + 1
	return text[:i], text[i:]
}

// errUnwanted tells that nobody waits for a process any more: weir stops, or the edition is outdated; errOutdated that another is wanted, because
// Replace was called.
var (
	errUnwanted = errors.New("python: the process is not wanted any more")
	errOutdated = errors.New("python: the process may have imported what is old")
)

// launch starts a worker of an edition, and waits until it can serve. It starts another when Replace is called meanwhile: this one may have
// imported what is old, or be at an import that does not end.
func (s *Supervisor) launch(slot int, e *edition) (w *worker, err error) {
	for again := true; again; again = errors.Is(err, errTemplateEnded) || errors.Is(err, errOutdated) {
		w, err = s.launchOnce(slot, e)
	}
	return w, err
}

func (s *Supervisor) launchOnce(slot int, e *edition) (*worker, error) {
	s.mu.Lock()
	outdated := s.outdated
	s.mu.Unlock()
	w, err := s.start(slot)
	if err != nil {
		return nil, err
	}
	w.outdated = outdated
	if !s.options.Preload {
		defer s.watchImport(w.process)()
	}
	select {
	case err = <-w.ready:
	case <-outdated:
		err = errOutdated
	case <-e.over():
		err = errUnwanted
	case <-s.stopping:
		err = errUnwanted
	}
	if err != nil {
		w.kill()
		<-w.exited
		return nil, err
	}
	return w, nil
}

// Replace replaces all workers by new ones, which import the application anew. The old serve until the new can; when those cannot, the
// old go on, and it is tried again. With Options.Preload a new template does that first, and then forks the new workers. With Options.Develop it is Outdate and Renew.
func (s *Supervisor) Replace() {
	if s.options.Develop {
		s.Outdate()
		s.Renew()
		return
	}
	if s.options.Preload {
		s.templates.ask()
		return
	}
	s.replaceWorkers()
}

// renewal is why Replace replaces workers.
const renewal = "workers are to be new ones"

func (s *Supervisor) replaceWorkers() {
	s.mu.Lock()
	defer s.release()
	close(s.outdated)
	s.outdated = make(chan struct{})
	for _, w := range s.workers {
		w.replace(renewal)
	}
}

// join has w take requests, while the edition is its own.
func (s *Supervisor) join(w *worker, e *edition) {
	s.mu.Lock()
	defer s.release()
	if w.dead || e != s.edition || slices.Contains(s.workers, w) {
		return
	}
	s.workers = append(s.workers, w)
	select {
	case <-w.outdated:
		w.replace(renewal)
	default:
	}
	s.fill(w)
}

// remove has w take no more requests. mu is held.
func (s *Supervisor) remove(w *worker) {
	isIt := func(other *worker) bool { return other == w }
	s.workers = slices.DeleteFunc(s.workers, isIt)
	if w.dead {
		s.leaving = slices.DeleteFunc(s.leaving, isIt)
	}
}

// dismiss has w finish what it has begun, and end.
func (s *Supervisor) dismiss(w *worker) {
	s.mu.Lock()
	if !w.dead {
		s.remove(w)
		w.dismissed = true
		s.leaving = append(s.leaving, w)
		s.takeBack(w)
		s.spread()
		w.control(appendFrame(nil, frameStop, 0, 0, nil))
	}
	s.release()
	timer := time.NewTimer(s.options.GracefulTimeout)
	defer timer.Stop()
	select {
	case <-w.exited:
		return
	case <-timer.C:
		w.complain()
	case <-s.killing:
	}
	w.kill()
	<-w.exited
}

// complain tells what w has not finished in GracefulTimeout.
func (w *worker) complain() {
	s := w.supervisor
	s.mu.Lock()
	busy := w.requests.count > 0
	s.mu.Unlock()
	attributes := []any{"pid", w.pid, "graceful timeout", s.options.GracefulTimeout}
	if busy {
		s.log.Error("worker has not finished its requests in time and is killed", attributes...)
		return
	}
	s.log.Warn("worker has answered all and does not end: a thread of the application goes on that is no daemon, or an atexit function; it is killed", attributes...)
}
