// Package launch starts the servers of the registry, each in a folder and, where there are some, in a control group of its own.
package launch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/weirhttp/weir/bench/internal/cgroup"
	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/registry"
)

// Words for where the CPU time of servers comes from.
const (
	ByGroup   = "control groups (v2)"
	ByProcess = "/proc, over the process tree"
)

// CountedBy is the word of this machine. reason tells why it is not the first one.
func CountedBy() (word, reason string) {
	g, err := cgroup.New()
	if err != nil {
		return ByProcess, err.Error()
	}
	if err := g.Close(); err != nil {
		return ByProcess, err.Error()
	}
	return ByGroup, ""
}

// A Server is a started entry. Any goroutine may look at it; the one that has started it stops it.
type Server struct {
	Values    registry.Values // with those of this run
	Addr      string
	Processes []*child.Process // those that were started, without what they have started; the last one listens

	dir   string
	group *cgroup.Group // nil where there are none
}

// Options say what is started.
type Options struct {
	Server  registry.Prepared
	Values  registry.Values // Binary, Port, Dir and Python are filled in here
	Closing bool            // with the words of a connection for each request
	More    []string        // words behind all others
	Ports   *child.Ports
	// Ready is asked until it has no error; nil is what the entry says.
	Ready func(s *Server) error
}

// Start starts the server and returns once it is ready. It must be called on a goroutine that is locked to a thread which stays, see child.Start.
func Start(ctx context.Context, o Options) (s *Server, err error) {
	s = &Server{}
	s.Values = o.Values
	if s.Values.Port, s.Addr, err = o.Ports.Free(); err != nil {
		return nil, err
	}
	for _, more := range []*int{&s.Values.Port2, &s.Values.Port3} {
		if *more, _, err = o.Ports.Free(); err != nil {
			return nil, err
		}
	}
	if s.dir, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return nil, err
	}
	s.group, _ = cgroup.New() // CountedBy tells
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	e, v := o.Server.Entry, &s.Values
	v.Binary, v.Dir, v.Python = o.Server.Binary, s.dir, registry.Python
	for _, file := range e.Files(*v) {
		if err := os.WriteFile(filepath.Join(s.dir, file.Path), []byte(file.Text), 0o644); err != nil {
			return err
		}
	}
	var env []string
	if v.Apps != "" {
		env = []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + v.Apps}
	}
	for _, command := range [][]string{e.Before(*v), append(e.Command(*v, o.Closing), o.More...)} {
		if len(command) == 0 {
			continue
		}
		p, err := child.StartIn(s.group, e.Name, command, env)
		if err != nil {
			return err
		}
		s.Processes = append(s.Processes, p)
	}
	ready := func() error { return s.answers(e.Start.Ready) }
	if o.Ready != nil {
		ready = func() error { return o.Ready(s) }
	}
	return s.Processes[len(s.Processes)-1].AwaitReadyWithin(ctx, e.Within(), func() error {
		if err := ready(); err != nil {
			return err
		}
		return s.Alive()
	})
}

// answers is nil when the server accepts, and answers the target with 200 if there is one.
func (s *Server) answers(target string) error {
	if target == "" {
		conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.Addr + target)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %s", target, response.Status)
	}
	return nil
}

// Alive is an error with the last words of a process that has ended.
func (s *Server) Alive() error {
	for _, p := range s.Processes {
		if err := p.Alive(); err != nil {
			return err
		}
	}
	return nil
}

// CPU is what the server has taken so far. Without a control group what has ended is missing from it: servers keep their workers in a run.
func (s *Server) CPU() (total time.Duration, err error) {
	if s.group != nil {
		return s.group.CPU()
	}
	return sum(s, (*child.Process).CPU)
}

// Resident is the memory of all processes, in octets. Pages that they share count for each of them.
func (s *Server) Resident() (total int64, err error) { return sum(s, (*child.Process).Resident) }

func sum[T ~int64](s *Server, of func(*child.Process) (T, error)) (total T, err error) {
	for _, p := range s.Processes {
		one, err := of(p)
		if err != nil {
			return 0, err
		}
		total += one
	}
	return total, nil
}

// Pids are all processes of the server.
func (s *Server) Pids() (pids []int) {
	for _, p := range s.Processes {
		pids = append(pids, proc.Tree(p.Pid())...)
	}
	return pids
}

// Stop ends servers together, and removes their files. It may be called twice.
func Stop(servers ...*Server) {
	var processes []*child.Process
	for _, s := range servers {
		processes = append(processes, s.Processes...)
	}
	child.Stop(processes...)
	for _, s := range servers {
		if s.group != nil {
			_ = s.group.Close() // what it holds has been killed, and an empty group costs nothing
			s.group = nil
		}
		_ = os.RemoveAll(s.dir)
	}
}

// Stop ends the server. It may be called twice.
func (s *Server) Stop() { Stop(s) }
