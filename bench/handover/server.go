package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
)

const (
	readyWithin = 10 * time.Second
	stopWithin  = 3 * time.Second // between SIGTERM and SIGKILL
)

// A server is a started weir.
type server struct {
	addr   string
	cmd    *exec.Cmd
	output tail
	exited chan struct{} // closed when the process was waited for
}

// arguments are those of weir. What the user gives comes last and wins.
func (o *options) arguments(addr string, more ...string) []string {
	return slices.Concat([]string{"demo", "--bind", addr, "--test-routes", "--loops", "2"}, more, o.weirArgs)
}

// start starts weir and waits until it answers as it should.
func (m *measurer) start(more ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s := &server{addr: addr, exited: make(chan struct{})}
	s.cmd = exec.Command(m.o.weir, m.o.arguments(addr, more...)...)
	s.cmd.Env = append(os.Environ(), m.o.env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	// In a group of its own, so that ^C reaches the runner only, and the runner stops it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is seen in its state
		close(s.exited)
	}()
	if err := s.awaitReady(m.ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(readyWithin)
	for {
		err := verify(s.addr)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return errors.Join(err, s.alive())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("weir is not ready after %v: %w: %s", readyWithin, err, s.output.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			return s.alive()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alive is an error when the server has ended.
func (s *server) alive() error {
	select {
	case <-s.exited:
		return fmt.Errorf("weir has ended: %v: %s", s.cmd.ProcessState, s.output.String())
	default:
		return nil
	}
}

// cpu is what the server has taken so far.
func (s *server) cpu() (time.Duration, error) {
	if err := s.alive(); err != nil {
		return 0, err
	}
	return proc.CPUClock(s.cmd.Process.Pid)
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-s.exited:
		return
	case <-time.After(stopWithin):
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// nextPort stays below the range from which the kernel takes the clients' ports, and begins elsewhere in another process. Any
// goroutine.
var nextPort atomic.Int64

func init() { nextPort.Store(29000 + int64(os.Getpid()%750)*4) }

func freeAddr() (string, error) {
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.FormatInt(nextPort.Add(1), 10))
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port on 127.0.0.1")
}

// tail keeps the last octets that a process has written. Any goroutine.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - 1024; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
