package python

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/app"
)

// worker is a worker process.
type worker struct {
	supervisor *Supervisor
	slot       int
	process    *os.Process
	pid        int
	ours       *os.File // the supervisor's end of the connection
	theirs     *os.File // a duplicate of the worker's end, to take back from
	fd, peer   int      // their descriptors
	lifeline   *os.File // a forked worker dies when it is closed; nil: Linux sees to that
	output     output

	ready    chan error      // whether it can serve; it has room for one
	outdated <-chan struct{} // closed by the first Replace since it was started
	retire   chan string     // why it is to be replaced; room for one
	drained  chan struct{}   // closed when all that it has sent was read
	exited   chan struct{}   // closed when nothing of it is left
	status   string          // how it ended; set before exited is closed
	killed   atomic.Bool     // that was weir's doing
	rss      atomic.Int64

	// Guarded by supervisor.mu.
	requests     table
	shapes       [maxShapes/64 + 1]uint64 // those that it was told: a bit each
	lane         int                      // of requests that are best answered where this worker is read; anyLane: there is none
	begun        int                      // requests of which it is known that the application is being called
	alone        bool                     // it gets no other request beside the one that it has
	takesSeveral bool                     // requests in one packet
	imported     time.Duration            // how long the import of the application took
	blocked      bool                     // its socket takes no more
	dismissed    bool                     // it finishes what it has begun
	dead         bool                     // it has exited
	asleep       int64                    // since when it reads nothing; 0: it does
	tryAt        int64                    // when it is given a request again
	pause        int64                    // from then, when it still does not read
	outbox       [][]byte                 // packets that wait for room
	since        int64                    // when its last replies came, or it began after a pause
	average      int64                    // nanoseconds a request takes it
	answered     int                      // requests in all
	most         int                      // of them before it is replaced; 0: any number

	marks  marks
	reader reader
	home   app.Poller // the loop that reads; nil: a goroutine does. Of the one who reads
}

// startedBy runs starts of processes on a thread that lasts as long as they may: Linux ends a worker with the thread that has
// started it.
type startedBy struct {
	starts chan func()
}

func (b *startedBy) run() {
	runtime.LockOSThread() // and never unlocked
	for f := range b.starts {
		f()
	}
}

// bootstrap runs the worker's source, which comes through descriptor 4. Its lines are in tracebacks under a name that tells whose they are. With -c
// Python looks for modules where weir was started, first of all, before 3.11 whatever its options: nothing there is the worker's.
const bootstrap = `import sys
if sys.path[:1] == [""]: del sys.path[0]
import linecache
__file__ = "<weir worker>"
with open(4, encoding="utf-8") as f: source = f.read()
linecache.cache[__file__] = len(source), None, source.splitlines(True), __file__
exec(compile(source, __file__, "exec"))`

// start starts a worker process. ready tells when it can serve.
func (s *Supervisor) start(slot int) (*worker, error) {
	w := &worker{
		supervisor: s, slot: slot,
		ready:  make(chan error, 1),
		retire: make(chan string, 1), drained: make(chan struct{}), exited: make(chan struct{}),
		requests: newTable(max(s.capacity(), 2*maxWindow)),
		average:  int64(batchTime) / 2,
		most:     s.lifetime(),
	}
	var err error
	if w.ours, w.theirs, err = socketPair(); err != nil {
		return nil, err
	}
	var shared *os.File
	if w.marks, shared, err = newMarks(); err != nil {
		w.closeFiles()
		return nil, err
	}
	defer shared.Close()
	w.fd, w.peer = int(w.ours.Fd()), int(w.theirs.Fd())
	pipes, err := w.output.open()
	switch {
	case err != nil:
	case s.options.Preload:
		err = s.startForked(w, append([]*os.File{w.theirs, shared}, pipes...))
	default:
		var c *exec.Cmd
		if c, err = s.execute(fmt.Sprintf("weir-worker-%d", slot+1), pipes, w.theirs, shared); err == nil {
			w.process = c.Process
		}
	}
	closeAll(pipes)
	if err != nil {
		w.closeFiles()
		return nil, err
	}
	w.pid = w.process.Pid
	s.mu.Lock()
	w.control(s.config)
	s.mu.Unlock()
	w.output.log(s.options.Output, w.pid)
	w.reader.heads = newHeads()
	go w.read()
	s.group.Add(1)
	go w.wait()
	return w, nil
}

// execute starts a process that runs the worker's source. connection is its descriptor 3, marks the 5th.
func (s *Supervisor) execute(name string, output []*os.File, connection *os.File, marks ...*os.File) (*exec.Cmd, error) {
	source, script, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer source.Close()
	c := exec.Command(s.python.Path, slices.Concat(s.python.options, []string{"-c", bootstrap, name, s.options.App})...)
	c.Env = s.environment
	c.Stdout, c.Stderr = output[0], output[1]
	c.ExtraFiles = append([]*os.File{connection, source}, marks...)
	c.SysProcAttr = processAttributes()
	done := make(chan error)
	s.starter.starts <- func() { done <- c.Start() }
	if err = <-done; err != nil {
		_ = script.Close()
		return nil, err
	}
	go func() {
		_, _ = script.Write(s.script) // an error: it has died, which is noticed elsewhere
		_ = script.Close()
	}()
	return c, nil
}

// closeFiles closes all descriptors, and gives the shared memory back.
func (w *worker) closeFiles() {
	_ = w.ours.Close()
	_ = w.theirs.Close()
	if w.lifeline != nil {
		_ = w.lifeline.Close()
	}
	w.output.close()
	w.marks.close()
}

// wait waits for the end of the process, and sees to what it leaves behind.
func (w *worker) wait() {
	s := w.supervisor
	defer s.group.Done()
	w.status = ending(w.process.Wait())
	if w.lifeline != nil {
		go reapGroup(w.pid)
	}
	s.mu.Lock()
	w.dead = true
	s.remove(w)
	s.takeBack(w)
	s.spread()
	s.release()

	endOfConnection(w.peer)
	<-w.drained
	s.mu.Lock()
	lost, spared := w.abandon()
	for i := len(spared) - 1; i >= 0; i-- {
		s.requeue(spared[i])
	}
	s.spread()
	s.release()
	for _, r := range lost {
		s.lost(r, w)
	}
	w.output.stop()
	w.closeFiles()
	select {
	case w.ready <- errors.New("the worker has ended before it could serve: " + w.status):
	default:
	}
	close(w.exited)
}

// ending says how a process has ended.
func ending(state *os.ProcessState, err error) string {
	if err != nil {
		return err.Error()
	}
	return state.String()
}

// abandon takes the requests off a dead worker: those that it was called for, and those that it has read and not begun, oldest
// first. supervisor.mu is held.
func (w *worker) abandon() (lost, spared []*request) {
	for _, r := range w.requests.sorted() {
		if w.marks.begun(r.number) || r.streams {
			lost = append(lost, r)
		} else {
			spared = append(spared, r)
		}
		r.leaves()
	}
	return lost, spared
}

// lost sees to a request whose worker has died while it was called.
func (s *Supervisor) lost(r *request, w *worker) {
	s.mu.Lock()
	again := s.options.RetryIdempotent && r.safe && !r.streams && !r.replayed && !r.gone && r.content == nil && !s.closed
	gone, about := r.gone, r.about(w)
	if again {
		r.replayed = true
		s.requeue(r)
		s.spread()
	} else {
		r.finish()
	}
	s.release()
	if again || gone {
		return
	}
	s.log.Error("worker "+w.fate()+" in a request, "+r.fail(diedAnswer), "pid", w.pid, "status", w.status, about)
}

// kill ends the process.
func (w *worker) kill() {
	w.killed.Store(true)
	_ = w.process.Kill()
}

// fate says how the process has ended.
func (w *worker) fate() string {
	if w.killed.Load() {
		return "was killed by weir"
	}
	return "has died"
}
