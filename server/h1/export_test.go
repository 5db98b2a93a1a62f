package h1

import (
	"unsafe"

	"github.com/weirhttp/weir/loop"
)

// ParkedSize is what a request that waits takes, in octets.
const ParkedSize = unsafe.Sizeof(parked{})

// For the tests of the transition table.
const (
	States = int(states)
	Events = int(events)
	None   = int(none)
)

// States that the tests name.
const (
	Idle      = int(idle)
	InHead    = int(inHead)
	InContent = int(inContent)
	Answering = int(answering)
	Streaming = int(streaming)
	Unread    = int(unread)
	Closing   = int(closing)

	ConnectionClosed = int(connectionClosed)
)

// Transition is an entry of the table.
func Transition(s, e int) int { return int(transitions[s][e]) }

// Move moves a connection that is in state s, and returns the state that it is in then.
func Move(s, e int) int {
	c := &conn{state: state(s)}
	c.move(event(e))
	return int(c.state)
}

// StateOf is the state of a connection.
func StateOf(h loop.Handler) int { return int(h.(*conn).state) }

// Remembered is the head that the protocol's next request is compared with, if one is.
func Remembered(p *Protocol) string {
	if len(p.free) == 0 {
		return ""
	}
	return string(p.free[len(p.free)-1].repeat.head)
}

// MaxRepeat is the length of the longest head that is remembered, in octets.
const MaxRepeat = maxRepeat
