package ws

import (
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
)

// pieceSize bounds what is written of a frame at once, in octets, because a connection copies what the client does not take: many slow ones are
// not to have a copy each of a message that they share. A piece is behind another one while there is room: whoever finds room finds no frame half
// written.
const pieceSize = 64 << 10

// highWater is above how many octets watchers are told later that the client has caught up: as for Deferred.
const highWater = 64 << 10

// outbox is what is on its way to the client, and not the connection's yet: frames that do not change, so that many connections
// share those of a message that was prepared.
type outbox struct {
	mu       sync.Mutex // guards what follows
	frames   [][]byte   // nil: there are none
	queued   int        // octets in frames
	unsent   int        // the connection's, when it was looked at last
	watchers []app.Watcher
	posted   bool   // deliver is on its way
	sealed   bool   // the last frame is in, or nobody reads any more
	farewell []byte // what the close says that is the last frame, and has not left; nil: it is none
	slow     bool   // the watchers are to be told when the client has caught up
	gone     bool   // the connection has ended
}

// ---- any goroutine

// Send implements websocket.Conn.
func (c *conn) Send(kind websocket.Kind, data []byte) (unsent int, err error) {
	if err := websocket.Check(kind, data); err != nil {
		return 0, err
	}
	return c.send(websocket.Frame(kind, data, c.compresses(len(data))))
}

// SendPrepared implements websocket.Conn.
func (c *conn) SendPrepared(m *websocket.Prepared) (unsent int, err error) {
	return c.send(m.Frame(c.compresses(m.Len())))
}

// compresses tells whether a message of n octets is sent compressed.
func (c *conn) compresses(n int) bool {
	return c.accepted.Deflate && n >= c.accepted.Upgrader.CompressFrom
}

func (c *conn) send(frame []byte) (unsent int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := c.queued + c.unsent
	switch {
	case c.sealed:
		return 0, app.ErrGone
	case waits > 0 && waits+len(frame) > c.accepted.Upgrader.MaxUnsent:
		if !c.slow {
			c.slow = true
			c.calls.Post(awaitRoom, c)
		}
		return waits, websocket.ErrFull
	}
	c.put(frame)
	waits += len(frame)
	c.slow = c.slow || waits > highWater
	return waits, nil
}

// Close implements websocket.Conn.
func (c *conn) Close(code websocket.Code, reason string) error {
	if !sendable(code) || len(reason) > ws.MaxControlFramePayloadSize-2 || !utf8.ValidString(reason) {
		return websocket.ErrMessage
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed {
		return app.ErrGone
	}
	c.farewell = closeData(code, reason)
	c.put(websocket.Control(ws.OpClose, c.farewell))
	c.sealed = true
	return nil
}

// sendable tells whether a close may have the code (RFC 6455 7.4). From 1012 to 1014 they were registered later.
func sendable(code websocket.Code) bool {
	return code >= 1012 && code <= 1014 || ws.CheckCloseFrameData(ws.StatusCode(code), "") == nil && code < 5000
}

// put puts a frame last. mu is held.
func (c *conn) put(frame []byte) {
	c.frames = append(c.frames, frame)
	c.queued += len(frame)
	if !c.posted {
		c.posted = true
		c.calls.Post(deliver, c)
	}
}

// Watch implements websocket.Conn.
func (c *conn) Watch(w app.Watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		c.Post(w.Left)
		return
	}
	c.watchers = append(c.watchers, w)
}

// Unwatch implements websocket.Conn.
func (c *conn) Unwatch(w app.Watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.watchers, w); i >= 0 {
		c.watchers = slices.Delete(c.watchers, i, i+1)
	}
}

// ---- the loop's

func deliver(p any) { p.(*conn).deliver() }

// awaitRoom has the watchers told when the client has taken more, however little it was that left no room for a message.
func awaitRoom(p any) {
	c := p.(*conn)
	if !c.IsOpen() || !c.AwaitDrained() {
		c.deliver()
	}
}

// postpone has what the application sends in the call that follows wait for the end of the call, when it leaves with one write.
func (c *conn) postpone() {
	c.mu.Lock()
	c.posted = true
	c.mu.Unlock()
}

// resumePosting is for when that call does not end on the loop.
func (c *conn) resumePosting() {
	c.mu.Lock()
	c.posted = false
	if len(c.frames) > 0 {
		c.posted = true
		c.calls.Post(deliver, c)
	}
	c.mu.Unlock()
}

// deliver writes what waits, as far as the client has room.
func (c *conn) deliver() {
	c.mu.Lock()
	frames := c.frames
	c.frames, c.posted = nil, false
	c.mu.Unlock()
	wrote, n := 0, 0
	for n < len(frames) && c.Room() && c.IsOpen() {
		f := frames[n]
		piece := f[:min(len(f), pieceSize)]
		c.Write(piece)
		wrote += len(piece)
		if frames[n] = f[len(piece):]; len(f) == len(piece) {
			n++
		}
	}
	if wrote > highWater/4 {
		c.Flush() // so that Unsent knows
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued -= wrote
	if rest := frames[n:]; len(rest) > 0 {
		c.frames = append(rest[:len(rest):len(rest)], c.frames...)
	}
	c.unsent = c.Unsent()
	c.settle()
	if c.farewell != nil && c.queued == 0 && c.stage == open {
		c.awaitClose()
	}
}

// settle tells the watchers if the client has caught up. mu is held.
func (c *conn) settle() {
	if c.slow && c.queued+c.unsent <= highWater && !c.gone {
		c.slow = false
		for _, w := range c.watchers {
			c.Post(w.Drained)
		}
	}
}

// awaitClose waits for the client's answer to the close that was written.
func (c *conn) awaitClose() {
	c.stage = closing
	code, reason := ws.ParseCloseFrameData(c.farewell)
	c.code, c.reason = websocket.Code(code), reason
	if p := c.partial; p != nil {
		c.partial, c.discard = nil, p.left
	}
	c.SetDeadline(max(c.accepted.Upgrader.CloseTimeout, 0))
}

// pong answers a ping. It goes before what waits (RFC 6455 5.5.3). A client that does not take its pongs gets the next one later.
func (c *conn) pong(payload []byte) {
	if c.Room() && c.stage == open {
		c.Write(websocket.Control(ws.OpPong, payload))
	}
}

// Drained implements loop.Handler.
func (c *conn) Drained() { c.deliver() }

// drop takes what waits out: nothing is sent any more. closes tells that its last frame is a close.
func (c *conn) drop() (frames [][]byte, closes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames, closes = c.frames, c.farewell != nil
	c.frames = nil
	c.queued, c.sealed, c.farewell = 0, true, nil
	if c.stage == ended && !c.gone {
		c.gone = true
		for _, w := range c.watchers {
			c.Post(w.Left)
		}
		c.watchers = nil
	}
	return frames, closes
}
