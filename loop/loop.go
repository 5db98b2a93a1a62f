//go:build unix

// Package loop is weir's reactor: one event loop per core, on epoll, and on gnet's poller for kqueue. It knows
// listeners, connections, timers, flow control and posting from other goroutines, and no
// protocol: that is a Handler's.
package loop

import (
	"log/slog"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/queue"
)

// Sizes in octets. Flow control is by HighWater and LowWater: what a client does not take is kept up to about
// HighWater for each connection, then its Handler is told (Room) not to produce more until LowWater.
const (
	ReadSize   = 64 << 10 // read at once into a loop's buffer
	batchSize  = 64 << 10 // a loop's output batch is sent when it is larger
	HighWater  = 64 << 10
	LowWater   = 16 << 10
	taskBudget = 128 // posted tasks run before events are looked at again
)

// Loop is one event loop. Unless a method says otherwise, it is called on the loop: from a Handler's methods or a
// posted function.
type Loop struct {
	// Index is the number of the loop among its reactor's, from 0.
	Index   int
	reactor *Reactor
	poller  *poller
	log     *slog.Logger

	// The loop's own.
	turn      *turn
	delivered []byte // what the last call of Data was given
	viewed    *input // that it is in, while Data runs; nil: it is in the turn's buffer, or was taken (Take)
	conns     table
	listeners map[int]*acceptor
	watched   map[int]*watched
	yielded   int64 // when idle did last, where it does not always; nanoseconds since epoch
	wheel     wheel
	now       int64 // nanoseconds since epoch at the start of the event, to coarseTime
	doomed    []*Conn
	released  []*Conn
	paused    map[*Conn]struct{} // those whose input is not read
	stopped   bool
	ending    bool // handlers are told of the end when they get a connection
	counters  Counters
	handover

	// Any goroutine's.
	tasks  queue.AsyncTaskQueue
	woken  atomic.Bool
	waker  waker
	open   atomic.Int64 // connections, those in memory and those on their way here too
	active atomic.Bool  // has had events since the clock looked last
	deaf   atomic.Bool  // has stopped accepting; written by the loop
	alarm  atomic.Int64 // when the clock shall post a tick; nanoseconds since epoch
	exited chan struct{}
}

// turn is what the goroutine that runs a loop works with while it handles one event: the buffers that input
// views point into, and the output batch.
type turn struct {
	in      []byte
	batch   []byte
	batchOf *Conn  // whose output batch holds; nil when it is empty
	sealed  []byte // of connections with a layer; nil until there is one
}

func newTurn() *turn {
	return &turn{in: make([]byte, ReadSize), batch: make([]byte, 0, batchSize+4<<10)}
}

// epoch is the origin of the loops' time.
var epoch = time.Now()

func newLoop(r *Reactor, index int) *Loop {
	l := &Loop{
		Index:     index,
		reactor:   r,
		log:       r.log,
		turn:      newTurn(),
		listeners: make(map[int]*acceptor),
		watched:   make(map[int]*watched),
		tasks:     queue.NewLockFreeQueue(),
		paused:    make(map[*Conn]struct{}),
		exited:    make(chan struct{}),
	}
	l.alarm.Store(math.MaxInt64)
	l.now = int64(time.Since(epoch))
	l.wheel.init(l.now)
	return l
}

// Now is the time at which the current event began, to some 10 ms: nanoseconds of the monotonic clock
// since some moment before the loop was made.
func (l *Loop) Now() int64 { return l.now }

// run polls until the loop is stopped. A goroutine that the loop was taken from does not come back from poll, it ends
// inside (Depart).
func (l *Loop) run() {
	if err := l.poller.poll(l.event, l.idle, l.yields); err != nil {
		l.log.Error("event loop failed", "loop", l.Index, "error", err)
	}
	l.closeAll()
	close(l.exited)
}

// idle comes before the loop waits. Yielding costs a thread's wake-up where there is a place for one to run goroutines: with nothing
// but clients to serve, more of them have sent something by then, and are served at once. Descriptors that are watched belong to
// processes which work for the loop, and they need the cores more: there it yields now and then, before Go's monitor takes the goroutine for one that
// has computed all the time. The monitor, when it has interrupted one, looks every 20 us for milliseconds, which is more CPU than some hundred requests/s are.
func (l *Loop) idle() {
	if !l.yields() && !l.reactor.alone {
		now := int64(time.Since(epoch))
		if now-l.yielded < yieldTime {
			return
		}
		l.yielded = now
	}
	runtime.Gosched()
}

// yields tells whether those that the loop serves may have its processor whenever it has nothing to do.
func (l *Loop) yields() bool { return len(l.watched) == 0 }

// yieldTime is half of what Go's monitor allows a goroutine without a turn of the scheduler, in nanoseconds.
const yieldTime = 5e6

// event handles one readiness event. It is false when the loop has ended.
func (l *Loop) event(fd int, ev readiness) bool {
	l.now = l.reactor.clock.time(l)
	if c := l.conns.get(fd); c != nil {
		c.ready(ev)
		l.settle()
		l.check(c)
		return true
	}
	if fd == l.waker.fd() {
		l.runTasks()
		return !l.stopped
	}
	if a := l.listeners[fd]; a != nil {
		a.ready()
		l.settle()
	} else if w := l.watched[fd]; w != nil {
		w.readable()
		l.settle()
		l.check(nil)
	}
	return true
}

// settle ends an event: input that was released is delivered, output leaves, and connections that failed on the
// way are closed. All that waits until here so that no Handler is called in the middle of one of its own calls. What
// Closed writes to other connections leaves too.
func (l *Loop) settle() {
	for {
		if n := len(l.released); n > 0 {
			c := l.released[n-1]
			l.released = l.released[:n-1]
			c.deliverKept()
			continue
		}
		l.sendBatch()
		n := len(l.doomed)
		if n == 0 {
			return
		}
		c := l.doomed[n-1]
		l.doomed = l.doomed[:n-1]
		c.close(ReasonReset)
	}
}

// Post runs f(p) on the loop, soon. Any goroutine may call it. What is posted to a loop that has stopped does not run.
func (l *Loop) Post(f func(p any), p any) {
	task := queue.GetTask()
	task.Exec = func(p any) error { f(p); return nil }
	task.Param = p
	l.tasks.Enqueue(task)
	if l.woken.CompareAndSwap(false, true) {
		l.waker.wake()
	}
}

// runTasks runs what was posted. The waker stays readable until the queue is empty: then it is reset, and
// what came in between wakes the loop again.
func (l *Loop) runTasks() {
	for range taskBudget {
		task := l.tasks.Dequeue()
		if task == nil {
			l.waker.reset()
			l.woken.Store(false)
			if !l.tasks.IsEmpty() && l.woken.CompareAndSwap(false, true) {
				l.waker.wake()
			}
			return
		}
		_ = task.Exec(task.Param)
		queue.PutTask(task)
		l.settle()
		l.check(nil)
	}
}

// tick runs the timers that are due. The clock posts it.
func (l *Loop) tick() {
	l.now = int64(time.Since(epoch))
	l.wheel.advance(l.now)
	l.setAlarm(l.wheel.next())
}

// setAlarm asks the clock for a tick at the given time.
func (l *Loop) setAlarm(at int64) {
	l.alarm.Store(at)
	if at != math.MaxInt64 {
		l.reactor.clock.wakeBy(at)
	}
}

// After runs f when d has passed, to about the precision of the timer wheel. f must not run application code: it posts that.
func (l *Loop) After(d time.Duration, f func()) {
	at := l.wheel.add(&timer{at: int64(time.Since(epoch)) + int64(d), f: f})
	if at < l.alarm.Load() {
		l.setAlarm(at)
	}
}

// Each calls f for every connection of the loop. f may close it.
func (l *Loop) Each(f func(c *Conn)) { l.conns.each(f) }

// closeAll closes what is still open when the loop ends, and frees its descriptors. Who is in the middle of something is reset: what he has of an answer
// is not all of it.
func (l *Loop) closeAll() {
	l.Each(func(c *Conn) {
		if c.state == open && !c.isIdle() {
			c.Abort(ReasonShutdown)
		} else {
			c.close(ReasonShutdown)
		}
	})
	for _, a := range l.listeners {
		a.remove()
	}
	for fd, w := range l.watched {
		l.Unwatch(fd)
		w.ended()
	}
	l.closeWaker()
	_ = l.poller.close()
}

// closeWaker closes the waker when no Post is about to use it: its descriptor may be another file's a moment
// later. Who has set woken wakes once; from here on it stays set, and nobody does.
func (l *Loop) closeWaker() {
	for !l.woken.CompareAndSwap(false, true) && !l.waker.reset() {
		runtime.Gosched()
	}
	l.waker.close()
}

// discarder is the parameter of a posted function that owns a descriptor.
type discarder interface{ discard() }

// discard drops what was posted and did not run, up to now: others may go on posting, faster than it looks. Nobody posts a discarder any more.
func (l *Loop) discard() {
	end := queue.GetTask()
	l.tasks.Enqueue(end)
	for task := l.tasks.Dequeue(); task != end; task = l.tasks.Dequeue() {
		if d, ok := task.Param.(discarder); ok {
			d.discard()
		}
	}
}

// table finds connections by descriptor. Pages keep it from being copied as it grows, and small on a
// loop that has few of the process's descriptors.
type table struct{ pages []*[pageSize]*Conn }

const pageSize = 512

func (t *table) get(fd int) *Conn {
	if page := fd / pageSize; uint(page) < uint(len(t.pages)) && t.pages[page] != nil {
		return t.pages[page][fd%pageSize]
	}
	return nil
}

func (t *table) set(fd int, c *Conn) {
	page := fd / pageSize
	for page >= len(t.pages) {
		t.pages = append(t.pages, nil)
	}
	if t.pages[page] == nil {
		t.pages[page] = new([pageSize]*Conn)
	}
	t.pages[page][fd%pageSize] = c
}

func (t *table) each(f func(*Conn)) {
	for _, page := range t.pages {
		if page == nil {
			continue
		}
		for _, c := range page {
			if c != nil {
				f(c)
			}
		}
	}
}
