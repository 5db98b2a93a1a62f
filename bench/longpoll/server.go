package longpoll

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/crowd"
)

// A server is a started weir.
type server struct {
	*child.Process
	addr string
}

// start starts weir and waits until it answers. On the main goroutine only.
func (m *measurer) start() (*server, error) {
	_, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	s := &server{addr: addr}
	if s.Process, err = child.Start("weir", slices.Concat([]string{m.o.weir.Path, "demo", "--bind", addr}, m.o.weir.Args), nil); err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	if err := s.AwaitReady(m.ctx, func() error { return s.ready(&client) }); err != nil {
		stop(s)
		return nil, err
	}
	return s, nil
}

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
	return nil
}

// stop ends servers together.
func stop(servers ...*server) {
	processes := make([]*child.Process, len(servers))
	for i, s := range servers {
		processes[i] = s.Process
	}
	child.Stop(processes...)
}

// ports are those of the servers.
var ports = child.NewPorts(27000)
