package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/proc"
)

const (
	readyWithin = 10 * time.Second
	stopWithin  = 3 * time.Second // between SIGTERM and SIGKILL
)

// A row is a server that is measured.
type row struct {
	name    string
	command func(port int) []string
	env     []string
	peer    bool   // bars do not hold for it, and it has no /internals
	missing string // why it cannot run
}

// A server is a started row.
type server struct {
	row    row
	port   int
	addr   string
	cmd    *exec.Cmd
	stdout child.Tail
	stderr child.Tail    // not a file: a disk would set the pace of a server that reports much
	exited chan struct{} // closed when the process was waited for
}

// start starts the row and waits until it accepts. On the main goroutine only.
func start(ctx context.Context, r row, descriptors int) (*server, error) {
	port, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	s := &server{row: r, port: port, addr: addr, exited: make(chan struct{})}
	argv := r.command(port)
	if descriptors > 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		argv = append([]string{self, limitCommand, strconv.Itoa(descriptors)}, argv...)
	}
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Env = append(os.Environ(), r.env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is seen in its state
		close(s.exited)
	}()
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(readyWithin)
	for {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not accept: %w: %s", s.row.name, err, s.lastWords())
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
		return fmt.Errorf("the server has ended: %v: %s", s.cmd.ProcessState, s.lastWords())
	default:
		return nil
	}
}

// terminate asks the server to end, and tells how it did.
func (s *server) terminate(within time.Duration) error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	return s.awaitEnd(within)
}

func (s *server) awaitEnd(within time.Duration) error {
	select {
	case <-s.exited:
	case <-time.After(within):
		return fmt.Errorf("the server has not ended %v after SIGTERM", within)
	}
	if !s.cmd.ProcessState.Success() {
		return s.alive()
	}
	return nil
}

func (s *server) stop() {
	_ = s.terminate(stopWithin)
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// lastWords is the end of what the server has written to standard error.
func (s *server) lastWords() string {
	words := s.stderr.String()
	return strings.TrimSpace(words[max(len(words)-600, 0):])
}

// peak is the most memory that the server and its workers have had resident.
func (s *server) peak() (total int64, err error) {
	for _, pid := range append([]int{s.pid()}, proc.Children(s.pid())...) {
		bytes, err := proc.PeakBytes(pid)
		if err != nil {
			return 0, err
		}
		total += bytes
	}
	return total, nil
}

// resetPeak has peak begin again. Where that is not allowed it counts from the server's start, which is minutes ago
// at most.
func (s *server) resetPeak() {
	for _, pid := range append([]int{s.pid()}, proc.Children(s.pid())...) {
		_ = proc.ResetPeak(pid)
	}
}

// get makes a request on a connection of its own.
func (s *server) get(target string, timeout time.Duration) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, Timeout: timeout}
	response, err := client.Get("http://" + s.addr + target)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("%s answers %s", target, response.Status)
	}
	return content, err
}

// ports are those of the servers.
var ports = child.NewPorts(24000)
