package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/wrk"
)

// A loadResult is what a load generator saw.
type loadResult struct {
	Requests  int64         `json:"requests"`
	PerSecond float64       `json:"per_second"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	Rate      *rateResult   `json:"rate,omitempty"`     // of a fixed rate
	Problems  []string      `json:"problems,omitempty"` // anything that makes the run worthless
}

// wrkArgs loads like the case says. wrk's own headers are only Host, and with
// closing, Connection.
func wrkArgs(c benchCase, target, addr, dir string, length time.Duration) []string {
	x := exchangeOf(c.route, target, c.size)
	args := []string{
		"-t2", "-c" + strconv.Itoa(c.connections), fmt.Sprintf("-d%.0fs", length.Seconds()), "--latency",
	}
	if c.closing {
		args = append(args, "-H", "Connection: close")
	}
	if c.depth <= 1 && x.method == "GET" {
		return append(args, "http://"+addr+x.target)
	}
	return append(args, "-s", dir+"/request.lua", "http://"+addr+x.target, "--",
		x.method, x.target, strconv.Itoa(len(x.content)), strconv.Itoa(max(c.depth, 1)))
}

func runWrk(ctx context.Context, program string, args []string) (*loadResult, error) {
	r, err := wrk.Run(ctx, program, args...)
	if err != nil {
		return nil, err
	}
	return &loadResult{Requests: r.Requests, PerSecond: r.PerSecond, P50: r.P50, P99: r.P99, Problems: r.Problems}, nil
}

// loadArgs loads like the case says with the built-in loader.
func loadArgs(c benchCase, target, addr string, length time.Duration) []string {
	return []string{
		loadCommand, "-addr", addr, "-connections", strconv.Itoa(c.connections),
		"-route", c.route, "-target", target, "-size", strconv.Itoa(c.size),
		"-depth", strconv.Itoa(max(c.depth, 1)), "-close=" + strconv.FormatBool(c.closing),
		"-duration", length.String(),
	}
}

// runSelf runs this program as a load generator: as a process of its own, so
// that neither its work nor its garbage collection is on the runner's account.
func runSelf(ctx context.Context, args []string) (*loadResult, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := output(ctx, self, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	result := &loadResult{}
	if err := json.Unmarshal(out, result); err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return result, nil
}

// output is the standard output of a child, which dies with the context and
// with the runner.
func output(ctx context.Context, name string, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}
