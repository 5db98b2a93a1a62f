// Package secure is TLS on a connection: the handshake runs on a goroutine beside the loop, which ends with it; from then on records are
// opened and sealed on the loop, in front of the connection's handler. An idle connection has no goroutine and no buffers of ours.
package secure

import (
	"crypto/tls"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/weirhttp/weir/loop"
)

// handshake is the handler of a connection until the client and the server are agreed. Nothing of it runs before the whole of the
// first record is there: a client that is slow with it costs no goroutine.
type handshake struct {
	loop.Conn
	acceptor *Acceptor
	pipe     *pipe // between the loop and the goroutine; nil before it runs
	tls      *tls.Conn
	spoken   bool // the client was sent something
}

const (
	recordHead   = 5
	recordAlert  = 21
	recordHello  = 22        // content type "handshake" (RFC 8446 5.1)
	maxHello     = 16 << 10  // octets of a record of plaintext
	earlyMost    = 128 << 10 // received and not read by the handshake: messages of up to 64 KiB, and what comes behind them
	sslv2Hello   = 0x80      // the first octet of old clients' greeting
	detachPeriod = 10 * time.Millisecond
)

// plainAnswer is for a client that speaks HTTP.
var plainAnswer = func() []byte {
	const text = "400 Bad Request: this port speaks HTTPS, the request is plain HTTP\n"
	return fmt.Appendf(nil, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}()

// protocolVersion is an alert that says so (RFC 8446 6.2).
var protocolVersion = []byte{recordAlert, 3, 1, 0, 2, 2, 70}

// Opened implements loop.Handler. A client that has too many connections is not worth a handshake.
func (h *handshake) Opened() {
	if h.OverLimit() {
		h.Finish(loop.ReasonDone, false)
		return
	}
	h.SetDeadline(h.acceptor.config.Timeout)
}

// Data implements loop.Handler.
func (h *handshake) Data(in []byte) (consumed int) {
	if h.pipe == nil {
		if !h.begins(in) {
			return len(in)
		}
		if len(in) < recordHead || len(in) < recordHead+recordLength(in) {
			return 0
		}
		h.pipe = newPipe(h, in)
		h.acceptor.begin(h)
		return len(in)
	}
	if h.pipe.feed(in) > earlyMost {
		h.Hold()
	}
	return len(in)
}

func recordLength(head []byte) int { return int(head[3])<<8 | int(head[4]) }

// begins tells whether in may be the beginning of a greeting. If it is not, the client is told what it can understand.
func (h *handshake) begins(in []byte) bool {
	reason := loop.ReasonProtocol
	switch c := in[0]; {
	case c == recordHello && (len(in) < 2 || in[1] == 3) && (len(in) < recordHead || recordLength(in) <= maxHello):
		return true
	case 'A' <= c && c <= 'Z':
		h.Write(plainAnswer)
	case c == recordHello, c == sslv2Hello:
		h.Write(protocolVersion)
	}
	h.Finish(reason, true)
	return false
}

// run is the goroutine.
func (h *handshake) run() {
	a := h.acceptor
	a.compute <- struct{}{}
	err := errPanic
	defer func() {
		if v := recover(); v != nil {
			a.log.Error("TLS handshake failed", "client", h.Remote(), "error", fmt.Sprint("panic: ", v), "stack", string(debug.Stack()))
		}
		<-a.compute
		h.Loop().Post(func(any) { h.finished(err) }, nil)
		a.end()
	}()
	h.tls = tls.Server(h.pipe.wire, a.config.TLS())
	err = h.tls.Handshake()
}

// errPanic is the end of a handshake in which a function of the configuration's has panicked.
var errPanic = errors.New("a function of the TLS configuration has panicked")

// finished goes on with the connection when the goroutine has ended.
func (h *handshake) finished(err error) {
	a := h.acceptor
	switch {
	case !h.IsOpen():
	case err != nil:
		a.log.Debug("TLS handshake failed", "client", h.Remote(), "error", err)
		reason := loop.ReasonProtocol
		if h.EndOfFile() {
			reason = loop.ReasonEOF
		}
		h.Finish(reason, true)
	default:
		if serve := a.config.Protocols[h.tls.ConnectionState().NegotiatedProtocol]; serve != nil {
			h.detach(serve)
			return
		}
		s := &session{conn: h.tls}
		h.pipe.wire.Conn = s
		h.Become(a.config.NewConn(h.Loop()), s, h.pipe.rest())
	}
	h.pipe.free()
}

// detach gives the connection to a protocol that runs on goroutines.
func (h *handshake) detach(serve func(*tls.Conn, *loop.Detached)) {
	switch {
	case !h.IsOpen():
	case h.Unsent() > 0: // of the handshake; the deadline still counts
		h.Loop().After(detachPeriod, func() { h.detach(serve) })
		return
	default:
		if d, err := h.Detach(h.pipe.rest()); err == nil {
			h.pipe.wire.Conn = &records{Detached: d}
			go serve(h.tls, d)
		} else {
			h.acceptor.log.Error("cannot hand a connection over", "client", h.Remote(), "error", err)
			h.Finish(loop.ReasonAborted, false)
		}
	}
	h.pipe.free()
}

// EOF implements loop.Handler: a client that was answered may have sent all that it has to send, its part of the handshake and a request.
func (h *handshake) EOF() {
	switch {
	case h.pipe == nil || !h.spoken:
		h.Finish(loop.ReasonEOF, false)
	case h.EndOfFile(): // what it sent before comes first
		h.pipe.end()
	}
}

// Drained implements loop.Handler.
func (h *handshake) Drained() {}

// Timeout implements loop.Handler.
func (h *handshake) Timeout() { h.Finish(loop.ReasonTimeout, false) }

// Shutdown implements loop.Handler.
func (h *handshake) Shutdown() {}

// Idle implements loop.Idler: a client that has begun may have a request.
func (h *handshake) Idle() bool { return h.pipe == nil }

// Closed implements loop.Handler.
func (h *handshake) Closed(loop.Reason) {
	if h.pipe != nil {
		h.pipe.fail()
	}
}

// grace is how long a handshake may take where nothing is configured.
const grace = 10 * time.Second
