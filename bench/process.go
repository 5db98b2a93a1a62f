package main

import (
	"context"
	"runtime"

	"github.com/weirhttp/weir/bench/internal/child"
	"github.com/weirhttp/weir/bench/internal/launch"
	"github.com/weirhttp/weir/bench/internal/registry"
)

// A process is a started server, with all its processes.
type process struct {
	*launch.Server
	server server
}

// start runs the server for a case, and returns once it is ready. It must be called on the main thread, with which the server would end.
func start(ctx context.Context, s server, c benchCase) (*process, error) {
	return startReady(ctx, s, c, nil)
}

// startReady asks ready whether the server is; nil is what its entry says.
func startReady(ctx context.Context, s server, c benchCase, ready func(*launch.Server) error) (*process, error) {
	started, err := launch.Start(ctx, launch.Options{
		Server:  registry.Prepared{Entry: s.entry, Binary: s.binary},
		Values:  registry.Values{Loops: runtime.NumCPU(), Workers: runtime.NumCPU(), App: c.App, Apps: s.apps},
		Closing: c.closing, More: s.Args, Ports: ports, Ready: ready,
	})
	return &process{started, s}, err
}

// countedBy says where the CPU time of servers comes from, for the report.
func countedBy() string {
	by, reason := launch.CountedBy()
	if reason != "" {
		by += " (no control groups: " + reason + ")"
	}
	return by
}

// ports are those of the servers.
var ports = child.NewPorts(21000)
