package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weirhttp/weir/server"
)

// What weir tells systemd about itself, by the protocol of sd_notify(3). go-systemd's daemon package looks for the socket in the environment
// each time, and there it must not be: workers have no say in this.

// serviceManager is who has started weir and wants to hear of it. Its methods may be called by any goroutine, and do nothing on nil.
type serviceManager struct {
	socket   *net.UnixConn
	watchdog time.Duration // after which silence counts as failure; 0: it is not watched

	variables []string // as they came
}

// manager reads the variables, and removes them. It is nil when nobody wants to hear of weir.
var manager = sync.OnceValue(func() *serviceManager {
	path, usec, pid := os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, variable := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(variable)
	}
	if path == "" {
		return nil
	}
	socket, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // "@": an abstract one
	if err != nil {
		slog.Warn("NOTIFY_SOCKET cannot be used, nobody is told that weir is ready", "error", err)
		return nil
	}
	m := &serviceManager{socket: socket, variables: []string{"NOTIFY_SOCKET=" + path}}
	if n, err := strconv.ParseInt(usec, 10, 64); err == nil && n > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.watchdog = time.Duration(n) * time.Microsecond
		m.variables = append(m.variables, "WATCHDOG_USEC="+usec)
	}
	return m
})

// tell sends assignments in one message.
func (m *serviceManager) tell(assignments ...string) {
	if m == nil {
		return
	}
	_ = m.socket.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := m.socket.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		slog.Warn("systemd cannot be told", "message", strings.Join(assignments, " "), "error", err)
	}
}

// ready tells that weir serves: at the start, and after reloading. status is a line for people.
func (m *serviceManager) ready(status string) { m.tell("READY=1", "STATUS="+status) }

// reloading tells that the configuration is read again; ready must follow.
func (m *serviceManager) reloading() {
	m.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// handOver tells that another process is the service from now on.
func (m *serviceManager) handOver(pid int) { m.tell(fmt.Sprintf("MAINPID=%d", pid)) }

// environ are the variables that a successor needs.
func (m *serviceManager) environ() []string {
	if m == nil {
		return nil
	}
	return m.variables
}

// stopping tells that weir finishes what it is at and ends.
func (m *serviceManager) stopping() { m.tell("STOPPING=1", "STATUS=finishing the requests that run") }

// watch tells that weir is alive, twice in the time that the service manager allows, as long as every loop of s answers within half of that time.
// The function that it returns ends this.
func (m *serviceManager) watch(s *server.Server) (end func()) {
	if m == nil || m.watchdog == 0 {
		return func() {}
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		ticker := time.NewTicker(m.watchdog / 2)
		defer ticker.Stop()
		for {
			limit, cancel := context.WithTimeout(ctx, m.watchdog/2)
			stuck := slices.Min(append(s.LoopLags(limit), 0)) < 0
			cancel()
			if ctx.Err() != nil {
				return
			}
			if stuck {
				slog.Error("an event loop does not answer, the watchdog of systemd is not told that weir is alive")
			} else {
				m.tell("WATCHDOG=1")
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return end
}
