package loop

import (
	"time"

	"golang.org/x/sys/unix"
)

// yielding lets others run on the loop's processor before it looks for events (sched_yield(2)). When these are its clients, or bring their
// requests, the look finds many at once, and costs as much as for one. Where nobody else is there, or the others compute and bring
// nothing, there is no other one for so long that one per cent of the time is lost.
type yielding struct {
	took   time.Duration // by the one before this look; 0: there was none
	resume time.Duration // since epoch
	credit time.Duration // what events have brought in, less what others took
}

const (
	// aloneTime is less than anybody's turn on the processor takes, and more than the call without one, where reading the clock is no system call. Where it
	// is one, a look costs two or three calls more.
	aloneTime = 700 * time.Nanosecond
	// eventWorth is how long others may run for each event.
	eventWorth = 10 * time.Microsecond
	// mostCredit is some turns of others, and what a loop begins with: the kernel gives a whole one to those who do not compute too, now and then.
	mostCredit = 40 * time.Millisecond
	// vainPause is how many times as long as was lost there is no other. No more than mostCredit counts as lost at a time: the process may have been stopped.
	vainPause = 100
)

// yield comes before a look. Go is not told of the system call: it would give the loop's place to another thread, as if the loop
// waited for something, and most often the loop is back at once.
func (y *yielding) yield() {
	before := time.Since(epoch)
	if before < y.resume {
		return
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	y.resume = time.Since(epoch)
	y.took = y.resume - before
}

// found comes after the look, with the number of its events.
func (y *yielding) found(events int) {
	if y.took == 0 {
		return
	}
	y.credit = min(y.credit+time.Duration(events)*eventWorth-y.took, mostCredit)
	switch {
	case y.credit < 0:
		y.resume += vainPause * min(-y.credit, mostCredit)
		y.credit = 0
	case y.took < aloneTime:
		y.resume += vainPause * y.took
	}
	y.took = 0
}
