package h1

import "fmt"

// state is what a connection waits for. The read side and what it owes the client are one state, because
// requests are answered one after the other; the write side's own progress is in transaction.framing.
type state uint8

const (
	idle      state = iota // for the first octet of a request
	inHead                 // for the rest of a head
	inContent              // for content that is read whole before the application is called
	answering              // for the application, or for room for its answer; the request was read whole
	streaming              // for both: content that the application reads, and the answer
	unread                 // for the rest of content that the application did not read; the answer is written
	closing                // for nothing: the connection is being closed
	states
)

// event is what changes the state.
type event uint8

const (
	headStarted      event = iota // octets of a head came, not all
	contentMissing                // the head is complete, content to be read whole is not
	requestComplete               // head and content are there
	contentStreams                // the head is complete, content is longer than what is read whole
	contentComplete               // the end of streaming or unread content came
	answered                      // the answer is written
	answeredEarly                 // the answer is written, content is still to come and few enough to read
	connectionClosed              // by us or the client
	events
)

// none marks what cannot happen.
const none = states

// transitions is the state machine of a connection.
var transitions = [states][events]state{
	//          headStarted contentMissing requestComplete contentStreams contentComplete answered answeredEarly connectionClosed
	idle:      {inHead, inContent, answering, streaming, none, none, none, closing},
	inHead:    {inHead, inContent, answering, streaming, none, none, none, closing},
	inContent: {none, inContent, answering, streaming, none, none, none, closing},
	answering: {none, none, none, none, none, idle, none, closing},
	streaming: {none, none, none, none, answering, idle, unread, closing},
	unread:    {none, none, none, none, idle, none, none, closing},
	closing:   {none, none, none, none, closing, closing, closing, closing},
}

// move changes the state. What the table does not have is a defect of this package.
func (c *conn) move(e event) {
	next := transitions[c.state][e]
	if next == none {
		panic(fmt.Sprintf("h1: event %d in state %d", e, c.state))
	}
	c.state = next
}
