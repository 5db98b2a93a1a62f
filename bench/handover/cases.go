package handover

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A benchCase is one way of looking at calls that block. Each begins with a new server.
type benchCase struct {
	name string
	wrk  bool // it needs wrk
	run  func(m *measurer)
}

var allCases = []benchCase{
	{name: "cost", wrk: true, run: (*measurer).cost},
	{name: "sleepers", wrk: true, run: (*measurer).sleepers},
	{name: "burners", run: (*measurer).burners},
	{name: "cold", run: (*measurer).cold},
	{name: "idle", run: (*measurer).idle},
}

const (
	leastRounds = 10 // that a ratio is judged from
	idleRounds  = 3  // at most: what repeats well needs no more
)

// A sizes is how long and how much; tests have others.
type sizes struct {
	run      time.Duration // of wrk, or beside those that compute
	warm     time.Duration // before it
	sleep    time.Duration // how long the calls sleep
	spin     time.Duration // how long the calls compute
	before   time.Duration // before the first call that blocks
	after    time.Duration // behind it
	idle     time.Duration
	idlers   int // connections
	settle   time.Duration
	company  int // connections that sleep or compute
	clients  int // of an open loop
	rate     int // requests a second beside those that compute
	coldRate int // requests a second around the first call that blocks
}

var fullSizes = sizes{
	run: 2 * time.Second, warm: 500 * time.Millisecond, sleep: 100 * time.Millisecond, spin: 20 * time.Millisecond,
	before: 500 * time.Millisecond, after: 100 * time.Millisecond,
	idle: 10 * time.Second, idlers: 1000, settle: 2 * time.Second,
	company: 4, clients: 16, rate: 2000, coldRate: 1000,
}

func caseNames() (names []string) {
	for _, c := range allCases {
		names = append(names, c.name)
	}
	return names
}

func chooseCases(list string) ([]benchCase, error) {
	wanted := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range wanted {
		if !slices.Contains(caseNames(), name) {
			return nil, fmt.Errorf("--cases: %q is none of %s", name, strings.Join(caseNames(), ", "))
		}
	}
	var chosen []benchCase
	for _, c := range allCases {
		if list == "" || slices.Contains(wanted, c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("--cases: none")
	}
	return chosen, nil
}
