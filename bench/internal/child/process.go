package child

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/cgroup"
	"github.com/weirhttp/weir/bench/internal/proc"
)

const (
	readyWithin = 15 * time.Second
	readyEvery  = 20 * time.Millisecond
	stopWithin  = 3 * time.Second // between SIGTERM and SIGKILL
)

// A Process is a server that this program has started, with what that has started itself. Any goroutine may use it.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output Tail
	exited chan struct{} // closed when the process was waited for
}

// Start starts argv, with env in addition to the environment of this program. The kernel ends the process with the thread that has
// started it, so it is called on a goroutine that is locked to a thread which stays: a server cannot outlive even a runner that is killed.
// name is for errors.
func Start(name string, argv, env []string) (*Process, error) { return StartIn(nil, name, argv, env) }

// StartIn does so in a control group; nil is that of this program.
func StartIn(group *cgroup.Group, name string, argv, env []string) (*Process, error) {
	p := &Process{name: name, cmd: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.WaitDelay = time.Second // what it has started may still hold its output
	// In a group of its own, so that ^C reaches the runner only, and the runner stops it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if group != nil {
		p.cmd.SysProcAttr.UseCgroupFD, p.cmd.SysProcAttr.CgroupFD = true, group.FD()
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is seen in its state
		close(p.exited)
	}()
	return p, nil
}

// AwaitReady calls ready until it has no error.
func (p *Process) AwaitReady(ctx context.Context, ready func() error) error {
	return p.AwaitReadyWithin(ctx, readyWithin, ready)
}

// AwaitReadyWithin does so for a time.
func (p *Process) AwaitReadyWithin(ctx context.Context, within time.Duration, ready func() error) error {
	deadline := time.Now().Add(within)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w: %s", p.name, within, err, p.output.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.exited:
			return p.Alive()
		case <-time.After(readyEvery):
		}
	}
}

// Alive is an error with the process's last words when it has ended.
func (p *Process) Alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s has ended: %v: %s", p.name, p.cmd.ProcessState, p.output.String())
	default:
		return nil
	}
}

// Pid is the process's own, without what it has started.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// CPU is what the process, and those that it has started and that still run, have taken so far.
func (p *Process) CPU() (total time.Duration, err error) {
	return sum(p, proc.CPUClock)
}

// Resident is the resident memory of the same processes, in octets.
func (p *Process) Resident() (total int64, err error) {
	return sum(p, proc.ResidentBytes)
}

func sum[T ~int64](p *Process, of func(pid int) (T, error)) (total T, err error) {
	if err := p.Alive(); err != nil {
		return 0, err
	}
	for _, pid := range proc.Tree(p.Pid()) {
		one, err := of(pid)
		if err != nil {
			return 0, err
		}
		total += one
	}
	return total, nil
}

// Stop asks the processes to end, waits for them together, and kills what has not ended then, and what they have started and left behind.
// It may be called twice.
func Stop(processes ...*Process) {
	trees := make([][]int, len(processes))
	for i, p := range processes {
		if p.Alive() == nil {
			trees[i] = proc.Tree(p.Pid())
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	}
	late, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	for i, p := range processes {
		select {
		case <-p.exited:
		case <-late.Done():
			for _, pid := range trees[i] {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			<-p.exited
		}
		if trees[i] != nil {
			_ = syscall.Kill(-p.Pid(), syscall.SIGKILL) // its group, in which nobody is left as a rule
		}
	}
}
