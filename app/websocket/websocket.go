// Package websocket is WebSocket (RFC 6455) for applications: a request asks for an upgrade, the application accepts it with Upgrade,
// and its Handler is told of messages from then on. A socket lives on its event loop: while nothing happens it has neither a
// goroutine nor a buffer.
//
//	func echo(environ *app.Environ, start app.StartResponse) app.Body {
//		return websocket.Upgrade(environ, start, websocket.Funcs{
//			OnMessage: func(c websocket.Conn, kind websocket.Kind, data []byte) { c.Send(kind, data) },
//		})
//	}
package websocket

import (
	"errors"
	"net/netip"
	"strconv"

	"github.com/weirhttp/weir/app"
)

// Kind is what a message is made of.
type Kind uint8

// The kinds of messages (RFC 6455 5.6).
const (
	Text   Kind = 1 // UTF-8: what is received was checked
	Binary Kind = 2
)

// Code is why a connection was closed (RFC 6455 7.4.1).
type Code uint16

// Codes. From 4000 to 4999 they are the application's own.
const (
	CodeNormal      Code = 1000
	CodeGoingAway   Code = 1001 // the server ends, or the page was left
	CodeProtocol    Code = 1002 // the peer broke the protocol
	CodeUnsupported Code = 1003 // a kind of message that is not wanted
	CodeNone        Code = 1005 // never sent: the peer gave no code
	CodeLost        Code = 1006 // never sent: the connection ended without a close
	CodeInvalid     Code = 1007 // text that is not UTF-8
	CodePolicy      Code = 1008
	CodeTooBig      Code = 1009
	CodeFailed      Code = 1011 // the server failed, or the client did not answer a ping
	CodeTryLater    Code = 1013
)

func (c Code) String() string { return strconv.Itoa(int(c)) }

// ErrFull is what sending returns when more waits for the client than Upgrader.MaxUnsent. The message was not taken.
var ErrFull = errors.New("websocket: too much is unsent")

// ErrMessage is what sending returns for a message that cannot be one: text that is not UTF-8, a kind that there is not.
var ErrMessage = errors.New("websocket: text must be UTF-8, and a message text or binary")

// Handler is an application's side of one connection. Its methods are called on the event loop of the connection, one after the
// other and in order. One that blocks does not stop the loop: the next message waits until it has returned.
type Handler interface {
	// Open is called first.
	Open(c Conn)
	// Message is called with each message. data is a view: good, and the handler's to change, until Message returns.
	Message(c Conn, kind Kind, data []byte)
	// Close is the last call, whichever side has ended the connection. code and reason are the client's if its close came first, else those that
	// were sent to it; CodeLost when neither was.
	Close(c Conn, code Code, reason string)
}

// Conn is an open connection. Its methods are safe for use by any goroutine, and wait for nobody.
type Conn interface {
	app.Executor
	// Executor is the loop of the connection.
	Executor() app.Executor
	// Send sends a message, which it copies. unsent is how many octets wait for the client: a producer that sees it grow should slow down until
	// Drained (Watch). err is ErrFull, ErrMessage, or app.ErrGone when the connection has ended or Close was called.
	Send(kind Kind, data []byte) (unsent int, err error)
	// SendPrepared is Send of a message that goes to many: it is not copied.
	SendPrepared(m *Prepared) (unsent int, err error)
	// Close ends the connection behind what was sent before: reason is UTF-8 of up to 123 octets. err is app.ErrGone when that was done, ErrMessage for
	// a code or reason that cannot be sent.
	Close(code Code, reason string) error
	// Watch has w told, until Unwatch, when the client has caught up (Drained, after unsent was above 64 KiB) and, once, when the connection has
	// ended (Left). It is for those who send to connections that are others'. w is comparable.
	Watch(w app.Watcher)
	// Unwatch ends Watch, but for a call that is on its way.
	Unwatch(w app.Watcher)
	// Subprotocol is the one that was agreed on, "" for none.
	Subprotocol() string
	// Remote is the client's address, the zero AddrPort on a Unix socket.
	Remote() netip.AddrPort
}

// Funcs is a Handler of functions; those that are nil do nothing.
type Funcs struct {
	OnOpen    func(c Conn)
	OnMessage func(c Conn, kind Kind, data []byte)
	OnClose   func(c Conn, code Code, reason string)
}

// Open implements Handler.
func (f Funcs) Open(c Conn) {
	if f.OnOpen != nil {
		f.OnOpen(c)
	}
}

// Message implements Handler.
func (f Funcs) Message(c Conn, kind Kind, data []byte) {
	if f.OnMessage != nil {
		f.OnMessage(c, kind, data)
	}
}

// Close implements Handler.
func (f Funcs) Close(c Conn, code Code, reason string) {
	if f.OnClose != nil {
		f.OnClose(c, code, reason)
	}
}
