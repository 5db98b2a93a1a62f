package exchange

import (
	"time"

	"github.com/weirhttp/weir/app"
)

// watch is what an exchange knows of its calls into application code: on a loop their number there, on a goroutine
// how long they take.
type watch struct {
	call    uint64 // of Loop.Enter; 0: none runs, or it is not watched
	taken   bool   // the loop was taken over in a call of this exchange; written under the loop's lock
	entry   *Path  // what is known of the path; nil: nothing
	entered int64  // when the call began, on a goroutine, or was taken over; in nanoseconds since origin
	slow    bool   // one took longer than a loop would have let it
}

var origin = time.Now()

// slowCall is how long a call may take on a goroutine without being one that blocks. A loop lets one run for about as long.
const slowCall = time.Millisecond

// longCall is how long a call blocks that matters to who schedules: the system may take a thread off its core for nearly as long.
const longCall = 10 * time.Millisecond

// enter begins a call into application code.
func (x *Exchange) enter() {
	w := &x.watch
	if x.mail == nil {
		if x.deferred != nil && x.phase != parked {
			return // a Response is sent, maybe in the middle of the wheel's turn
		}
		w.call = x.host.loop.Enter(x)
	} else {
		w.entered = int64(time.Since(origin))
	}
}

// leave ends it. When the loop was taken over, x has a mailbox from here on.
func (x *Exchange) leave() {
	w := &x.watch
	if call := w.call; call != 0 {
		w.call = 0
		if x.host.loop.Leave(call) {
			return
		}
	}
	if w.entered != 0 {
		took := time.Since(origin) - time.Duration(w.entered)
		w.entered = 0
		w.slow = w.slow || took > slowCall
		if x.host.Blocked != nil && took > longCall {
			x.host.Blocked()
		}
	}
}

// interrupted is leave after a panic, or when the application has ended its goroutine, which may be the loop's.
func (x *Exchange) interrupted(err error) {
	x.leave()
	if err == errGoexit && x.mail == nil {
		x.host.loop.Abandon(x)
	}
}

// unwound is depart for when the application has ended its goroutine: none of the frames below runs on.
func (x *Exchange) unwound(err error) {
	if err == errGoexit && x.watch.taken {
		x.abandon()
		x.depart()
	}
}

// TakenOver is called on the loop by the goroutine that goes on with it, while the application is still running on the old one.
func (x *Exchange) TakenOver() {
	w := &x.watch
	x.mail = newMailbox(x)
	wire := x.wire
	x.wire = x.mail
	w.taken, w.entered = true, int64(time.Since(origin))
	x.host.blocking.Add(1)
	if path := wire.TakenOver(); path != nil {
		w.entry = x.host.Paths.add(path)
	}
}

// depart ends the goroutine if its loop was taken over.
func (x *Exchange) depart() {
	if x.watch.taken {
		x.host.blocking.Add(-1)
		x.host.loop.Depart()
	}
}

// goesBlocking decides by what was learned of the request's path. It is true when application was sent to a goroutine,
// or the request refused because there are too many already.
func (x *Exchange) goesBlocking(application app.Application) bool {
	e := x.host.Paths.find(x.Environ.RawPath())
	x.watch.entry = e
	switch {
	case e == nil:
		return false
	case e.Blocks():
		x.RunBlocking(application)
		return true
	case e.history.Load() != 0 && x.host.blocking.Load() >= int64(x.host.MaxBlocking):
		x.refuse()
		return true
	}
	return false
}

// learn notes how the calls of an exchange on a goroutine went.
func (w *watch) learn() {
	if w.entry != nil {
		w.entry.note(w.slow)
	}
}
