package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"time"
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
	output *tail
	exited chan struct{} // closed when the process was waited for
}

// start runs the server and returns once it accepts. It must be called on the
// main thread: the server is killed when the thread that started it ends,
// which is how it cannot outlive even a runner that is killed itself.
func start(ctx context.Context, s server, c benchCase) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	argv := s.command(c, addr)
	p := &process{server: s, addr: addr, output: &tail{}, exited: make(chan struct{})}
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

// nextPort stays below the range from which the kernel takes the clients'
// ports (32768 and up by default), where a port that was free a moment ago may
// be a client's now. Used on the main goroutine only.
var nextPort = 21000

func freeAddr() (string, error) {
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", nextPort)
		nextPort++
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port on 127.0.0.1")
}

// tail keeps the last bytes that a process has written. Any goroutine.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailLen = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailLen; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
