package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/healthy"
	"github.com/weirhttp/weir/bench/internal/program"
)

const (
	healthyBar  = 25 * time.Millisecond  // p99
	attackGrace = 20 * time.Second       // in which attackers must end when their time is over
	quietTime   = 2 * time.Second        // before the attack, to see what the machine itself does
	margin      = 500 * time.Millisecond // after it
	warmUp      = 50                     // requests
	termAfter   = 2 * time.Second        // in the case that ends the server
	drainWithin = 35 * time.Second       // its grace is 30
	newClients  = 100                    // that are served when a crowd has gone
)

// An outcome is what one server did in one case.
type outcome struct {
	row row
	c   attack

	healthy *healthy.Client // nil in the case that ends the server
	peak    int64
	back    time.Duration // until the server held no more than before
	tally   map[string]int
	notes   []string
	missed  []string // bars
}

func (x *outcome) miss(format string, args ...any) {
	x.missed = append(x.missed, fmt.Sprintf(format, args...))
}

// bar is miss for rows that have bars.
func (x *outcome) bar(met bool, format string, args ...any) {
	if !met && !x.row.peer {
		x.miss(format, args...)
	}
}

// run starts the server, attacks it, and judges. An error is about what could not be measured.
func (x *outcome) run(ctx context.Context, o *options) error {
	s, err := start(ctx, x.row, x.c.descriptors)
	if err != nil {
		return err
	}
	defer s.stop()
	if x.c.ends {
		return x.runToEnd(ctx, o, s)
	}
	for range warmUp {
		if _, err := s.get("/plaintext", 5*time.Second); err != nil {
			return err
		}
	}
	h, err := healthy.New(s.port, "/plaintext", "Hello, World!")
	if err != nil {
		return err
	}
	stopped := false
	stopHealthy := func() {
		if !stopped {
			stopped = true
			h.Stop()
			x.healthy = h
		}
	}
	defer stopHealthy()
	var before internals
	if !x.row.peer {
		if before, err = x.baseline(s); err != nil {
			return err
		}
	}
	s.resetPeak()
	h.Begin()
	_ = program.Pause(ctx, quietTime)
	h.Attack()
	a, err := startAttack(ctx, s.addr, x.c, o.scale)
	if err != nil {
		return err
	}
	x.tally, err = a.end(x.c.length + attackGrace)
	if err != nil {
		return err
	}
	_ = program.Pause(ctx, margin)
	h.Pause()
	if err := s.alive(); err != nil {
		return err
	}
	if x.peak, err = s.peak(); err != nil {
		return err
	}
	if !x.row.peer {
		if x.back, err = s.awaitBack(ctx, before); err != nil {
			x.miss("%v", err)
		}
	}
	if x.c.descriptors > 0 {
		x.serveNew(ctx, s)
	}
	stopHealthy()
	x.judge()
	return nil
}

// baseline is what the server holds before the attack. The second look is past what the first one itself brings.
func (x *outcome) baseline(s *server) (internals, error) {
	for range 2 {
		if _, err := s.internals(); err != nil {
			return internals{}, err
		}
	}
	return s.internals()
}

func (x *outcome) judge() {
	p99 := x.healthy.Latencies.Quantile(0.99)
	x.bar(p99 < healthyBar, "healthy p99 %s, %s before the attack", milliseconds(p99), milliseconds(x.healthy.Quiet.Quantile(0.99)))
	if n := x.healthy.Errors; n > 0 {
		x.bar(false, "%d healthy errors, the first: %v", n, x.healthy.FirstError)
		if x.row.peer {
			x.notes = append(x.notes, fmt.Sprintf("first error: %v", x.healthy.FirstError))
		}
	}
	x.bar(x.peak <= x.c.bound(), "RSS %s", mebibytes(x.peak))
	if done := count(x.tally); x.c.total > 0 && done < x.c.total {
		x.bar(false, "%d of %d requests in %v", done, x.c.total, x.c.length)
	}
}

func count(tally map[string]int) (total int) {
	for _, n := range tally {
		total += n
	}
	return total
}

// serveNew checks that new clients are served again.
func (x *outcome) serveNew(ctx context.Context, s *server) {
	for i := range newClients {
		if ctx.Err() != nil {
			return
		}
		if _, err := s.get("/plaintext", 2*time.Second); err != nil {
			x.bar(false, "new client %d after the crowd: %v", i+1, err)
			return
		}
	}
	x.notes = append(x.notes, fmt.Sprintf("then %d new clients served", newClients))
}

// runToEnd tells the server to end under load. Its application counts its calls; as many answers must have arrived.
func (x *outcome) runToEnd(ctx context.Context, o *options, s *server) error {
	a, err := startAttack(ctx, s.addr, x.c, o.scale)
	if err != nil {
		return err
	}
	_ = program.Pause(ctx, termAfter)
	if x.peak, err = s.peak(); err != nil {
		return err
	}
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	x.tally, err = a.end(x.c.length + attackGrace)
	if err != nil {
		return err
	}
	if err := s.awaitEnd(time.Until(began.Add(drainWithin))); err != nil {
		x.miss("%v", err)
	}
	x.notes = append(x.notes, fmt.Sprintf("at most %.1f s from SIGTERM to the end", time.Since(began).Seconds()))
	calls, err := callsMade(s.stdout.String())
	if err != nil {
		return err
	}
	x.notes = append(x.notes, fmt.Sprintf("%d calls of the application", calls))
	x.bar(calls == x.tally[answered], "%d calls, %d answers", calls, x.tally[answered])
	x.bar(x.tally[cutOff] == 0, "%d answers cut off", x.tally[cutOff])
	x.bar(calls > x.c.connections, "only %d calls: no load", calls)
	return nil
}

// callsMade is the count in weir's last line.
func callsMade(output string) (int, error) {
	_, rest, found := strings.Cut(output, "weir made ")
	number, _, complete := strings.Cut(rest, " calls")
	if !found || !complete {
		return 0, fmt.Errorf("the server does not tell its calls: %q", output)
	}
	return strconv.Atoi(number)
}

// line is the outcome in short.
func (x *outcome) line() string {
	text := "met"
	if x.row.peer {
		text = "measured"
	}
	if len(x.missed) > 0 {
		text = "MISSED: " + strings.Join(x.missed, "; ")
	}
	if x.healthy != nil {
		text += fmt.Sprintf(" (healthy p99 %s, errors %d, RSS %s)",
			milliseconds(x.healthy.Latencies.Quantile(0.99)), x.healthy.Errors, mebibytes(x.peak))
	}
	return text
}

// An assault is a started process of attackers.
type assault struct {
	cmd    *exec.Cmd
	output *bufio.Reader
}

// startAttack starts the attackers, and returns when they begin. On the main goroutine only.
func startAttack(ctx context.Context, addr string, c attack, scale float64) (*assault, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	a := &assault{}
	a.cmd = exec.CommandContext(ctx, self, attackCommand, "-addr", addr,
		"-case", strconv.Itoa(c.number), "-scale", strconv.FormatFloat(scale, 'g', -1, 64))
	a.cmd.Stderr = os.Stderr
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdout, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	a.output = bufio.NewReader(stdout)
	if line, err := a.output.ReadString('\n'); err != nil || line != begun+"\n" {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		return nil, fmt.Errorf("attackers: said %q: %v", line, err)
	}
	return a, nil
}

// end waits for the attackers and returns their tally.
func (a *assault) end(within time.Duration) (map[string]int, error) {
	timer := time.AfterFunc(within, func() { _ = a.cmd.Process.Kill() })
	defer timer.Stop()
	text, err := io.ReadAll(a.output)
	err = errors.Join(err, a.cmd.Wait())
	tally := make(map[string]int)
	if err == nil {
		err = json.Unmarshal(text, &tally)
	}
	if err != nil {
		return nil, fmt.Errorf("attackers: %w", err)
	}
	return tally, nil
}
