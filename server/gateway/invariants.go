//go:build invariants

package gateway

import "fmt"

// Check tells what is inconsistent about the connection at the end of an event.
func (c *conn) Check() (wrong string) {
	reading := c.state == inHead || c.state == inContent || c.state == streaming
	switch {
	case c.inside:
		wrong = "Data has not returned"
	case (c.state == idle || c.state == closing) && (c.t != nil || c.parked != nil):
		wrong = "there is a request in a state without one"
	case reading && c.t == nil:
		wrong = "the request is missing"
	case c.state == answering && c.t == nil && c.parked == nil:
		wrong = "nobody answers"
	case c.behind && (c.state != streaming || !c.Held()):
		wrong = "the application is behind with content that is delivered"
	case c.t != nil && c.t.c != c || c.parked != nil && c.parked.c != c:
		wrong = "the request is another connection's"
	}
	if wrong != "" {
		return fmt.Sprintf("gateway: %s: state %d", wrong, c.state)
	}
	return ""
}
