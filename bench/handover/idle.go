package handover

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// mostIdle is the share of a core that a server without requests may use.
const mostIdle = 0.002

// idle reads the CPU clock of a server whose connections have each made a request and are quiet.
func (m *measurer) idle() {
	z := m.o.sizes
	l := m.line(fmt.Sprintf("CPU of an idle server with %d connections over %v", z.idlers, z.idle), fmt.Sprintf("below %.1f %% of a core", 100*mostIdle))
	var shares []float64
	m.times(min(m.o.rounds, idleRounds), func(int) (string, error) {
		share, err := m.idleShare()
		if err != nil {
			return "", err
		}
		shares = append(shares, share)
		return fineShare(share), nil
	}, l)
	l.JudgeMedian(shares, mostIdle, fineShare)
}

func fineShare(v float64) string { return fmt.Sprintf("%.3f %%", 100*v) }

func (m *measurer) idleShare() (float64, error) {
	z := m.o.sizes
	s, err := m.start()
	if err != nil {
		return 0, err
	}
	defer s.stop()
	// Something has blocked before: the tables and goroutines that come of it are there.
	target, content := sleepTarget(z.sleep)
	if err := once(s.addr, target, content); err != nil {
		return 0, err
	}
	conns := make([]*connection, 0, z.idlers)
	defer func() {
		for _, c := range conns {
			c.close()
		}
	}()
	for range z.idlers {
		c, err := dial(s.addr)
		if err != nil {
			return 0, err
		}
		conns = append(conns, c)
		if err := c.exchange(requestFor(plaintext), 1, greeting); err != nil {
			return 0, err
		}
	}
	if err := m.pause(z.settle); err != nil {
		return 0, err
	}
	before, err := s.CPU()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := m.pause(z.idle); err != nil {
		return 0, err
	}
	after, err := s.CPU()
	if err != nil {
		return 0, err
	}
	share := float64(after-before) / float64(time.Since(began))
	for _, c := range conns {
		if !quiet(c.conn) {
			return 0, errors.New("an idle connection was closed, or something was sent on it")
		}
	}
	return share, nil
}

func once(addr, target, content string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	return c.exchange(requestFor(target), 1, content)
}

// quiet tells whether there is neither an end nor something to read on a connection.
func quiet(conn net.Conn) (still bool) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		still = errors.Is(err, syscall.EAGAIN)
	})
	return still && err == nil
}
