//go:build unix

package loop

// Memory is the far end of a connection without a socket, for tests and benchmarks of what is above the
// loop. Its methods are called on the loop; on a reactor that was not started, by the one goroutine that drives it.
type Memory struct {
	c      *Conn
	at     between
	sink   func(p []byte) int
	closed bool
}

// Connect makes a connection of h that receives what Feed is given. sink takes output: as many octets as it
// returns, the rest is kept as by a client that does not read.
func (l *Loop) Connect(h Handler, ln *Listener, sink func(p []byte) int) *Memory {
	c := h.base()
	m := &Memory{c: c, sink: sink}
	m.at.memory = m
	c.loop, c.handler, c.listener, c.between = l, h, ln, &m.at
	c.fd, c.interest = -1, unregistered
	l.open.Add(1)
	h.Opened()
	return m
}

// NewMemoryListener returns a listener that stands for an address in memory connections.
func NewMemoryListener(host string, port int) *Listener {
	return &Listener{network: "tcp", host: host, port: port}
}

// Feed delivers p as if it had been received in one read; p is not kept.
func (m *Memory) Feed(p []byte) {
	for c := m.c; len(p) > 0 && c.state == open; c = m.c { // another one, after Become
		if y := c.layer(); y != nil {
			if y.in == nil {
				y.in = newInput(len(p))
			}
			y.in.add(p)
			c.openKept()
			break
		}
		buf := c.loop.turn.in
		if c.in == nil && c.held {
			c.in = newInput(holdSize)
		}
		if c.in != nil {
			buf = c.in.room()
		}
		n := copy(buf, p)
		p = p[n:]
		viewed := c.in != nil
		c.received(buf[:n])
		if !viewed {
			Poison(buf[:n])
		}
	}
	m.c.loop.settle()
	m.c.loop.check(m.c)
}

// EOF ends the client's sending.
func (m *Memory) EOF() {
	if m.c.state != closed {
		m.c.endOfFile()
		m.c.loop.settle()
	}
}

// Shutdown tells the connection of the end, as Reactor.Shutdown does.
func (m *Memory) Shutdown() {
	m.c.loop.Post(shutdownConn, m.c)
	m.c.loop.RunPosted()
}

// Reset is the client's vanishing.
func (m *Memory) Reset() { m.c.close(ReasonReset) }

// Drain lets the sink take more of what is kept.
func (m *Memory) Drain() {
	if m.c.out != nil && m.c.state != closed {
		m.c.drain()
		m.c.loop.settle()
	}
}

// Closed tells whether the connection has ended.
func (m *Memory) Closed() bool { return m.closed }

// RunPosted runs what was posted to a loop that is not started.
func (l *Loop) RunPosted() { l.runTasks() }

func (m *Memory) send(head, p []byte) (int, error) {
	n := 0
	if len(head) > 0 {
		n = m.sink(head)
	}
	if n == len(head) && len(p) > 0 {
		n += m.sink(p)
	}
	return n, nil
}
