package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// orphaning is an application whose grandchildren lose their parents, and end.
const orphaning = `
import os
def application(environ, start_response):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(3)
        os._exit(0)
    os.wait()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`

// TestOrphans: weir waits for those whom it has adopted, as process 1 of a container and with --preload, and the supervisor gets to know how its own have ended.
func TestOrphans(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "orphaning.py"), []byte(orphaning), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "orphaning", "--chdir", dir, "-b", "127.0.0.1:0", "-w", "1"}
	for name, first := range map[string]bool{"process 1": true, "--preload": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &process{}
			pid := 0
			if container := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}; first && exec.Command(container[0], append(container[1:], "true")...).Run() == nil {
				p = startBy(t, nil, append(append(container, binary), args...)...)
				pid = childrenOf(t, p.cmd.Process.Pid)[0]
				if !strings.HasSuffix(p.line, "pid 1\n") {
					t.Errorf("it said %q", p.line)
				}
			} else { // unshare needs a privilege, and --preload has weir adopt as well
				p = start(t, nil, append(args, "--preload")...)
				pid = p.cmd.Process.Pid
			}
			before := len(childrenOf(t, pid))
			for range 20 {
				if r := p.ask("GET", "/"); r.StatusCode != 200 {
					t.Fatal(r.Status)
				}
			}
			until(t, "no zombies", func() bool { return len(childrenOf(t, pid)) == before })
			for _, child := range childrenOf(t, pid) {
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
			until(t, "how it has ended", func() bool { return strings.Contains(p.stderr.String(), "signal: killed") })
			until(t, "a new worker", func() bool { return p.ask("GET", "/").StatusCode == 200 })
			_ = syscall.Kill(pid, syscall.SIGTERM)
			if status := p.wait(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
		})
	}
}
