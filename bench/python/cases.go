package main

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
	{name: "raw", wrk: true, run: func(m *measurer) { m.hello(rawHello) }},
	{name: "flask", wrk: true, run: func(m *measurer) { m.hello(flaskHello) }},
	{name: "cost", wrk: true, run: (*measurer).cost},
}

// A sizes is how long and how much; tests have others.
type sizes struct {
	warm      time.Duration // of wrk, before the first round
	inProcess time.Duration // of what needs no server
}

var fullSizes = sizes{warm: time.Second, inProcess: time.Second}

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
