package hub

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
)

// CodeGone closes a WebSocket whose position the history does not reach: what is 410 for others.
const CodeGone websocket.Code = 4410

// ErrGone is what Subscribe returns when messages after Since are gone.
var ErrGone = errors.New("hub: messages after since are gone")

// Sockets returns the application of WebSockets: GET of prefix and the name of a topic, "/socket/" for one. More topics, or all, are
// named by parameters "topic". With Options.Wildcards they may be patterns. u says who may connect, and is not changed any more; nil: as websocket.Upgrade.
//
// The first message to a client is its position,
//
//	{"last":11}
//
// and each one behind it is one of the topics, in the form of a Poll's answer:
//
//	{"id":12,"topic":"chat","data":"text"}
//
// A client that connects again names the last id that it has seen in the parameter since, and misses nothing; 0 stands for the
// beginning of what the history has, and without any it begins now. When since is too old the client gets
//
//	{"error":"...","oldest":3,"newest":11}
//
// and a close with CodeGone, because browsers do not show the answer to a handshake to their pages. A client that is slower than its topics goes on from the
// history; when that does not reach back any more, it is closed with CodeGone. Close of the hub closes with 1001.
//
// received is called with what clients send, as websocket.Handler.Message; topics are those of the client. nil: they may not, and are closed
// with 1003.
func (h *Hub) Sockets(prefix string, u *websocket.Upgrader, received func(c websocket.Conn, topics []string, kind websocket.Kind, data []byte)) app.Application {
	if u == nil {
		u = new(websocket.Upgrader)
	}
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		hold, q, refusal := h.parse(environ, prefix, "GET")
		if last, ok := lastEventID(environ, q); ok && refusal == nil {
			refusal = hold.readSince(last)
		}
		if refusal != nil {
			return answer(environ, start, refusal)
		}
		return u.Upgrade(environ, start, &socket{h, hold, received})
	}
}

// socket is the handler of a client of Sockets.
type socket struct {
	hub      *Hub
	hold     Hold
	received func(c websocket.Conn, topics []string, kind websocket.Kind, data []byte)
}

// Open implements websocket.Handler.
func (s *socket) Open(c websocket.Conn) {
	switch _, err := s.hub.Subscribe(c, s.hold); {
	case errors.Is(err, ErrGone):
		page, _ := s.hub.read(s.hold.keys(), s.hold.Since, 0)
		_, _ = c.Send(websocket.Text, bytes.TrimSpace(gone(page).Content))
		_ = c.Close(CodeGone, err.Error())
	case err != nil:
		_ = c.Close(websocket.CodeTryLater, "the hub is not available")
	}
}

// Message implements websocket.Handler.
func (s *socket) Message(c websocket.Conn, kind websocket.Kind, data []byte) {
	if s.received == nil {
		_ = c.Close(websocket.CodeUnsupported, "nothing is received here")
		return
	}
	s.received(c, s.hold.Topics, kind, data)
}

// Close implements websocket.Handler.
func (s *socket) Close(websocket.Conn, websocket.Code, string) {}

// Subscribe has a WebSocket get the messages of topics, as Sockets has it: of hold count Topics, Since, Told and Wildcards. A connection may have several
// subscriptions; they end with it, or with what is returned. After an error, which is ErrClosed, ErrGone or wraps ErrHold, there is none.
func (h *Hub) Subscribe(c websocket.Conn, hold Hold) (unsubscribe func(), err error) {
	if h.released.Load() {
		return nil, ErrClosed
	}
	hold = Hold{Topics: hold.Topics, Since: hold.Since, Told: hold.Told, Wildcards: hold.Wildcards, Stream: true}
	if err := h.check(&hold); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHold, err)
	}
	if !hold.Told {
		hold.Since = 0
	}
	page, err := h.read(hold.Topics, hold.Since, 0)
	switch {
	case err != nil:
		return nil, err
	case page.Gone:
		return nil, ErrGone
	case !hold.Told:
		hold.Since = page.Last
	}
	s := h.stream(&wire{c}, &hold)
	return func() {
		s.end()
		c.Unwatch(s)
	}, nil
}

// wire is the outlet of a stream over a WebSocket. That has signs of life of its own.
type wire struct{ websocket.Conn }

func (w *wire) begin(since uint64) (unsent int, err error) {
	b := append(strconv.AppendUint([]byte(`{"last":`), since, 10), '}')
	return w.took(w.Send(websocket.Text, b))
}

func (w *wire) message(m Message, d *delivery) (unsent int, err error) {
	if d != nil {
		return w.took(w.SendPrepared(d.prepared()))
	}
	return w.took(w.SendPrepared(prepare(m)))
}

// took is what sending returns, as outlets have it.
func (w *wire) took(unsent int, err error) (int, error) {
	if errors.Is(err, websocket.ErrFull) {
		err = errFull
	}
	return unsent, err
}

func (w *wire) life(uint64) (unsent int, err error) { return 0, nil }

func (w *wire) end(why error) {
	switch why {
	case ErrClosed:
		_ = w.Close(websocket.CodeGoingAway, "the hub closes")
	case ErrGone:
		_ = w.Close(CodeGone, ErrGone.Error())
	default:
		_ = w.Close(websocket.CodeFailed, "")
	}
}

// prepare renders a message for WebSockets.
func prepare(m Message) *websocket.Prepared {
	p, err := websocket.Prepare(websocket.Text, bytes.TrimSpace(messageAnswer(m).Content))
	if err != nil {
		panic(err) // JSON is UTF-8
	}
	return p
}
