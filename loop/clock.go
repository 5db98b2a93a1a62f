//go:build unix

package loop

import (
	"math"
	"sync/atomic"
	"time"
)

// clock is the one ticker that all loops of a reactor share, because a poller cannot wait with a time limit. It
// sleeps until the earliest alarm of a loop, and posts a tick to the loops whose alarm is due.
//
// While events come, it also tells the time, to coarseTime: reading it for each event would cost a
// tenth of what a small request costs. And it watches the calls into application code (handover). Without events it rests.
type clock struct {
	now    atomic.Int64 // nanoseconds since epoch; 0: resting
	loops  []*Loop
	looked int64        // when the loops were looked at last, 0: it has rested since; the clock's own
	target atomic.Int64 // when it wakes up by itself
	poke   chan struct{}
	stop   chan struct{}
	done   chan struct{}
}

func newClock(loops []*Loop) *clock {
	k := &clock{
		loops: loops,
		poke:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	k.target.Store(math.MaxInt64)
	return k
}

// coarseTime is how old the time may be that an event is given.
const coarseTime = 10 * time.Millisecond

// time is the time to coarseTime. l is the loop that asks.
func (k *clock) time(l *Loop) int64 {
	if !l.active.Load() {
		l.active.Store(true)
	}
	if now := k.now.Load(); now != 0 {
		return now
	}
	now := int64(time.Since(epoch))
	if k.now.CompareAndSwap(0, now) {
		k.wake()
	}
	return now
}

// Between two looks at the loops, in nanoseconds: while events come, while there are calls to watch, and while one is running.
// A call that blocks holds others up for at most watchTime and twice callTime.
const (
	eventTime = int64(coarseTime)
	watchTime = 1e6
	callTime  = 500e3
)

// look updates the time if there were events since the last look, and watches calls. next is how long it may be until
// the next look, 0 when nothing goes on.
func (k *clock) look(now int64) (next int64) {
	for _, l := range k.loops {
		if l.active.Load() {
			l.active.Store(false)
			next = eventTime
			if l.watches() {
				next = watchTime
			}
		}
	}
	elapsed := now - k.looked
	if k.looked == 0 { // it has rested
		elapsed = 0
	}
	for _, l := range k.loops {
		if l.watches() && l.watch(elapsed) {
			next = callTime
		}
	}
	k.looked = now
	if next == 0 {
		k.now.Store(0) // from here on who begins something wakes the clock
		if !k.busy() {
			k.looked = 0
			return 0
		}
		next = callTime
	}
	k.now.Store(now)
	return next
}

// busy tells whether something has begun since the look at the loops: of an event, or in the middle of a long one a call.
func (k *clock) busy() bool {
	for _, l := range k.loops {
		if l.active.Load() || l.epoch.Load()&1 == 1 {
			return true
		}
	}
	return false
}

func (k *clock) wake() {
	select {
	case k.poke <- struct{}{}:
	default:
	}
}

// wakeBy has the clock wake up at the given time or before. Any goroutine may call it.
func (k *clock) wakeBy(at int64) {
	if at < k.target.Load() {
		k.wake()
	}
}

func (k *clock) run() {
	defer close(k.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		// The target is lowered before the alarms are read: a loop that sets one meanwhile pokes.
		k.target.Store(math.MaxInt64)
		now := int64(time.Since(epoch))
		first := int64(math.MaxInt64)
		for _, l := range k.loops {
			at := l.alarm.Load()
			if at <= now && l.alarm.CompareAndSwap(at, math.MaxInt64) {
				l.Post(func(any) { l.tick() }, nil)
				continue
			}
			first = min(first, at)
		}
		if next := k.look(now); next != 0 {
			first = min(first, now+next)
		}
		k.target.Store(first)
		var expired <-chan time.Time
		if first != math.MaxInt64 {
			timer.Reset(time.Duration(first - now))
			expired = timer.C
		}
		select {
		case <-expired:
		case <-k.poke:
		case <-k.stop:
			return
		}
	}
}

func (k *clock) close() {
	close(k.stop)
	<-k.done
}
