// Package ws is WebSocket (RFC 6455) on a connection that has left HTTP: it reads frames, calls the application's
// websocket.Handler with messages, and writes what the application sends.
package ws

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/exchange"
)

// conn is the handler of a connection, and the application's websocket.Conn. While it is idle, this struct and that of the connection
// are all that it costs.
type conn struct {
	*loop.Conn

	// The loop's.
	accepted *websocket.Accepted
	calls    exchange.Calls
	running  event    // the call that runs
	partial  *partial // nil: no message has begun
	discard  int64    // octets to come that nobody wants
	reason   string   // with code
	behind   int      // octets that are in behind the message which is being given to the application
	seen     uint32   // what Received was when the deadline was set
	code     websocket.Code
	stage    stage
	inside   bool // Data is running
	pinged   bool
	opened   bool // Open has returned
	over     bool // Close is to be called
	told     bool // it was, or is to be

	outbox
}

// stage is how far the end of a connection is.
type stage uint8

const (
	open    stage = iota
	closing       // a close was sent, the client's is waited for
	ended         // nothing is read any more
)

// event is a call of the application.
type event struct {
	what uint8
	kind websocket.Kind
	data []byte
}

const (
	onOpen uint8 = iota
	onMessage
	onClose
)

// New returns the handler of c, whose application has accepted what to is: a *websocket.Accepted.
func New(host *exchange.Host, c *loop.Conn, to any) loop.Handler {
	w := &conn{Conn: c, accepted: to.(*websocket.Accepted), code: websocket.CodeLost}
	w.calls.Init(host, w, w.accepted.Path)
	return w
}

// Opened implements loop.Handler.
func (c *conn) Opened() {
	c.calls.Opened()
	c.rest()
	c.call(event{what: onOpen}, false)
}

// rest sets the deadline of a connection that waits for a message.
func (c *conn) rest() {
	c.pinged, c.seen = false, c.Received()
	c.SetDeadline(max(c.accepted.Upgrader.PingInterval, 0))
}

// call has the application called, on the loop if it is not known to block. Input waits until it has returned. It does not return when the loop was
// taken over meanwhile. view tells that the data is of the loop's buffer.
func (c *conn) call(e event, view bool) {
	if !c.calls.Blocks() {
		c.running = e
		c.postpone()
		c.returned(c.calls.Run())
		return
	}
	if view {
		e.data = slices.Clone(e.data)
	}
	c.running = e
	c.Hold()
	if !c.calls.Start(e.what == onClose) {
		c.running = event{}
		c.fail(websocket.CodeTryLater, "too many calls are running")
	}
}

// Call implements exchange.Caller.
func (c *conn) Call() {
	h, e := c.accepted.Handler, &c.running
	switch e.what {
	case onOpen:
		h.Open(c)
	case onMessage:
		h.Message(c, e.kind, e.data)
	case onClose:
		h.Close(c, c.code, c.reason)
	}
}

// TakenOver implements exchange.Caller.
func (c *conn) TakenOver() {
	if c.inside {
		c.inside = false
		c.Interrupted(c.behind)
	} else {
		c.Hold()
	}
	c.resumePosting()
}

// Returned implements exchange.Caller: the next message may come.
func (c *conn) Returned(err error) {
	c.returned(err)
	c.Release()
}

// returned goes on when a call has returned.
func (c *conn) returned(err error) {
	what := c.running.what
	c.running = event{}
	if what == onClose {
		return
	}
	c.opened = true
	if err != nil {
		c.fail(websocket.CodeFailed, "")
	}
	c.deliver()
	if c.over {
		c.tellClose()
	}
}

// fail ends the connection with a close that nobody waits for the answer to (RFC 6455 7.1.7).
func (c *conn) fail(code websocket.Code, why string) {
	if c.stage == ended {
		return
	}
	if c.stage == open {
		c.code, c.reason = code, why
	}
	c.end(ws.OpClose, closeData(code, why), loop.ReasonProtocol)
}

func closeData(code websocket.Code, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// end sends the last frame, if there is one to send, behind what waits, and closes.
func (c *conn) end(frame ws.OpCode, data []byte, reason loop.Reason) {
	send := c.stage == open && frame != 0
	c.stage = ended
	c.partial = nil
	frames, closes := c.drop()
	for _, f := range frames {
		if send {
			c.Write(f)
		}
	}
	if send && !closes {
		c.Write(websocket.Control(frame, data))
	}
	c.Finish(reason, true)
	c.conclude()
}

// conclude has Close called, once, behind the call that runs.
func (c *conn) conclude() {
	if c.told || !c.opened && !c.calls.Away() {
		return
	}
	c.told, c.over = true, true
	if !c.calls.Away() {
		c.calls.Post(tellClose, c)
	}
}

// EOF implements loop.Handler: the client sends no more, and has not closed.
func (c *conn) EOF() {
	if c.Held() || !c.EndOfFile() || c.stage == ended {
		return // what it sent before comes first
	}
	c.end(0, nil, loop.ReasonEOF)
}

// Timeout implements loop.Handler.
func (c *conn) Timeout() {
	u := c.accepted.Upgrader
	switch {
	case c.stage == closing:
		c.end(0, nil, loop.ReasonTimeout)
	case c.Held(): // it is the application who is waited for
		c.rest()
	case c.partial != nil:
		c.fail(websocket.CodePolicy, "the message took too long")
	case c.Received() != c.seen || !c.Room(): // without room it is the output's progress that counts
		c.rest()
	case !c.pinged:
		c.pinged = true
		c.Write(websocket.Control(ws.OpPing, nil))
		c.SetDeadline(max(u.PongTimeout, 0))
	default:
		c.fail(websocket.CodeFailed, "the ping was not answered")
	}
}

// Shutdown implements loop.Handler.
func (c *conn) Shutdown() { _ = c.Close(websocket.CodeGoingAway, "the server ends") }

// Closed implements loop.Handler.
func (c *conn) Closed(reason loop.Reason) {
	c.stage, c.partial = ended, nil
	c.calls.Closed()
	c.drop()
	c.conclude()
	if reason == loop.ReasonShutdown && c.over && !c.calls.Away() { // the loop may be about to end
		c.over, c.running = false, event{what: onClose}
		c.calls.Start(true)
	}
}

func tellClose(p any) {
	c := p.(*conn)
	if !c.calls.Away() {
		c.tellClose()
	}
}

// tellClose tells the application of the end.
func (c *conn) tellClose() {
	if c.over {
		c.over = false
		c.call(event{what: onClose}, false)
	}
}

// Executor implements websocket.Conn. Any goroutine, as those that follow.
func (c *conn) Executor() app.Executor { return c.calls.Executor() }

// Post implements app.Executor.
func (c *conn) Post(f func()) { c.calls.Executor().Post(f) }

// After implements app.Executor.
func (c *conn) After(d time.Duration, f func()) { c.calls.Executor().After(d, f) }

// Subprotocol implements websocket.Conn.
func (c *conn) Subprotocol() string { return c.accepted.Subprotocol }

var (
	_ websocket.Conn  = (*conn)(nil)
	_ exchange.Caller = (*conn)(nil)
)
