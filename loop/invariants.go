//go:build unix && invariants

package loop

import "fmt"

// Poison overwrites octets that nobody may look at any more, so that a view which outlives its time shows: with the build tag "invariants", by which
// after each event the state of its connections must be consistent too.
func Poison(p []byte) {
	for i := range p {
		p[i] = 0xDB
	}
}

// check panics when the loop, or c, is not in a state in which an event may end. c may be nil.
func (l *Loop) check(c *Conn) {
	switch {
	case len(l.turn.batch) > 0 || l.turn.batchOf != nil:
		panic("loop: output is left in the batch at the end of an event")
	case len(l.released) > 0 || len(l.doomed) > 0:
		panic("loop: connections are left in the lists of an event")
	case l.epoch.Load()&1 == 1:
		panic("loop: a call into the application runs at the end of an event")
	case c == nil:
		return
	}
	if wrong := c.wrong(); wrong != "" {
		panic(fmt.Sprintf("loop: %s: state %d, interest %d, held %v, eof %v, full %v", wrong, c.state, c.interest, c.held, c.EndOfFile(), c.full))
	}
	if h, ok := c.handler.(interface{ Check() (wrong string) }); ok {
		if wrong := h.Check(); wrong != "" {
			panic(wrong)
		}
	}
}

// wrong tells what is inconsistent about a connection.
func (c *Conn) wrong() string {
	_, listed := c.loop.paused[c]
	switch {
	case c.state == closed:
		if c.in != nil || c.out != nil || listed || c.at != 0 {
			return "a closed connection holds something"
		}
	case c.memory() == nil && c.loop.conns.get(int(c.fd)) != c:
		return "an open connection is not in the table"
	case listed != (c.memory() == nil && c.interest == pausedInput) && !edgeTriggered:
		return "the list of paused connections is wrong"
	case c.full && c.out == nil && !c.failed && c.state == open:
		return "there is no room, and no output"
	case c.stall != 0 && c.out == nil:
		return "progress is expected of no output"
	case c.in != nil && len(c.in.unread()) == 0 && !c.held:
		return "an input buffer is kept that has nothing"
	case c.interest == unregistered && c.memory() == nil:
		return "the poller does not know the connection"
	}
	return ""
}
