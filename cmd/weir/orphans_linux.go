package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process whose parent has ended becomes the child of process 1, which weir is in a container, or of the nearest subreaper, which weir is with --preload.
// Somebody has to wait for it when it ends, or it stays a zombie. Who has started a process waits for it in the kernel, and has it as soon as it is dead. So one
// that is dead for orphanTime is nobody's, and there is no list to keep of who waits for whom.

// orphanTime is how long a process must have been dead. It is long for a goroutine that waits, and short for a zombie.
const orphanTime = 2 * time.Second

// corpse is a child that is dead and was not waited for.
type corpse struct {
	pid   int
	start string // when the process had started: pids are used again
}

// reapOrphans waits for children that nobody else waits for, until end is called.
func reapOrphans() (end func()) {
	died, stop := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(died, syscall.SIGCHLD)
	go func() {
		seen := make(map[corpse]time.Time)
		var again <-chan time.Time
		for {
			seen = reap(seen)
			if again = nil; len(seen) > 0 {
				again = time.After(orphanTime / 4)
			}
			select {
			case <-died:
			case <-again:
			case <-stop:
				return
			}
		}
	}()
	return func() {
		signal.Stop(died)
		close(stop)
	}
}

// reap waits for the children that are dead for long enough, and returns the others that are dead. seen says since when they are known to be.
func reap(seen map[corpse]time.Time) (left map[corpse]time.Time) {
	left = make(map[corpse]time.Time)
	for _, c := range corpses() {
		since, known := seen[c]
		switch {
		case !known:
			left[c] = time.Now()
		case time.Since(since) < orphanTime:
			left[c] = since
		default:
			var status unix.WaitStatus
			if pid, err := unix.Wait4(c.pid, &status, unix.WNOHANG, nil); err == nil && pid == c.pid {
				slog.Debug("a process without a parent has ended", "pid", pid, "status", status)
			}
		}
	}
	return left
}

// corpses are the dead children of the process.
func corpses() (dead []corpse) {
	threads, _ := filepath.Glob("/proc/self/task/*/children") // fails for patterns that are none
	for _, path := range threads {
		children, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(children)) {
			stat, err := os.ReadFile("/proc/" + child + "/stat")
			if err != nil {
				continue
			}
			// "pid (name) state ...": the name may have anything in it. Field 22 is the start.
			fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
			c := corpse{}
			if _, err := fmt.Sscan(child, &c.pid); err == nil && len(fields) > 19 && fields[0] == "Z" {
				c.start = fields[19]
				dead = append(dead, c)
			}
		}
	}
	return dead
}
