package python

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/weirhttp/weir/bench/internal/verdict"
)

// cost compares weir's CPU a request with what it takes in a process that serves nobody: to decode an environ, call the application,
// and encode what it answers.
func (m *measurer) cost() {
	r, found := m.row(weir)
	if !found {
		return
	}
	for _, c := range []struct {
		name, app string
		most      float64 // us
	}{{"raw WSGI hello", "raw", 7.5}, {"Flask hello", "hello_flask", 14}} {
		l := m.line(c.name+", 64 connections: CPU a request above decoding, application and encoding", fmt.Sprintf("at most %g us", c.most))
		s, err := m.start(r, c.app)
		if err == nil {
			_, err = m.load(s, connections, m.o.sizes.warm)
		}
		if err != nil {
			l.Failures = append(l.Failures, err.Error())
		} else {
			m.costAbove(l, s, c.app, c.most)
		}
		if s != nil {
			s.Stop()
		}
	}
}

func (m *measurer) costAbove(l *verdict.Line, s *server, app string, most float64) {
	var above, bare []float64
	var runs []reading
	verdict.Times(m.ctx, m.o.rounds, func(int) (string, error) {
		alone, err := m.inProcess(app)
		if err != nil {
			return "", err
		}
		r, err := m.load(s, connections, m.o.sizes.run)
		if err != nil {
			return "", err
		}
		above, bare, runs = append(above, r.cpu-alone), append(bare, alone), append(runs, r)
		return fmt.Sprintf("%.2f us, alone %.2f us", r.cpu, alone), nil
	}, l)
	l.JudgeMedian(above, most, microseconds)
	if len(runs) > 0 {
		all, workers := medianOf(runs, func(r reading) float64 { return r.cpu }), medianOf(runs, func(r reading) float64 { return r.workers })
		l.Note("%.2f us in all: weir %.2f, workers %.2f; without a server %.2f; %.0f requests/s",
			all, all-workers, workers, verdict.Median(bare), verdict.Median(perSecond(runs)))
	}
}

// inProcess is the CPU time of a request without a server, in microseconds.
func (m *measurer) inProcess(app string) (float64, error) {
	ctx, cancel := context.WithTimeout(m.ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.o.python, "-B", filepath.Join(m.o.apps(), "inprocess.py"), app,
		strconv.FormatFloat(m.o.sizes.inProcess.Seconds(), 'f', -1, 64))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("inprocess.py: %w: %s", err, out)
	}
	return strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
}
