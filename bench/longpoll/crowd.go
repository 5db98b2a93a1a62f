package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/response"
)

// crowdMain is the crowd's process: it opens the connections, says that they wait, and does what the plan says for each
// line on standard input.
func crowdMain(args []string) int {
	var p plan
	if len(args) != 1 {
		return exitUsage
	}
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return exitUsage
	}
	// A runner that hangs must not keep this process for ever.
	time.AfterFunc(p.Limit, func() { os.Exit(tell(fmt.Errorf("the crowd has not ended in %v", p.Limit), exitFailed)) })
	if err := crowdRun(p); err != nil {
		return tell(err, exitFailed)
	}
	return 0
}

func crowdRun(p plan) error {
	c, err := newCrowd(p)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.open(); err != nil {
		return err
	}
	step, err := c.steps()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(crowdReport{Waiting: len(c.clients)}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count, err := response.Number(lines.Bytes())
		if err != nil {
			return fmt.Errorf("told %q", lines.Text())
		}
		report, err := step(count)
		if err != nil {
			return err
		}
		if err := out.Encode(report); err != nil {
			return err
		}
	}
	return lines.Err()
}

// steps is what a line on standard input stands for. Publishers connect here.
func (c *crowd) steps() (func(count int) (crowdReport, error), error) {
	switch c.plan.Mode {
	case modeWake:
		w, err := newWaker(c)
		if err != nil {
			return nil, err
		}
		return w.wakes, nil
	case modeTopics:
		t, err := newTicker(c)
		if err != nil {
			return nil, err
		}
		return func(int) (report crowdReport, err error) {
			report.Topics, err = t.publishAll()
			return report, err
		}, nil
	case modeExact:
		a, err := newAuditor(c)
		if err != nil {
			return nil, err
		}
		return func(int) (report crowdReport, err error) {
			report.Exact, err = a.publishAll()
			return report, err
		}, nil
	}
	return nil, fmt.Errorf("no mode %q", c.plan.Mode)
}
