package exchange

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/weirhttp/weir/app"
)

// startResponse is the StartResponse that applications are given. It runs where the application runs.
func (x *Exchange) startResponse(status string, headers []app.Header, cause ...error) app.Write {
	if x.phase != waiting {
		switch x.phase {
		case ended:
			return x.write // which tells that the client is gone
		case parked:
			panic(&app.StartResponseError{Reason: "called although the answer is deferred"})
		}
		x.withdraw(errors.Join(cause...))
	}
	h := &x.head
	if h.Code != 0 && h.Status == status && slices.Equal(h.Headers, headers) {
		h.Done = false
		x.phase = started
		return x.write // they were judged then
	}
	code, wrong := app.CheckStatus(status)
	switch {
	case wrong != "":
	case code < 200:
		wrong = "status is an interim one, which cannot be the answer"
	default:
		*h = Head{Status: status, Code: code, Headers: append(h.Headers[:0], headers...), Rendered: Rendered{Octets: h.Rendered.Octets[:0]}}
		wrong = h.inspect()
	}
	if wrong != "" {
		// An application that recovers from the error has had its one call.
		*h = Head{Headers: h.Headers[:0], Rendered: Rendered{Octets: h.Rendered.Octets[:0]}}
		x.phase, x.refusal = refused, &app.StartResponseError{Reason: wrong}
		panic(x.refusal)
	}
	x.phase = started
	return x.write
}

// withdraw is the second call of start_response: it needs a cause, and must come before the head is sent.
func (x *Exchange) withdraw(cause error) {
	if cause == nil {
		panic(&app.StartResponseError{Reason: "called a second time without a cause"})
	}
	if x.phase == sending {
		panic(&app.StartResponseError{Reason: "called again after the head was sent", Cause: cause})
	}
}

// inspect checks the headers, and notes those that concern the server.
func (h *Head) inspect() (wrong string) {
	for i := range h.Headers {
		f := &h.Headers[i]
		if wrong := app.CheckHeader(*f); wrong != "" {
			return wrong + ": " + strconv.Quote(f.Name)
		}
		switch len(f.Name) {
		case len("Date"):
			h.HasDate = h.HasDate || strings.EqualFold(f.Name, "Date")
		case len("Server"):
			h.HasServer = h.HasServer || strings.EqualFold(f.Name, "Server")
		case len("Content-Length"):
			if strings.EqualFold(f.Name, "Content-Length") {
				n, err := strconv.ParseUint(f.Value, 10, 63)
				if err != nil || f.Value[0] == '+' {
					return "Content-Length is not a number of octets: " + strconv.Quote(f.Value)
				}
				if h.HasLength {
					return "Content-Length is declared twice"
				}
				h.HasLength, h.Length = true, int64(n)
			}
		}
	}
	return ""
}

// writeChunk is the Write that startResponse returns.
func (x *Exchange) writeChunk(chunk []byte) (unsent int, err error) {
	x.leave() // what follows is the loop's work, or waits for the client
	defer x.enter()
	if x.phase == ended || x.mail != nil && !x.mail.Room() {
		return 0, app.ErrGone
	}
	x.writePieces(chunk)
	return x.wire.Unsent(), nil
}

// writePieces passes on a chunk that was written, at once.
func (x *Exchange) writePieces(chunk []byte) {
	x.written = true
	for len(chunk) > 0 {
		piece := chunk[:min(len(chunk), pieceSize)]
		chunk = chunk[len(piece):]
		x.emit(piece)
	}
	if x.phase == started {
		x.sendHead(-1) // the head leaves with the first write, even of nothing
	}
	x.wire.Flush()
}
