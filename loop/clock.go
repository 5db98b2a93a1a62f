//go:build unix

package loop

import (
	"math"
	"sync/atomic"
	"time"
)

// clock is the one ticker that all loops of a reactor share, because a poller cannot wait with a time limit. It
// sleeps until the earliest alarm of a loop, and posts a tick to the loops whose alarm is due.
type clock struct {
	loops  []*Loop
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

// wakeBy has the clock wake up at the given time or before. Any goroutine may call it.
func (k *clock) wakeBy(at int64) {
	if at < k.target.Load() {
		select {
		case k.poke <- struct{}{}:
		default:
		}
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
