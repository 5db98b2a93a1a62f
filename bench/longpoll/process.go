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
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
)

const (
	readyWithin = 15 * time.Second
	stopWithin  = 3 * time.Second // between SIGTERM and SIGKILL
)

// A server is a started row.
type server struct {
	row    row
	launch launch
	addr   string
	cmd    *exec.Cmd
	output child.Tail
	exited chan struct{} // closed when the process was waited for
}

// start starts the row and waits until it accepts. On the main goroutine only.
func start(ctx context.Context, r row) (*server, error) {
	port, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	s := &server{row: r, addr: addr, exited: make(chan struct{})}
	if s.launch, err = r.prepare(port); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	s.cmd = exec.Command(s.launch.argv[0], s.launch.argv[1:]...)
	s.cmd.Env = append(os.Environ(), s.launch.env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	// In a group of its own, so that ^C reaches the runner only, and the runner stops it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.clean()
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is seen in its state
		close(s.exited)
	}()
	err = s.awaitReady(ctx)
	if err == nil {
		err = pause(ctx, s.launch.rest)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// awaitReady returns when /plaintext is answered. Something that only accepts may still miss what is behind it.
func (s *server) awaitReady(ctx context.Context) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	deadline := time.Now().Add(readyWithin)
	for {
		err := asks(&client, "http://"+s.addr+"/plaintext")
		if err == nil && s.launch.publish != "" {
			var conn net.Conn
			if conn, err = net.DialTimeout("tcp", s.launch.publish, time.Second); err == nil {
				return conn.Close()
			}
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w: %s", s.row.name, readyWithin, err, s.output.String())
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

func asks(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err == nil && (response.StatusCode != 200 || string(content) != probeContent) {
		err = fmt.Errorf("/plaintext is answered with %s %.40q", response.Status, content)
	}
	return err
}

// alive is an error when the server has ended.
func (s *server) alive() error {
	select {
	case <-s.exited:
		return fmt.Errorf("%s has ended: %v: %s", s.row.name, s.cmd.ProcessState, s.output.String())
	default:
		return nil
	}
}

func (s *server) stop() { stopAll([]*server{s}) }

// stopAll asks all to end, waits for them together, and kills what has not ended then, with the processes that it
// started.
func stopAll(servers []*server) {
	trees := make([][]int, len(servers))
	for i, s := range servers {
		trees[i] = processTree(s.cmd.Process.Pid)
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	}
	late := time.After(stopWithin)
	for i, s := range servers {
		select {
		case <-s.exited:
		case <-late:
			late = closedTimer // for those that follow too
			for _, pid := range trees[i] {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			<-s.exited
		}
		s.clean()
	}
}

// closedTimer is a timer that has always run out.
var closedTimer = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

func (s *server) clean() {
	if s.launch.clean != nil {
		s.launch.clean()
	}
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// ports are those of the servers.
var ports = child.NewPorts(27000)

// pause sleeps unless the runner is told to stop.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
