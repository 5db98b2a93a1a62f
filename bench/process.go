package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/registry"
)

const stopWithin = 3 * time.Second // between SIGTERM and SIGKILL

// A process is a started server.
type process struct {
	server server
	addr   string
	cmd    *exec.Cmd
	dir    string // for the files of this run
	output *child.Tail
	exited chan struct{} // closed when the process was waited for
}

// start runs the server and returns once it is ready. It must be called on the
// main thread: the server is killed when the thread that started it ends,
// which is how it cannot outlive even a runner that is killed itself.
func start(ctx context.Context, s server, c benchCase) (*process, error) {
	port, addr, err := ports.Free()
	if err != nil {
		return nil, err
	}
	p := &process{server: s, addr: addr, output: &child.Tail{}, exited: make(chan struct{})}
	if p.dir, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return nil, err
	}
	v := registry.Values{Port: port, Loops: runtime.NumCPU(), Workers: runtime.NumCPU(), Dir: p.dir}
	for _, file := range s.entry.Files(v) {
		if err := os.WriteFile(filepath.Join(p.dir, file.Path), []byte(file.Text), 0o644); err != nil {
			os.RemoveAll(p.dir)
			return nil, err
		}
	}
	argv := s.command(c, v)
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	// In a group of its own, so that ^C reaches the runner only, and the runner
	// stops it when it is done reading.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		os.RemoveAll(p.dir)
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
	within := p.server.entry.Within()
	deadline := time.Now().Add(within)
	for {
		err := p.ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready on %s after %v: %w", p.server.Name, p.addr, within, err)
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

// ready is nil when the server accepts, and answers what its entry waits for.
func (p *process) ready() error {
	target := p.server.entry.Start.Ready
	if target == "" {
		conn, err := net.DialTimeout("tcp", p.addr, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + p.addr + target)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %s", target, response.Status)
	}
	return nil
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

// stop ends the server, and what it has started: they are one process group.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-p.exited:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // fails when nothing is left
	os.RemoveAll(p.dir)
}

// tree are the server's process and all that it has started.
func (p *process) tree() []int {
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, proc.Children(pids[i])...)
	}
	return pids
}

// cpu is what the tree has taken so far. One that has ended meanwhile is missing from it: servers keep their workers in a run.
func (p *process) cpu() (total time.Duration, err error) {
	for _, pid := range p.tree() {
		taken, err := proc.CPUClock(pid)
		if err != nil {
			return 0, err
		}
		total += taken
	}
	return total, nil
}

// resident is the memory of the tree. Pages that its processes share count for each of them.
func (p *process) resident() (total int64, err error) {
	for _, pid := range p.tree() {
		bytes, err := proc.ResidentBytes(pid)
		if err != nil {
			return 0, err
		}
		total += bytes
	}
	return total, nil
}

// ports are those of the servers.
var ports = child.NewPorts(21000)
