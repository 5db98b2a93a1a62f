package crowd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/weirhttp/weir/bench/internal/child"
)

// A Company is a crowd in a process of its own, which has descriptors and memory of its own.
type Company struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
	stderr child.Tail
}

// Gather starts a crowd. On the main goroutine only. The crowd's process ends with ctx.
func Gather(ctx context.Context, p Plan) (*Company, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	c := &Company{}
	c.cmd = exec.CommandContext(ctx, self, Command, string(text))
	c.cmd.Stderr = &c.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = bufio.NewScanner(stdout)
	c.stdout.Buffer(nil, 1<<20)
	return c, c.cmd.Start()
}

// AwaitWaiting returns when every client waits.
func (c *Company) AwaitWaiting(count int) error {
	report, err := c.next()
	if err == nil && report.Waiting != count {
		err = fmt.Errorf("the crowd tells of %d clients waiting, of %d", report.Waiting, count)
	}
	return err
}

// GoOn has the crowd do what its plan says.
func (c *Company) GoOn(count int) (Report, error) {
	if _, err := fmt.Fprintln(c.stdin, count); err != nil {
		return Report{}, c.failure(err)
	}
	return c.next()
}

// next is the crowd's next line. A crowd that has nothing to say ends by itself after its limit.
func (c *Company) next() (report Report, err error) {
	if !c.stdout.Scan() {
		err := c.stdout.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return report, c.failure(err)
	}
	return report, json.Unmarshal(c.stdout.Bytes(), &report)
}

// failure prefers what the crowd says to how that is noticed.
func (c *Company) failure(err error) error {
	_ = c.cmd.Process.Kill() // it may hang; what it has written is kept
	_ = c.cmd.Wait()
	if words := c.stderr.String(); words != "" {
		return fmt.Errorf("clients: %s", words)
	}
	return fmt.Errorf("clients: %w", err)
}

// Dismiss closes all connections by ending the process.
func (c *Company) Dismiss() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // also after failure, where it is an error of no interest
}
