package python

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A benchCase is one way of looking at servers of Python's applications.
type benchCase struct {
	name string
	wrk  bool // it needs wrk
	run  func(m *measurer)
}

var allCases = []benchCase{
	{name: "cost", wrk: true, run: (*measurer).cost},
	{name: "sleeper", wrk: true, run: (*measurer).sleeper},
	{name: "slow", run: func(m *measurer) { m.beside(slowClients) }},
	{name: "idle", run: func(m *measurer) { m.beside(idleClients) }},
	{name: "hold", run: (*measurer).hold},
	{name: "stream", run: (*measurer).stream},
}

// A sizes is how long and how much; tests have others.
type sizes struct {
	run       time.Duration // of wrk, or beside others
	warm      time.Duration // of wrk, before the first round
	inProcess time.Duration // of what needs no server
	quiet     time.Duration // before a server has clients that misbehave
	slow      int           // clients that send an octet a second
	idle      int           // connections
	open      time.Duration // until they are there
	held      int           // clients that a view lets wait
	wakes     int           // of them, in a round
	settle    time.Duration // until the view has been called for all of them
	long      int64         // octets of content
}

var fullSizes = sizes{
	warm: time.Second, inProcess: time.Second, quiet: time.Second,
	slow: 200, idle: 2000, open: 10 * time.Second, held: 5000, wakes: 3, settle: 2 * time.Second, long: 1 << 30,
}

// connections are those of wrk.
const connections = 64

// fewRounds are enough for what repeats well, or takes long.
const fewRounds = 3

func caseNames() (names []string) {
	for _, c := range allCases {
		names = append(names, c.name)
	}
	return names
}

func chooseCases(list string) ([]benchCase, error) {
	wanted := fields(list)
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
