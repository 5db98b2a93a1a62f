package python

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/launch"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/registry"
)

// Every application answers at plaintext with greeting.
const (
	plaintext = "/plaintext"
	greeting  = crowd.Greeting
)

// A server is a started row.
type server struct {
	*launch.Server
	row row
}

// start starts the row with an application, and waits until it answers as it should. On the main goroutine only.
func (m *measurer) start(r row, app string) (*server, error) { return m.startWith(r, app) }

// startWith has more arguments for the process that listens.
func (m *measurer) startWith(r row, app string, more ...string) (*server, error) {
	started, err := launch.Start(m.ctx, launch.Options{
		Server: r.Prepared, Values: registry.Values{Loops: workers, Workers: workers, App: app, Apps: m.o.apps()}, More: more, Ports: ports,
		Ready: func(s *launch.Server) error { return (&server{s, r}).verify() },
	})
	if err != nil {
		return nil, err
	}
	return &server{started, r}, nil
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
	response, err := client.Get("http://" + s.Addr + target)
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

// why is the cause of an error: that the server has ended, which is known a little later than its clients notice.
func (s *server) why(err error) error {
	for range 20 {
		if ended := s.Alive(); ended != nil {
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
	for _, p := range s.Processes {
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
	if all, err = s.Resident(); err != nil {
		return 0, 0, err
	}
	first, err = proc.ResidentBytes(s.Processes[0].Pid())
	return all, first, err
}

// ports are those of the servers. They begin elsewhere in another process.
var ports = child.NewPorts(23000 + os.Getpid()%250*4)
