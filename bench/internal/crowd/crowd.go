package crowd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/response"
)

// Main is the crowd's process: it opens the connections, says that they wait, and does what the plan says for each
// line on standard input.
func Main(args []string) error {
	var p Plan
	if len(args) != 1 {
		return errors.New("a crowd takes a plan")
	}
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	// A runner that hangs must not keep this process for ever.
	time.AfterFunc(p.Limit, func() {
		fmt.Fprintf(os.Stderr, "the crowd has not ended in %v\n", p.Limit)
		os.Exit(1)
	})
	return run(p)
}

func run(p Plan) error {
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
	if err := out.Encode(Report{Waiting: len(c.clients)}); err != nil {
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
func (c *crowd) steps() (func(count int) (Report, error), error) {
	switch c.plan.Mode {
	case ModeWake:
		w, err := newWaker(c)
		if err != nil {
			return nil, err
		}
		return w.wakes, nil
	case ModeTopics:
		t, err := newTicker(c)
		if err != nil {
			return nil, err
		}
		return func(int) (report Report, err error) {
			report.Topics, err = t.publishAll()
			return report, err
		}, nil
	case ModeExact:
		a, err := newAuditor(c)
		if err != nil {
			return nil, err
		}
		return func(int) (report Report, err error) {
			report.Exact, err = a.publishAll()
			return report, err
		}, nil
	}
	return nil, fmt.Errorf("no mode %q", c.plan.Mode)
}
