package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/proc"
)

// Every application answers at plaintext with greeting.
const (
	plaintext = "/plaintext"
	greeting  = crowd.Greeting
)

// A server is a started row.
type server struct {
	row       row
	port      int
	addr      string
	processes []*child.Process
	clean     func()
}

// start starts the row with an application, and waits until it answers as it should. On the main goroutine only.
func (m *measurer) start(r row, app string) (*server, error) { return m.startWith(r, app) }

// startWith has more arguments for the process that listens.
func (m *measurer) startWith(r row, app string, more ...string) (*server, error) {
	port, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	l, err := r.prepare(app, port)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	s := &server{row: r, port: port, addr: addr, clean: l.clean}
	for i, command := range l.commands {
		if i == len(l.commands)-1 {
			command = append(command, more...)
		}
		p, err := child.Start(r.name, command, []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + m.o.apps()})
		if err != nil {
			s.stop()
			return nil, err
		}
		s.processes = append(s.processes, p)
	}
	for _, p := range s.processes {
		if err := p.AwaitReady(m.ctx, s.verify); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, nil
}

// verify wants the greeting.
func (s *server) verify() error {
	content, err := s.get(plaintext)
	if err == nil && string(content) != greeting {
		err = fmt.Errorf("%s is answered with %.60q", plaintext, content)
	}
	return err
}

// get makes a request on a connection of its own.
func (s *server) get(target string) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	response, err := client.Get("http://" + s.addr + target)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return content, err
}

// alive is an error when one of the processes has ended.
func (s *server) alive() error {
	for _, p := range s.processes {
		if err := p.Alive(); err != nil {
			return err
		}
	}
	return nil
}

// why is the cause of an error: that the server has ended, which is known a little later than its clients notice.
func (s *server) why(err error) error {
	for range 20 {
		if ended := s.alive(); ended != nil {
			return ended
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// A usage is the CPU time of a server: of the processes that were started, and of those that these have started.
type usage struct{ masters, workers time.Duration }

func (u usage) all() time.Duration { return u.masters + u.workers }

func (u usage) since(before usage) usage {
	return usage{u.masters - before.masters, u.workers - before.workers}
}

func (s *server) cpu() (u usage, err error) {
	for _, p := range s.processes {
		all, err := p.CPU()
		if err != nil {
			return u, err
		}
		master, err := proc.CPUClock(p.Pid())
		if err != nil {
			return u, err
		}
		u.masters += master
		u.workers += max(all-master, 0)
	}
	return u, nil
}

// resident is the memory of all processes, and that of the first one's own.
func (s *server) resident() (all, first int64, err error) {
	for _, p := range s.processes {
		bytes, err := p.Resident()
		if err != nil {
			return 0, 0, err
		}
		all += bytes
	}
	first, err = proc.ResidentBytes(s.processes[0].Pid())
	return all, first, err
}

// stop may be called twice.
func (s *server) stop() {
	child.Stop(s.processes...)
	if s.clean != nil {
		s.clean()
	}
}

// ports are those of the servers. They begin elsewhere in another process.
var ports = child.NewPorts(23000 + os.Getpid()%250*4)

// pause sleeps unless the runner is told to stop.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
