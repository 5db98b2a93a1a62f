package wrk

import (
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
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("wrk: %w: %.200s", err, out)
	}
	return Parse(string(out))
}
