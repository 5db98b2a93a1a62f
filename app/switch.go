package app

import "errors"

// ErrNoSwitch is what Environ.SwitchProtocols returns when the connection of the request cannot be handed to another protocol.
var ErrNoSwitch = errors.New("app: this server cannot switch protocols")

// Switcher is a Source whose connection can leave HTTP.
type Switcher interface {
	// SwitchProtocols is Environ.SwitchProtocols. The fields were checked.
	SwitchProtocols(headers []Header, to any) error
}

// SwitchProtocols answers the request with 101 (RFC 9110 15.2.2), and hands its connection to another protocol. headers
// go with the answer, beside Upgrade and Connection, which are the server's; they keep the rules of StartResponse. to is what that
// protocol is, for the server to know: package app/websocket makes it, and offers what applications use.
//
// It is called before start_response, like Defer, and the application returns nil. Only HTTP/1.1 of weir's own server can do it:
// others return ErrNoSwitch, and the request is to be answered as any other.
func (e *Environ) SwitchProtocols(headers []Header, to any) error {
	s, ok := e.source.(Switcher)
	if !ok {
		return ErrNoSwitch
	}
	for _, h := range headers {
		if wrong := CheckHeader(h); wrong != "" {
			return errors.New("app: " + wrong + ": " + h.Name)
		}
	}
	return s.SwitchProtocols(headers, to)
}
