// Package child has what programs need that start servers to measure them.
package child

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
)

// tailSize bounds what a Tail keeps, in octets.
const tailSize = 2048

// Tail keeps the last octets that a process has written. The zero value is empty; any goroutine may use it.
type Tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String is what was kept, without white space around it.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}

// Ports hands out ports of 127.0.0.1 that nobody listens at, each once. Any goroutine may use it.
type Ports struct{ next atomic.Int64 }

// NewPorts returns the ports from first on. They should stay below the range from which the kernel takes the clients' ports (32768 and
// up by default), where a port that was free a moment ago may be a client's now.
func NewPorts(first int) *Ports {
	p := &Ports{}
	p.next.Store(int64(first))
	return p
}

// Free returns the next one that is free.
func (p *Ports) Free() (port int, addr string, err error) {
	for range 1000 {
		port = int(p.next.Add(1)) - 1
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if l, err := net.Listen("tcp", addr); err == nil {
			return port, addr, l.Close()
		}
	}
	return 0, "", errors.New("no free port on 127.0.0.1")
}
