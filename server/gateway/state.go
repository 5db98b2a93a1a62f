package gateway

import "fmt"

// state is what a connection waits for.
type state uint8

const (
	idle      state = iota // for the first octet of a request
	inHead                 // for the rest of the variables
	inContent              // for content that is read whole before the application is called
	answering              // for the application, or for room for its answer; the request was read whole
	streaming              // for both: content that the application reads, and the answer
	closing                // for nothing: the connection is being closed
	states
)

// event is what changes the state.
type event uint8

const (
	headStarted      event = iota // octets of a request came
	headComplete                  // all variables are there
	contentStreams                // the application is called although content is still to come
	contentComplete               // the end of the content came
	answered                      // the answer is written, or no longer wanted, and the connection is kept
	connectionClosed              // by us or the web server
	events
)

// none marks what cannot happen.
const none = states

// transitions is the state machine of a connection.
var transitions = [states][events]state{
	//          headStarted headComplete contentStreams contentComplete answered connectionClosed
	idle:      {inHead, none, none, none, none, closing},
	inHead:    {none, inContent, none, none, idle, closing},
	inContent: {none, none, streaming, answering, idle, closing},
	answering: {none, none, none, none, idle, closing},
	streaming: {none, none, none, answering, idle, closing},
	closing:   {none, none, none, none, none, closing},
}

// move changes the state. What the table does not have is a defect of this package.
func (c *conn) move(e event) {
	next := transitions[c.state][e]
	if next == none {
		panic(fmt.Sprintf("gateway: event %d in state %d", e, c.state))
	}
	c.state = next
}
