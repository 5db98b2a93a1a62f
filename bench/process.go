package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
)

const (
	readyWithin = 10 * time.Second
	stopWithin  = 3 * time.Second // between SIGTERM and SIGKILL
)

// A process is a started server.
type process struct {
	server server
	addr   string
	cmd    *exec.Cmd
	output *child.Tail
	exited chan struct{} // closed when the process was waited for
}

// start runs the server and returns once it accepts. It must be called on the
// main thread: the server is killed when the thread that started it ends,
// which is how it cannot outlive even a runner that is killed itself.
func start(ctx context.Context, s server, c benchCase) (*process, error) {
	_, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	argv := s.command(c, addr)
	p := &process{server: s, addr: addr, output: &child.Tail{}, exited: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	// In a group of its own, so that ^C reaches the runner only, and the runner
	// stops it when it is done reading.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is seen by alive and in its output
		close(p.exited)
	}()
	if err := p.awaitReady(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *process) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(readyWithin)
	for {
		conn, err := net.DialTimeout("tcp", p.addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not accept on %s after %v: %w", p.server.Name, p.addr, readyWithin, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.exited:
			return p.alive()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alive is an error with the server's last words when it has ended.
func (p *process) alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended by itself: %v: %s", p.server.Name, p.cmd.ProcessState, p.output)
	default:
		return nil
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-p.exited:
		return
	case <-time.After(stopWithin):
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// ports are those of the servers.
var ports = child.NewPorts(21000)
