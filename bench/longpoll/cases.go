package longpoll

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A benchCase is one way of letting clients wait.
type benchCase struct {
	name  string
	title string
	full  bool // only with --full
	run   func(m *measurer)
}

var allCases = []benchCase{
	{name: "memory", title: "memory for each waiting client", run: (*measurer).memory},
	{name: "wake", title: "one message to all waiters, beside /plaintext", run: (*measurer).wake},
	{name: "topics", title: "a waiter for each topic, messages at a fixed rate", run: (*measurer).topics},
	{name: "exact", title: "clients come and go, each message exactly once", run: (*measurer).exact},
	{name: "million", title: "1,000,000 sockets over several processes", full: true, run: (*measurer).million},
}

// A sizes is how large the cases are, after --scale.
type sizes struct {
	waiters       int // in one process: of its 20,000 descriptors the server needs some itself
	topics        int // with one waiter each
	rate          int // messages a second to them
	length        time.Duration
	exactTopics   int
	exactClients  int // of each topic
	exactRate     int
	exactLength   time.Duration
	leavesEach    time.Duration // mean time between a client's leavings
	awayMost      time.Duration
	million       int
	millionShares int // processes
	warm          int // clients that wait and are woken before anything is measured
	wakes         int // in each round
	settle        time.Duration
}

func scaledSizes(scale float64) sizes {
	count := func(n int) int { return max(int(float64(n)*scale+0.5), 1) }
	length := func(d time.Duration) time.Duration { return max(time.Duration(float64(d)*scale), 300*time.Millisecond) }
	return sizes{
		waiters: count(19_000), topics: count(19_000), rate: count(20_000), length: length(10 * time.Second),
		exactTopics: count(1000), exactClients: 10, exactRate: count(1000), exactLength: length(time.Minute), leavesEach: 10 * time.Second, awayMost: time.Second,
		million: count(1_000_000), millionShares: max(count(53), 2), warm: min(count(19_000), 100), wakes: 5,
		settle: max(time.Duration(float64(time.Second)*min(10*scale, 1)), 50*time.Millisecond),
	}
}

func chooseCases(list string, full bool) ([]benchCase, error) {
	wanted := fields(list)
	var chosen []benchCase
	var known []string
	for _, c := range allCases {
		known = append(known, c.name)
		asked := slices.Contains(wanted, c.name)
		if asked && c.full && !full {
			return nil, fmt.Errorf("--cases: %s needs --full", c.name)
		}
		if asked || len(wanted) == 0 && (full || !c.full) {
			chosen = append(chosen, c)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("--cases: %q is none of %s", name, strings.Join(known, ", "))
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("--cases: none")
	}
	return chosen, nil
}

// fields are what commas separate.
func fields(list string) (names []string) {
	for _, field := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		names = append(names, strings.TrimSpace(field))
	}
	return names
}
