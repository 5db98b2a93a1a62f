//go:build invariants

package h1

import "fmt"

// Check tells what is inconsistent about the connection at the end of an event.
func (c *conn) Check() (wrong string) {
	switch {
	case c.inside:
		wrong = "Data has not returned"
	case c.state == idle && (c.t != nil || c.parked != nil):
		wrong = "an idle connection has a request"
	case c.state == closing && (c.t != nil || c.parked != nil):
		wrong = "a closing connection has a request"
	case (c.state == inHead || c.state == inContent || c.state == streaming || c.state == unread) && c.t == nil:
		wrong = "the request is missing"
	case c.state == answering && c.t == nil && c.parked == nil:
		wrong = "nobody answers"
	case c.state == answering && !c.Held():
		wrong = "input is delivered while a request is answered"
	case c.t != nil && c.t.c != c || c.parked != nil && c.parked.c != c:
		wrong = "the request is another connection's"
	}
	if wrong != "" {
		return fmt.Sprintf("h1: %s: state %d", wrong, c.state)
	}
	return ""
}
