package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/program"
)

const (
	idleWarmUp = 100 // connections, closed again: code and tables that any use touches
	settle     = 1500 * time.Millisecond
)

// idleGrowth is the server's resident memory before and with count idle
// connections.
func idleGrowth(ctx context.Context, p *process, target string, count int) (before, after int64, err error) {
	warm, err := openIdle(p.Addr, target, idleWarmUp)
	if err != nil {
		return 0, 0, err
	}
	closeAll(warm)
	if err := program.Pause(ctx, settle); err != nil {
		return 0, 0, err
	}
	if before, err = p.Resident(); err != nil {
		return 0, 0, err
	}

	h, err := startHolder(ctx, p.Addr, target, count)
	if err != nil {
		return 0, 0, err
	}
	defer h.stop()
	if err := h.expect("open", count); err != nil {
		return 0, 0, err
	}
	if err := program.Pause(ctx, settle); err != nil {
		return 0, 0, err
	}
	if after, err = p.Resident(); err != nil {
		return 0, 0, err
	}
	// A server that has closed some holds less than it should.
	if _, err := io.WriteString(h.stdin, "check\n"); err != nil {
		return 0, 0, err
	}
	return before, after, h.expect("alive", count)
}

// A holder is the process whose connections are idle: a process of its own,
// because the runner and the connections share a limit of descriptors.
type holder struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *child.Tail
}

func startHolder(ctx context.Context, addr, target string, count int) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &holder{stderr: &child.Tail{}}
	h.cmd = exec.CommandContext(ctx, self, holdCommand, "-addr", addr, "-target", target, "-connections", strconv.Itoa(count))
	h.cmd.Stderr = h.stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.stdout = bufio.NewReader(stdout)
	return h, h.cmd.Start()
}

// expect reads the line "word count".
func (h *holder) expect(word string, count int) error {
	line, err := h.stdout.ReadString('\n')
	if err != nil {
		return fmt.Errorf("holder: %w: %s", err, h.stderr)
	}
	if want := fmt.Sprintf("%s %d\n", word, count); line != want {
		return fmt.Errorf("idle connections: got %q, want %q", line, want)
	}
	return nil
}

func (h *holder) stop() {
	_ = h.cmd.Process.Kill() // nothing of it is needed any more
	_ = h.cmd.Wait()
}
