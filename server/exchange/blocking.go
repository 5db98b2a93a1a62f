package exchange

import (
	"sync"

	"github.com/weirhttp/weir/app"
)

// RunBlocking calls application on a goroutine, with a detached environ. It is false when there are too many of them, and the request was
// refused.
func (x *Exchange) RunBlocking(application app.Application) bool {
	if !x.host.Occupy() {
		x.refuse()
		return false
	}
	x.Environ.Detach()
	x.mail = newMailbox(x)
	x.wire = x.mail
	go func() {
		defer x.host.Vacate()
		defer x.abandon()
		x.run(application)
		x.watch.learn()
	}()
	return true
}

// Occupy takes the place of an application on a goroutine, until Vacate; false: there is none left (MaxBlocking). Any goroutine may
// call it.
func (c *Config) Occupy() bool {
	if c.blocking.Add(1) > int64(c.MaxBlocking) {
		c.blocking.Add(-1)
		return false
	}
	return true
}

// Vacate gives a place back.
func (c *Config) Vacate() { c.blocking.Add(-1) }

// Blocking is how many applications run on goroutines. Any goroutine may call it.
func (c *Config) Blocking() int { return int(c.blocking.Load()) }

// refuse answers that there are enough blocking calls.
func (x *Exchange) refuse() {
	x.report(TooManyCalls, nil)
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
	changed  sync.Cond   // there is room again, or the client is gone
	head     bool        // x.head is to be passed on; it is not changed any more
	data     []byte      // content to be passed on
	files    []enclosure // behind it
	sending  enclosure   // what the wire has: nothing is passed on before it was sent
	finished bool
	complete bool
	cut      bool // Finish does not wait for a file that is being sent
	posted   bool // deliver is on its way
	gone     bool
	queued   int // octets in data and files
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
	last := &m.data
	if n := len(m.files); n > 0 {
		last = &m.files[n-1].behind
	}
	*last = appendPiece(*last, p)
	m.queued += len(p)
	m.mu.Unlock()
}

// File is not called: a file is enclosed.
func (m *mailbox) File(app.File, int64, int64) {}

// FileShort is not called.
func (m *mailbox) FileShort() bool { return false }

func (m *mailbox) Flush() {
	m.mu.Lock()
	m.post()
	m.mu.Unlock()
}

// post has deliver called on the loop. m.mu is held.
func (m *mailbox) post() {
	if !m.posted && !m.gone && (m.head || m.queued > 0 || m.finished) {
		m.posted = true
		m.x.host.loop.Post(deliver, m)
	}
}

// Room waits until there is room. It is false when the client has gone.
func (m *mailbox) Room() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.queued+m.unsent > HighWater && !m.gone {
		m.post()
		m.changed.Wait()
	}
	return !m.gone
}

func (m *mailbox) Unsent() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queued + m.unsent
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
	if m.sending.file != nil {
		finished := m.finished && m.cut
		m.gone = finished
		m.mu.Unlock()
		if finished {
			m.wire.Finish(false)
		}
		return
	}
	head, data, done := m.head, m.data, m.finished
	m.head, m.data = false, nil
	m.queued -= len(data)
	m.unsent += len(data) // until look: what is on its way takes room as well
	file := m.next()
	finished := done && file == nil
	m.mu.Unlock()

	if head {
		m.x.head.Done = done
		m.wire.Head(&m.x.head)
	}
	if len(data) > 0 {
		m.wire.Chunk(data)
	}
	if file != nil {
		m.wire.File(file.file, file.offset, file.n)
	}
	m.mu.Lock()
	if data = emptied(data); m.data == nil {
		m.data = data
	}
	m.mu.Unlock()
	m.look()
	if finished {
		m.mu.Lock()
		m.gone = true
		m.mu.Unlock()
		m.wire.Finish(m.complete)
	}
}

// resume goes on when the client has taken what it had no room for. It runs on the loop, as does look.
func (m *mailbox) resume() {
	m.mu.Lock()
	filed := m.sending.file != nil
	m.mu.Unlock()
	if filed {
		m.fileSent()
	} else {
		m.look()
	}
}

// look looks again how much the client has taken.
func (m *mailbox) look() {
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
	m.closeFiles()
	m.sending.close()
	m.changed.Broadcast()
	m.mu.Unlock()
}
