package wrk

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Run runs wrk, and ends it with ctx or this program. The caller is on a goroutine that is locked to a thread which stays.
func Run(ctx context.Context, program string, args ...string) (*Result, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	switch {
	case err != nil:
		return nil, fmt.Errorf("wrk: %w: %.200s%.200s", err, said.String(), out)
	case said.Len() > 0: // it goes on without a script that it cannot read
		return nil, fmt.Errorf("wrk: %.200s", said.String())
	}
	return Parse(string(out))
}
