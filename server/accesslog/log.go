package accesslog

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueLength bounds how many pages wait for the writer, all loops together: 16 MiB, which is what a disk may be behind.
	queueLength = 256
	// flushAfter is how long a line waits for its page to become full.
	flushAfter = 100 * time.Millisecond
	// reportAfter is how long the first drops are counted before the count is logged, reportEvery how long more of them are.
	reportAfter = time.Second
	reportEvery = 10 * time.Second
	// failEvery is how often the log tells that it still cannot be written.
	failEvery = time.Minute
	// calm is how long writing has to go well before another failure is worth a message of its own: a disk that is
	// nearly full takes some writes and refuses others.
	calm = 10 * time.Second
	// closeTimeout bounds how long Close waits for a writer that takes nothing.
	closeTimeout = 2 * time.Second
)

// Log is an access log. Its methods are safe for use by any goroutine.
type Log struct {
	w      io.Writer
	form   *form
	every  int
	logger *slog.Logger

	queue chan *page
	poke  chan struct{} // a scribe has begun a page
	stop  chan struct{}
	done  chan struct{} // closed when the last line is written
	once  sync.Once     // of Close

	mu      sync.Mutex
	scribes []*Scribe // guarded by mu

	dropped    atomic.Int64
	unreported atomic.Int64
	reporter   *time.Timer  // armed while unreported is not 0
	reported   atomic.Int64 // when the last count was logged, as Now tells

	// The writer goroutine's.
	failing bool
	failed  time.Time // the last time
	told    time.Time // that it fails
	lost    int64     // lines, since failing
	torn    bool      // the last line is written in part
}

// Options are what a log is made with.
type Options struct {
	// Format is one that Check takes.
	Format Format
	// Sample has one of so many requests logged, chosen at random, and all that fail: 5xx, and those without an answer. 0 and 1: all.
	Sample int
	// Logger is told of dropped lines and failing writes.
	Logger *slog.Logger
}

// New returns a log that writes to w, until Close.
func New(w io.Writer, o Options) *Log {
	form, err := o.Format.compile()
	if err != nil {
		panic("accesslog: " + err.Error()) // Check was not asked
	}
	l := &Log{
		w:      w,
		form:   form,
		every:  max(o.Sample, 1),
		logger: o.Logger,
		queue:  make(chan *page, queueLength),
		poke:   make(chan struct{}, 1),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	l.reporter = time.AfterFunc(time.Hour, l.report)
	l.reporter.Stop()
	go l.run()
	return l
}

// Scribe returns the log as one more loop uses it.
func (l *Log) Scribe() *Scribe {
	s := &Scribe{log: l, form: l.form, every: l.every}
	l.mu.Lock()
	l.scribes = append(l.scribes, s)
	l.mu.Unlock()
	return s
}

// Dropped is how many lines were dropped because the writer was behind.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Close writes what the loops have left, and ends the log. It does not close the writer. The loops must have ended.
func (l *Log) Close() {
	l.once.Do(func() { close(l.stop) })
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.logger.Warn("the access log takes nothing, its last lines are lost")
	}
	l.reporter.Stop()
	l.report()
}

// drop counts a line that is dropped.
func (l *Log) drop() {
	l.dropped.Add(1)
	if l.unreported.Add(1) == 1 {
		since := time.Duration(Now() - l.reported.Load())
		if l.reported.Load() == 0 {
			since = reportEvery
		}
		l.reporter.Reset(max(reportAfter, reportEvery-since))
	}
}

// report logs the count. It has a goroutine of its own, because the writer's is stuck when lines are dropped.
func (l *Log) report() {
	if n := l.unreported.Swap(0); n > 0 {
		l.reported.Store(Now())
		l.logger.Warn("access log lines were dropped: its writer is too slow", "lines", n)
	}
}

// wake tells the writer that there are lines to flush, in a while.
func (l *Log) wake() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// The methods below are the writer goroutine's.

// run writes. While there are no lines it sleeps, and no timer runs.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	armed := false
	for {
		select {
		case p := <-l.queue:
			l.write(p)
			p.free()
		case <-l.poke:
			if !armed {
				armed = true
				timer.Reset(flushAfter)
			}
		case <-timer.C:
			armed = false
			l.flush()
		case <-l.stop:
			l.flush()
			timer.Stop()
			if l.lost > 0 {
				l.logger.Warn("access log lines were lost", "lines", l.lost)
			}
			return
		}
	}
}

// flush writes what the scribes have. What a scribe has queued is older than its current page, and is written first.
func (l *Log) flush() {
	l.mu.Lock()
	scribes := l.scribes
	l.mu.Unlock()
	for _, s := range scribes {
		s.poked.Store(false) // before the look at the lines: one that comes now wakes the writer again
		current := s.current.Load()
		for range len(l.queue) {
			p := <-l.queue
			l.write(p)
			if p == current { // it was handed over meanwhile
				current = nil
			}
			p.free()
		}
		if current != nil {
			l.write(current)
		}
	}
}

// write writes what a page has more than before, or loses it. What is left when only a part could be written is lost too: to try again later
// would take a memory without bound.
func (l *Log) write(p *page) {
	lines := p.room[p.written:p.lines.Load()]
	p.written += len(lines)
	if len(lines) == 0 {
		return
	}
	n, err := 0, error(nil)
	if l.torn {
		_, err = l.w.Write(lineEnd) // what comes next is not a part of the torn line
	}
	if err == nil {
		l.torn = false
		n, err = l.w.Write(lines)
		if err == nil && n < len(lines) {
			err = io.ErrShortWrite
		}
	}
	if err == nil {
		if l.failing && time.Since(l.failed) >= calm {
			l.logger.Info("the access log is written again", "lost", l.lost)
			l.failing, l.lost = false, 0
		}
		return
	}
	n = min(max(n, 0), len(lines))
	l.torn = l.torn || n > 0 && lines[n-1] != '\n'
	l.lost += int64(bytes.Count(lines[n:], lineEnd))
	l.failed = time.Now()
	if !l.failing || l.failed.Sub(l.told) >= failEvery {
		l.logger.Error("the access log cannot be written, lines are lost", "error", err, "lost", l.lost)
		l.told = l.failed
	}
	l.failing = true
}

var lineEnd = []byte{'\n'}
