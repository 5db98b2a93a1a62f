package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/admin"
)

// quickTime is how long requests that run have at SIGINT and SIGQUIT: who sends these does not want to wait.
const quickTime = 500 * time.Millisecond

// ends are the signals that end weir; a second one ends it at once, by what the system does with it. Until weir serves, so does the first.
var ends = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT}

// sameWish is how soon after the first a second signal is no impatience: timeout(1) and process managers signal a process, and then its group.
const sameWish = 250 * time.Millisecond

// lifecycle is what a weir that serves goes through: signals, and the end. It belongs to the goroutine that serves.
type lifecycle struct {
	server   *server.Server
	graceful atomic.Int64 // nanoseconds for requests that run at SIGTERM
	holders  []io.Closer  // at the end they are closed first, or the end would wait for what they hold
	last     func()       // is called when all else has ended; nil: there is nothing to do
	started  func()       // ends starting
	// reconfigure has the command go on with the options of another command line. workers tells that those of workers are others.
	reconfigure  func(fresh *cli, workers bool) error
	keepsWorkers bool // what workers are started with stays
	// resize has so many workers more, or fewer, and returns how many there will be; nil: there are none to count.
	resize func(by int) int

	admin          *admin.Server // nil: there is none
	nameProcess    func() error  // writes the pid file
	upgradeTimeout atomic.Int64
	successor      *successor // that is starting; nil: none is
	succeeded      chan error // what has become of it
	next           int        // the process that serves in the place of this one; 0: there is none

	reloading bool       // on a goroutine
	again     bool       // as soon as that has ended
	reloaded  chan error // what has become of it

	signals chan os.Signal
	ending  chan os.Signal // those that end weir, which are not lost among many others
	began   time.Time
	why     string             // it ends; "": it does not
	quick   bool               // what runs is cut off
	asked   bool               // by a signal
	failed  error              // why it ends, if that is a failure
	cut     context.CancelFunc // has the end wait no longer
}

// newLifecycle has signals wait for serve, those that would end weir excepted.
func newLifecycle() (*lifecycle, error) {
	if _, err := inherited(); err != nil {
		return nil, err
	}
	l := &lifecycle{signals: make(chan os.Signal, 16), ending: make(chan os.Signal, len(ends)), succeeded: make(chan error, 1), reloaded: make(chan error, 1), began: time.Now(), cut: func() {}}
	signal.Notify(l.signals, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // so that a standard output that nobody reads does not end weir
	return l, nil
}

// starting has weir leave nothing behind when a signal ends it before it serves: undo takes back what there is, on another goroutine. It counts until
// listen. Nothing waits for the start, which takes as long as the import of the application.
func (l *lifecycle) starting(undo func()) {
	early, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(early, ends...)
	l.started = func() {
		signal.Stop(early)
		close(over)
	}
	go func() {
		select {
		case s := <-early:
			slog.Info(names[s] + ": weir ends before it serves")
			undo()
			signal.Reset(s)
			_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
		case <-over:
		}
	}()
}

// listen has weir end in order from here on.
func (l *lifecycle) listen() {
	signal.Notify(l.ending, ends...)
	l.started()
}

// serve serves until the end.
func (l *lifecycle) serve() error {
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(context.Background()) }()
	started := l.server.Started()
	var ending chan os.Signal // nil until the loops run: an end before would reset who has connected already
	for {
		select {
		case <-started:
			started, ending = nil, l.ending
			if l.failed = l.takeOver(); l.failed != nil {
				l.end("nobody's wish", l.gracefully())
			}
		case s := <-ending:
			l.interrupt(s)
		case s := <-l.signals:
			l.handle(s)
		case err := <-l.reloaded:
			l.hungUp(err)
		case err := <-l.succeeded:
			l.handOver(err)
		case err := <-served:
			l.cut()
			if l.quick {
				err = nil // it was asked for
			}
			return errors.Join(l.failed, err)
		}
	}
}

// handle does what a signal asks for.
func (l *lifecycle) handle(s os.Signal) {
	switch {
	case l.why != "":
		slog.Info("weir is about to end, and does not do what the signal asks for", "signal", s)
	case s == syscall.SIGHUP:
		l.hangup()
	case s == syscall.SIGUSR2:
		l.upgrade()
	case s == syscall.SIGWINCH:
		l.pause()
	case s == syscall.SIGTTIN:
		l.addWorkers("SIGTTIN", 1)
	case s == syscall.SIGTTOU:
		l.addWorkers("SIGTTOU", -1)
	}
}

// pause has weir accept nothing until SIGHUP. A terminal that changes its size sends the signal too, and does not mean it.
func (l *lifecycle) pause() {
	if terminal, err := os.Open("/dev/tty"); err == nil {
		_ = terminal.Close()
		return
	}
	slog.Info("SIGWINCH: nothing more is accepted until SIGHUP")
	l.server.Pause()
}

// addWorkers has more workers, or fewer.
func (l *lifecycle) addWorkers(signal string, by int) {
	if l.resize == nil {
		slog.Info(signal + ": there are no workers whose number could be changed")
		return
	}
	slog.Info(signal+": the number of workers is changed", "workers", l.resize(by))
}

// names of the signals that end weir.
var names = map[os.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT"}

// interrupt ends weir. After sameWish a signal of this kind ends it at once: it does not come here any more.
func (l *lifecycle) interrupt(s os.Signal) {
	again := l.asked
	if !again {
		l.asked = true
		time.AfterFunc(sameWish, func() { signal.Reset(ends...) })
	}
	quick := s != syscall.SIGTERM
	hastens := quick && !l.quick
	l.quick = l.quick || quick
	switch {
	case l.why == "":
		limit := l.gracefully()
		if quick {
			limit = quickTime
		}
		l.end(names[s], limit)
	case hastens:
		l.cut()
	case !again:
		slog.Info("weir is about to end already; a second signal ends it at once", "signal", s)
	}
}

// gracefully is how long requests that run have at SIGTERM.
func (l *lifecycle) gracefully() time.Duration { return time.Duration(l.graceful.Load()) }

// end stops accepting, and has requests that run finished within limit. It does not wait.
func (l *lifecycle) end(why string, limit time.Duration) {
	l.why = why
	if l.next == 0 {
		manager().stopping()
	}
	if l.successor != nil {
		l.successor.giveUp()
	}
	slog.Info(why+": weir finishes what it is at and ends", "at most", limit)
	for _, h := range l.holders {
		_ = h.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	l.cut = cancel
	go func() { _ = l.server.Shutdown(ctx) }() // Serve returns what it does
}

// patience bounds how long the rest of weir may take to end, when requests are over.
func (l *lifecycle) patience() (context.Context, context.CancelFunc) {
	limit := max(l.gracefully(), time.Second)
	if l.quick {
		limit = quickTime
	}
	return context.WithTimeout(context.Background(), limit)
}

// close says the last line. err is what has gone wrong in the end. SIGPIPE, for one, is caught on: nobody may be reading.
func (l *lifecycle) close(err error) {
	if l.last != nil {
		l.last()
	}
	if l.why != "" {
		farewell(l.lastLine(err), err)
	}
}

// lastLine says why weir has ended, and how.
func (l *lifecycle) lastLine(err error) string {
	how := "all that ran was finished"
	switch {
	case err != nil:
		how = err.Error()
	case l.quick:
		how = "without waiting for what ran"
	}
	return fmt.Sprintf("weir has ended by %s after %v%s: %s", l.why, time.Since(l.began).Round(time.Second), answers(l.server), how)
}
