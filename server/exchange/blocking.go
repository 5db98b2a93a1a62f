package exchange

import (
	"sync"

	"github.com/weirhttp/weir/app"
)

// RunBlocking calls application on a goroutine, with a detached environ.
func (x *Exchange) RunBlocking(application app.Application) {
	if x.host.blocking.Add(1) > int64(x.host.MaxBlocking) {
		x.host.blocking.Add(-1)
		x.refuse()
		return
	}
	x.Environ.Detach()
	x.mail = newMailbox(x)
	x.wire = x.mail
	go func() {
		defer x.host.blocking.Add(-1)
		defer x.abandon()
		x.run(application)
		x.watch.learn()
	}()
}

// refuse answers that there are enough blocking calls.
func (x *Exchange) refuse() {
	x.report("too many blocking calls at a time, answered 503", nil)
	x.answer("503 Service Unavailable", []app.Header{{Name: "Retry-After", Value: "1"}})
}

// abandon ends an exchange whose application has ended its goroutine (runtime.Goexit).
func (x *Exchange) abandon() {
	if x.phase != ended && x.phase != parked {
		x.fail(errGoexit)
	}
}

// mailbox is the Wire of an exchange on a goroutine: it keeps what it is given, and replays it on
// the loop to the wire of the connection.
type mailbox struct {
	x    *Exchange
	wire Wire // the loop's

	mu       sync.Mutex
	changed  sync.Cond // there is room again, or the client is gone
	head     bool      // x.head is to be passed on; it is not changed any more
	data     []byte    // content to be passed on
	finished bool
	complete bool
	posted   bool // deliver is on its way
	gone     bool
	unsent   int // the wire's, when it was looked at last
}

// newMailbox returns a mailbox in front of the wire that x has.
func newMailbox(x *Exchange) *mailbox {
	m := &mailbox{x: x, wire: x.wire}
	m.changed.L = &m.mu
	return m
}

func (m *mailbox) Head(*Head) {
	m.mu.Lock()
	m.head = true
	m.mu.Unlock()
}

func (m *mailbox) Chunk(p []byte) {
	m.mu.Lock()
	m.data = append(m.data, p...)
	m.mu.Unlock()
}

// File is not called: a goroutine may wait for a disk, and reads files with Next.
func (m *mailbox) File(app.File, int64, int64) {}

func (m *mailbox) Flush() {
	m.mu.Lock()
	m.post()
	m.mu.Unlock()
}

// post has deliver called on the loop. m.mu is held.
func (m *mailbox) post() {
	if !m.posted && !m.gone && (m.head || len(m.data) > 0 || m.finished) {
		m.posted = true
		m.x.host.loop.Post(deliver, m)
	}
}

// Room waits until there is room. It is false when the client has gone.
func (m *mailbox) Room() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.data)+m.unsent > HighWater && !m.gone {
		m.post()
		m.changed.Wait()
	}
	return !m.gone
}

func (m *mailbox) Unsent() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.data) + m.unsent
}

func (m *mailbox) Finish(complete bool) {
	m.mu.Lock()
	m.finished, m.complete = true, complete
	m.post()
	m.mu.Unlock()
}

// TakenOver is not called: a goroutine has no loop to lose.
func (m *mailbox) TakenOver() []byte { return nil }

// Park makes what the connection's wire does.
func (m *mailbox) Park() Parked { return m.wire.Park() }

func deliver(m any) { m.(*mailbox).deliver() }

// deliver passes on to the connection's wire what is there. It runs on the loop.
func (m *mailbox) deliver() {
	m.mu.Lock()
	if m.gone {
		m.mu.Unlock()
		return
	}
	m.posted = false
	head, data, finished := m.head, m.data, m.finished
	m.head, m.data = false, nil
	m.unsent += len(data) // until resume looks: what is on its way takes room as well
	m.mu.Unlock()

	if head {
		m.x.head.Done = finished
		m.wire.Head(&m.x.head)
	}
	if len(data) > 0 {
		m.wire.Chunk(data)
	}
	m.mu.Lock()
	if m.data == nil {
		m.data = data[:0]
	}
	m.mu.Unlock()
	m.resume()
	if finished {
		m.mu.Lock()
		m.gone = true
		m.mu.Unlock()
		m.wire.Finish(m.complete)
	}
}

// resume looks again how much the client has taken. It runs on the loop.
func (m *mailbox) resume() {
	m.mu.Lock()
	m.unsent = m.wire.Unsent()
	m.changed.Broadcast()
	m.mu.Unlock()
	if d := m.x.deferred; d != nil {
		d.drained()
	}
}

// leave tells the goroutine that nobody reads any more. It runs on the loop.
func (m *mailbox) leave() {
	m.mu.Lock()
	m.gone = true
	m.changed.Broadcast()
	m.mu.Unlock()
}
