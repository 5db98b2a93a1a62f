// Package wrk reads what the load generator wrk prints.
package wrk

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Result is what wrk saw.
type Result struct {
	Requests  int64
	PerSecond float64
	P50       time.Duration
	P99       time.Duration
	P999      time.Duration // 0 unless a script of wrk's has told
	Problems  []string      // anything that makes the run worthless
}

// Parse reads wrk's report with --latency. Its error lines are there only when something
// went wrong, and become problems. What it must find and does not is an error.
func Parse(report string) (*Result, error) {
	r := &Result{Requests: -1, PerSecond: -1, P50: -1, P99: -1}
	lines := bufio.NewScanner(strings.NewReader(report))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		fields := strings.Fields(line)
		var err error
		switch {
		case strings.HasPrefix(line, "50%") && len(fields) == 2:
			r.P50, err = parseTime(fields[1])
		case strings.HasPrefix(line, "99%") && len(fields) == 2:
			r.P99, err = parseTime(fields[1])
		case strings.HasPrefix(line, "99.9%") && len(fields) == 2:
			r.P999, err = parseTime(fields[1])
		case strings.Contains(line, " requests in "):
			r.Requests, err = strconv.ParseInt(fields[0], 10, 64)
		case strings.HasPrefix(line, "Requests/sec:") && len(fields) == 2:
			r.PerSecond, err = strconv.ParseFloat(fields[1], 64)
		case strings.HasPrefix(line, "Socket errors:"), strings.HasPrefix(line, "Non-2xx or 3xx responses:"):
			r.Problems = append(r.Problems, line)
		}
		if err != nil {
			return nil, fmt.Errorf("wrk: cannot read %q: %w", line, err)
		}
	}
	switch {
	case r.Requests < 0 || r.PerSecond < 0:
		return nil, errors.New("wrk: its output has no totals")
	case r.P50 < 0 || r.P99 < 0:
		return nil, errors.New("wrk: its output has no latency distribution")
	case r.Requests == 0:
		r.Problems = append(r.Problems, "no request was answered")
	}
	return r, nil
}

// units are those in which wrk writes times, longer suffixes first.
var units = []struct {
	suffix string
	unit   time.Duration
}{
	{"us", time.Microsecond},
	{"ms", time.Millisecond},
	{"s", time.Second},
	{"m", time.Minute},
	{"h", time.Hour},
}

func parseTime(s string) (time.Duration, error) {
	for _, u := range units {
		if number, found := strings.CutSuffix(s, u.suffix); found {
			n, err := strconv.ParseFloat(number, 64)
			return time.Duration(n*float64(u.unit) + 0.5), err
		}
	}
	return 0, errors.New("a time without a unit")
}
