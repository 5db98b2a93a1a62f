package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/crowd"
)

// A server is a started row.
type server struct {
	*child.Process
	row    row
	launch launch
	addr   string
}

// start starts the row and waits until it accepts. On the main goroutine only.
func start(ctx context.Context, r row) (*server, error) {
	port, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	s := &server{row: r, addr: addr}
	if s.launch, err = r.prepare(port); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	if s.Process, err = child.Start(r.name, s.launch.argv, s.launch.env); err != nil {
		s.clean()
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	err = s.AwaitReady(ctx, func() error { return s.ready(&client) })
	if err == nil {
		err = pause(ctx, s.launch.rest)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// ready is nil when /plaintext is answered. Something that only accepts may still miss what is behind it.
func (s *server) ready(client *http.Client) error {
	response, err := client.Get("http://" + s.addr + "/plaintext")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != 200 || string(content) != crowd.Greeting {
		return fmt.Errorf("/plaintext is answered with %s %.40q", response.Status, content)
	}
	if s.launch.publish == "" {
		return nil
	}
	conn, err := net.DialTimeout("tcp", s.launch.publish, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (s *server) stop() { stopAll([]*server{s}) }

func stopAll(servers []*server) {
	processes := make([]*child.Process, len(servers))
	for i, s := range servers {
		processes[i] = s.Process
	}
	child.Stop(processes...)
	for _, s := range servers {
		s.clean()
	}
}

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
