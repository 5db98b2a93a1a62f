// Package python hosts Python WSGI applications in worker processes, and is an app.Application itself.
//
// The Supervisor turns a request into a frame (environ.go), on the loop, and gives it to a worker, or lets it wait for one
// (dispatch.go). One goroutine a worker reads what that sends (reader.go), and answers the deferred requests
// (response.go). Another sees to it that there always is a worker in each place (keep.go). protocol.md says what is spoken between
// the two.
package python

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/hub"
)

// Class is how a worker calls the application.
type Class string

// Classes of workers.
const (
	Sync    Class = "sync"    // one call at a time
	Threads Class = "threads" // one on each of Options.Threads threads
	Gevent  Class = "gevent"  // Options.Connections at a time, in greenlets
)

// Options are the settings of a Supervisor. What is zero has the default, durations and counts that are negative mean "no limit".
type Options struct {
	// App is module:attribute, module, or module:factory(). It has no default.
	App string
	// Python is the interpreter, a path or a name in PATH, Virtualenv the directory of a virtualenv. Default: what FindInterpreter finds.
	Python, Virtualenv string
	// Chdir is the directory to work in, Path what is put in front of sys.path.
	Chdir string
	Path  []string
	// Env are variables of the environment, NAME=VALUE, beside those of weir's own.
	Env []string
	// Workers is the number of processes (1), Class what they are (Sync), Threads and Connections how many calls each makes at a time
	// (1; 1000).
	Workers              int
	Class                Class
	Threads, Connections int
	// Preload has the application imported once, by a process that forks the workers, so that they share memory. The process that calls
	// New becomes the one that adopts processes which those leave behind (PR_SET_CHILD_SUBREAPER). Linux only.
	Preload bool

	// Develop is for those who change the application while it is served. Outdate and Renew tell that its files have changed; a new import
	// has requests wait for it. New returns before the application is imported, and when that fails, clients are told why, with
	// Python's traceback. Requests wait for workers as long as it takes. It excludes Preload.
	Develop bool
	// Started is told, with Develop, how the import went after the start and after each Renew: nil, or an error that is a *StartError when Python
	// has a traceback. Any goroutine may call it.
	Started func(error)

	// Validate has calls checked by Python's wsgiref.validate, which raises AssertionError.
	Validate bool

	// Timeout is how long a call may go on without a sign of life before its worker is killed (30 s).
	Timeout time.Duration
	// Queue bounds how many requests wait for a worker (8192), QueueTime for how long they do (10 s). Further ones are answered with 503.
	Queue     int
	QueueTime time.Duration
	// MaxRequests is after how many requests a worker is replaced, MaxRequestsJitter up to how many more it may take, so that they are not all
	// replaced at once; MaxRSS above how many octets of resident memory. Default: never.
	MaxRequests, MaxRequestsJitter int
	MaxRSS                         int64
	// GracefulTimeout is how long a worker that is replaced may take to finish its requests (30 s).
	GracefulTimeout time.Duration
	// BodyBuffer is how many octets of request content are kept in memory (256 KiB); longer content waits in a temporary
	// file until it is whole. StreamBodies has content of known length handed to the application as it comes instead: a slow
	// client then keeps a worker.
	BodyBuffer   int
	StreamBodies bool
	// RetryIdempotent has a GET or HEAD request whose worker has died go to another one, once, when nothing of its answer was sent.
	RetryIdempotent bool

	// Software is SERVER_SOFTWARE ("weir"), Environ what else is in every environ.
	Software string
	Environ  map[string]string
	// Hub is what the application publishes to, and has its requests held by. nil: the environ has no weir.hub.
	Hub *hub.Hub
	// Logger is told what goes wrong, Output what workers print, whose level is always Info. Default: slog.Default; Logger.
	Logger, Output *slog.Logger

	script     []byte        // in the place of worker.py, for tests
	importTime time.Duration // in the place of importTime
}

// initialCredit is how many octets of a response a worker may send before the client has taken any.
const initialCredit = 256 << 10

// flushTime is after what time finished replies leave a worker that has more to do.
const flushTime = time.Millisecond

// Supervisor keeps workers, and gives them requests. Its methods are safe for use by any goroutine.
type Supervisor struct {
	options     Options
	python      *Interpreter
	environment []string
	log         *slog.Logger
	script      []byte
	config      []byte // the CONFIG packet
	// Of Options.Preload:
	templateConfig []byte // that of a template
	templates      templates

	starter startedBy
	shapes  shapes
	homes   homes
	holds   holds

	group       sync.WaitGroup // of the goroutines that keep workers, and those of the processes
	stopping    chan struct{}  // closed when Shutdown begins
	relaunching chan struct{}  // full while a worker is started beside the one that it replaces
	killing     chan struct{}  // closed when it waits no longer
	killOnce    sync.Once
	ended       chan struct{} // closed when all is over
	working     chan struct{} // tells the monitor that there is work
	waiting     atomic.Int64  // requests in the queue, when mu was unlocked last
	refusals    refusals
	warned      sync.Once // that workers are too large from the beginning
	restarts    atomic.Int64
	replaced    atomic.Int64

	slow     slowPaths
	inbox    inbox
	inFlight atomic.Int64 // requests that workers have
	posted   atomic.Bool  // sharePosted will be called
	free     atomic.Bool  // a worker has nothing to do, as far as it is known
	pace     atomic.Int32 // the monitor's

	mu        sync.Mutex
	edition   *edition // nil without Options.Develop
	queue     queue
	load      load
	longAt    int64 // when a call has ended that took long, and was not expected to
	seats     []*seat
	outdated  chan struct{} // closed by Replace: for workers that have been started before
	workers   []*worker     // that take requests
	leaving   []*worker     // that take no more, and finish what they have
	next      int           // of them, for whom a request is looked for first
	closed    bool
	takenBack uint64
	given     uint64 // requests, to workers
	waited    int64  // for that, in nanoseconds, all together
	scratch   []byte
}

// New starts workers, and returns when all can serve. The error is a *StartError when they cannot.
func New(options Options) (*Supervisor, error) {
	if err := options.setDefaults(); err != nil {
		return nil, err
	}
	interpreter, err := FindInterpreter(options.Python, options.Virtualenv, options.Chdir)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{
		options:     options,
		python:      interpreter,
		environment: options.environment(),
		log:         options.Logger,
		script:      options.script,
		config:      appendFrame(nil, frameConfig, 0, 0, appendMarshal(nil, options.config())),
		starter:     startedBy{make(chan func())},
		stopping:    make(chan struct{}),
		relaunching: make(chan struct{}, 1),
		killing:     make(chan struct{}),
		outdated:    make(chan struct{}),
		ended:       make(chan struct{}),
		working:     make(chan struct{}, 1),
		scratch:     make([]byte, maxPacket),
		longAt:      -calmTime,
		shapes:      shapes{seed: maphash.MakeSeed()},
		holds:       newHolds(),
	}
	if s.script == nil {
		s.script = workerSource
	}
	go s.starter.run()
	go s.monitor()
	if options.Preload {
		if err := s.preload(); err != nil {
			_ = s.Close()
			return nil, err
		}
	}
	if options.Develop {
		s.edition = newEdition()
		s.Renew()
		for slot := range options.Workers {
			s.group.Add(1)
			go s.develop(slot)
		}
		return s, nil
	}
	first := make(chan error, options.Workers)
	s.mu.Lock()
	for range options.Workers {
		s.open(first)
	}
	s.mu.Unlock()
	for range options.Workers {
		err = errors.Join(err, <-first)
		if err != nil {
			break // one tells what is wrong as well as all
		}
	}
	if err != nil {
		s.cut()
		_ = s.Shutdown(context.Background())
		return nil, err
	}
	return s, nil
}

// preload starts the first template.
func (s *Supervisor) preload() error {
	if err := adopt(); err != nil {
		return err
	}
	config := s.options.config()
	config["template"] = true
	s.templateConfig = appendFrame(nil, frameConfig, 0, 0, appendMarshal(nil, config))
	s.templates.changed = make(chan struct{})
	s.templates.renew = make(chan struct{}, 1)
	t, err := s.launchTemplate()
	if err != nil {
		return err
	}
	s.templates.set(t)
	s.group.Add(1)
	go s.keepTemplate(t)
	return nil
}

// Python tells which interpreter runs the workers.
func (s *Supervisor) Python() *Interpreter { return s.python }

// cut has Shutdown wait no longer.
func (s *Supervisor) cut() { s.killOnce.Do(func() { close(s.killing) }) }

// Shutdown ends the workers, each when it has finished what it has begun; those that have not when ctx ends are killed, and
// the error is that of ctx. Requests that wait are answered with 503. It is for when the server has shut down.
func (s *Supervisor) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.takeInbox()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		s.refuseAll()
		close(s.stopping)
		go func() {
			s.group.Wait()
			s.refuseAll() // what was taken back from workers
			s.logRefusals()
			close(s.starter.starts)
			close(s.ended)
		}()
	}
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
	}
	s.cut()
	<-s.ended
	return ctx.Err()
}

// refuseAll answers what waits with 503.
func (s *Supervisor) refuseAll() {
	s.mu.Lock()
	s.takeInbox()
	var waiting []*request
	for r := s.queue.front(anyLane); r != nil; r = s.queue.front(anyLane) {
		s.queue.pop(r)
		r.finish()
		waiting = append(waiting, r)
	}
	s.mu.Unlock()
	for _, r := range waiting {
		r.fail(unavailableAnswer)
	}
}

// Close is Shutdown that waits for nobody.
func (s *Supervisor) Close() error {
	s.cut()
	return s.Shutdown(context.Background())
}
