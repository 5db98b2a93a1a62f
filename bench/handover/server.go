package handover

import (
	"os"
	"slices"

	"github.com/weirhttp/weir/bench/internal/child"
)

// A server is a started weir.
type server struct {
	*child.Process
	addr string
}

// arguments are those of weir. What the user gives comes last and wins.
func (o *options) arguments(addr string, more ...string) []string {
	return slices.Concat([]string{"demo", "--bind", addr, "--test-routes", "--loops", "2"}, more, o.weir.Args)
}

// start starts weir and waits until it answers as it should.
func (m *measurer) start(more ...string) (*server, error) {
	_, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	process, err := child.Start("weir", append([]string{m.o.weir.Path}, m.o.arguments(addr, more...)...), m.o.env)
	if err != nil {
		return nil, err
	}
	s := &server{process, addr}
	if err := s.AwaitReady(m.ctx, func() error { return verify(addr) }); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() { child.Stop(s.Process) }

// ports are those of the servers. They begin elsewhere in another process.
var ports = child.NewPorts(29000 + os.Getpid()%750*4)
