package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
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
	output child.Tail
	exited chan struct{} // closed when the process was waited for
}

// arguments are those of weir. What the user gives comes last and wins.
func (o *options) arguments(addr string, more ...string) []string {
	return slices.Concat([]string{"demo", "--bind", addr, "--test-routes", "--loops", "2"}, more, o.weirArgs)
}

// start starts weir and waits until it answers as it should.
func (m *measurer) start(more ...string) (*server, error) {
	_, addr, err := ports.Free()
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

// ports are those of the servers. They begin elsewhere in another process.
var ports = child.NewPorts(29000 + os.Getpid()%750*4)
