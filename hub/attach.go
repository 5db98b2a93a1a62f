package hub

import (
	"fmt"

	"github.com/weirhttp/weir/app"
)

// Receiver is what a request does with the messages of its topics, for protocols that the hub does not know. Its methods are called on the loop of
// the request, or on a goroutine from which that was taken over, one at a time, but for Left.
type Receiver interface {
	// Receive takes a message. unsent is how much the client has not taken, as Deferred.Write returns it: above 64 KiB no message comes until it
	// has. With an error none comes any more, and the request is the receiver's.
	Receive(m Message) (unsent int, err error)
	// End tells that there are no more messages: ErrClosed, or ErrGone when the client was so slow that the history does not reach back to what
	// it has.
	End(why error)
	// Left is that of app.Watcher.
	Left()
}

// Attach has r get the messages of topics from now on, once and in order, on behalf of a request that was deferred. The hub is d's Watcher from now
// on, unless detach was called, which may be done at any time, in Receive too. The names are kept meanwhile. Such a request counts as a stream.
//
// After an error, which is ErrClosed or wraps ErrHold, d is the caller's as it was.
func (h *Hub) Attach(d app.Deferred, topics []string, r Receiver) (detach func(), err error) {
	if h.released.Load() {
		return nil, ErrClosed
	}
	hold := Hold{Topics: topics, Stream: true}
	if err := h.check(&hold); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHold, err)
	}
	page, err := h.read(hold.Topics, 0, 0)
	if err != nil {
		return nil, err
	}
	hold.Since = page.Last
	return h.stream(&attached{Deferred: d, receiver: r}, &hold).end, nil
}

// attached is the outlet of a Receiver.
type attached struct {
	app.Deferred
	receiver Receiver
	stream   app.Watcher
}

// Watch has the receiver told too.
func (a *attached) Watch(w app.Watcher) {
	a.stream = w
	a.Deferred.Watch(a)
}

// Left implements app.Watcher.
func (a *attached) Left() {
	a.stream.Left()
	a.receiver.Left()
}

// Drained implements app.Watcher.
func (a *attached) Drained() { a.stream.Drained() }

func (a *attached) begin(uint64) (int, error)                   { return 0, nil }
func (a *attached) message(m Message, _ *delivery) (int, error) { return a.receiver.Receive(m) }
func (a *attached) life(uint64) (int, error)                    { return 0, nil }
func (a *attached) end(why error)                               { a.receiver.End(why) }
