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
	// queueLength bounds how many pages wait for the writer, all loops together.
	queueLength = 64
	// flushAfter is how long a line waits for its page to become full.
	flushAfter = time.Second / 2
	// reportAfter is how long drops are counted before the count is logged.
	reportAfter = time.Second
	// calm is how long writing has to go well before another failure is worth a message of its own: a disk that is
	// nearly full takes some writes and refuses others.
	calm = 10 * time.Second
	// closeTimeout bounds how long Close waits for a writer that takes nothing.
	closeTimeout = 2 * time.Second
)

// Log is an access log. Its methods are safe for use by any goroutine.
type Log struct {
	w      io.Writer
	format Format
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
	reporter   *time.Timer // armed while unreported is not 0

	// The writer goroutine's.
	failing bool
	failed  time.Time // the last time
	lost    int64     // lines, since failing
	torn    bool      // the last line is written in part
}

// New returns a log that writes to w, until Close. logger is told of dropped lines and failing writes.
func New(w io.Writer, format Format, logger *slog.Logger) *Log {
	l := &Log{
		w:      w,
		format: format,
		logger: logger,
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
	s := &Scribe{log: l}
	l.mu.Lock()
	l.scribes = append(l.scribes, s)
	l.mu.Unlock()
	return s
}

// Combined tells whether an Entry wants Referer and UserAgent.
func (l *Log) Combined() bool { return l.format == Combined }

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
		l.reporter.Reset(reportAfter)
	}
}

// report logs the count. It has a goroutine of its own, because the writer's is stuck when lines are dropped.
func (l *Log) report() {
	if n := l.unreported.Swap(0); n > 0 {
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

// flush writes what the scribes have. What a scribe has queued is older than what is taken from it, and is written first.
func (l *Log) flush() {
	l.mu.Lock()
	scribes := l.scribes
	l.mu.Unlock()
	for _, s := range scribes {
		p := s.take()
		for range len(l.queue) {
			l.write(<-l.queue)
		}
		if p != nil {
			l.write(p)
		}
	}
}

// write writes a page, or loses it. What is left of a page that was written in part is lost too: to try again later
// would take a memory without bound.
func (l *Log) write(p *page) {
	defer p.free()
	n, err := 0, error(nil)
	if l.torn {
		_, err = l.w.Write(lineEnd) // what comes next is not a part of the torn line
	}
	if err == nil {
		l.torn = false
		n, err = l.w.Write(p.lines)
		if err == nil && n < len(p.lines) {
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
	if !l.failing {
		l.logger.Error("the access log cannot be written, lines are lost", "error", err)
	}
	l.failing, l.failed = true, time.Now()
	n = min(max(n, 0), len(p.lines))
	l.torn = l.torn || n > 0 && p.lines[n-1] != '\n'
	l.lost += int64(bytes.Count(p.lines[n:], lineEnd))
}

var lineEnd = []byte{'\n'}
