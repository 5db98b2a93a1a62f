package main

import (
	"slices"
	"time"

	"github.com/weirhttp/weir/bench/internal/registry"
)

// Kinds of cases: what is done to the server decides what its figure is.
const (
	closedLoop = "closed loop" // as many requests as it answers: CPU a request
	fixedRate  = "fixed rate"  // requests at fixed times: latency
	idleMemory = "idle"        // connections without requests: memory each
	waiting    = "long-poll"   // clients that wait for a message: time until all have it, and memory each
)

// A benchCase is one way of using a server. What a report needs of it is in the results too.
type benchCase struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Kind  string `json:"kind"`
	App   string `json:"app,omitempty"` // the application of Python's that the servers of the case run; "" for those that have routes of their own

	route       string
	size        int // octets of the content that is sent
	connections int
	depth       int     // requests written at a time
	closing     bool    // a connection a request
	rate        float64 // requests/s of a fixed rate, or
	share       float64 // the part of what the server can do
	every       int     // each such request blocks the handler
	slow        int     // clients beside it that send an octet a second
}

// subject is the server that the others are compared with.
func (c benchCase) subject() string {
	if c.App != "" {
		return pythonSubject
	}
	return subject
}

// with is the case as the server has it: one that closes every connection has a connection for each request.
func (c benchCase) with(s server) benchCase {
	c.closing = c.closing || s.Closes
	return c
}

const (
	pipelineDepth = 16
	commonRate    = 10_000 // which every server here keeps up with
	mixedRate     = 5_000
	pythonRate    = 500 // of which one in a hundred keeps half a worker busy
)

// allCases in the order of a report.
var allCases = []benchCase{
	{Name: "plaintext-64", Title: "plaintext, 64 keep-alive connections", Kind: closedLoop, route: "plaintext", connections: 64},
	{Name: "plaintext-512", Title: "plaintext, 512 keep-alive connections", Kind: closedLoop, route: "plaintext", connections: 512},
	{Name: "pipelined", Title: "plaintext, 256 connections, 16 requests pipelined", Kind: closedLoop, route: "plaintext", connections: 256, depth: pipelineDepth},
	{Name: "json", Title: "JSON made for each request, 64 connections", Kind: closedLoop, route: "json", connections: 64},
	{Name: "echo-1k", Title: "1 KiB up and down, 64 connections", Kind: closedLoop, route: "echo", connections: 64, size: 1 << 10},
	{Name: "echo-1m", Title: "1 MiB up and down, 16 connections", Kind: closedLoop, route: "echo", connections: 16, size: 1 << 20},
	{Name: "bytes-64k", Title: "65,536 octets down, 64 connections", Kind: closedLoop, route: "bytes", connections: 64},
	{Name: "close", Title: "a connection for each request, 64 at a time", Kind: closedLoop, route: "plaintext", connections: 64, closing: true},
	{Name: "rate-common", Title: "plaintext at 10,000 requests/s on 64 connections", Kind: fixedRate, route: "plaintext", connections: 64, rate: commonRate},
	{Name: "rate-25", Title: "plaintext at 25 % of what the server can do", Kind: fixedRate, route: "plaintext", connections: 64, share: 0.25},
	{Name: "rate-50", Title: "plaintext at 50 % of what the server can do", Kind: fixedRate, route: "plaintext", connections: 64, share: 0.50},
	{Name: "rate-75", Title: "plaintext at 75 % of what the server can do", Kind: fixedRate, route: "plaintext", connections: 64, share: 0.75},
	{Name: "blocking", Title: "plaintext at 5,000 requests/s, of which 1 % call a handler that blocks for 100 ms and are not counted", Kind: fixedRate, route: "plaintext", connections: 64, rate: mixedRate, every: 100},
	{Name: "slow", Title: "plaintext at 5,000 requests/s beside 200 clients that send an octet a second", Kind: fixedRate, route: "plaintext", connections: 64, rate: mixedRate, slow: 200},
	{Name: "idle-10k", Title: "10,000 idle keep-alive connections which have each made a request", Kind: idleMemory, route: "plaintext", connections: 10_000},
	{Name: "idle-19k", Title: "19,000 idle keep-alive connections which have each made a request", Kind: idleMemory, route: "plaintext", connections: 19_000},
	{Name: "longpoll-1k", Title: "1,000 clients wait on one topic until a message wakes them", Kind: waiting, connections: 1_000},
	{Name: "longpoll-5k", Title: "5,000 clients wait on one topic until a message wakes them", Kind: waiting, connections: 5_000},
	{Name: "longpoll-19k", Title: "19,000 clients wait on one topic until a message wakes them", Kind: waiting, connections: 19_000},
	{Name: "python-raw", Title: "Python: raw WSGI hello, 64 connections", Kind: closedLoop, App: "raw", route: "hello", connections: 64},
	{Name: "python-raw-256", Title: "Python: raw WSGI hello, 256 connections", Kind: closedLoop, App: "raw", route: "hello", connections: 256},
	{Name: "python-flask", Title: "Python: Flask hello, 64 connections", Kind: closedLoop, App: "hello_flask", route: "hello", connections: 64},
	{Name: "python-flask-256", Title: "Python: Flask hello, 256 connections", Kind: closedLoop, App: "hello_flask", route: "hello", connections: 256},
	{Name: "python-django", Title: "Python: Django hello, 64 connections", Kind: closedLoop, App: "hello_django", route: "hello", connections: 64},
	{Name: "python-bottle", Title: "Python: Bottle hello, 64 connections", Kind: closedLoop, App: "hello_bottle", route: "hello", connections: 64},
	{Name: "python-blocking", Title: "Python: raw WSGI hello at 500 requests/s, of which 1 % call a view that blocks for 100 ms and are not counted", Kind: fixedRate, App: "sleeper", route: "hello", connections: 64, rate: pythonRate, every: 100},
	{Name: "python-idle", Title: "Python: 2,000 idle keep-alive connections which have each made a request", Kind: idleMemory, App: "raw", route: "hello", connections: 2_000},
}

// A framework is what an application needs beside Python.
type framework struct{ module, debian string }

var frameworks = map[string]framework{
	"hello_flask":  {"flask", "python3-flask"},
	"hello_django": {"django", "python3-django"},
	"hello_bottle": {"bottle", "python3-bottle"},
}

// installed is an error that says how to get it when the framework of the case is not there.
func (c benchCase) installed() error {
	f, needed := frameworks[c.App]
	if !needed {
		return nil
	}
	return registry.CanImport(f.module, f.debian)
}

// installedCases are those that can be run here, and what is missing for the others.
func installedCases(cases []benchCase) (there []benchCase, left []missing) {
	for _, c := range cases {
		if err := c.installed(); err != nil {
			left = append(left, missing{c.Name, err.Error()})
			continue
		}
		there = append(there, c)
	}
	return there, left
}

// routes are those that a server must offer to be in the case.
func (c benchCase) routes() []string {
	switch {
	case c.Kind == waiting:
		return nil
	case c.every > 0:
		return []string{c.route, "sleep"}
	}
	return []string{c.route}
}

func caseNames() []string { return namesOf(allCases) }

func namesOf(cases []benchCase) []string {
	names := make([]string, len(cases))
	for i, c := range cases {
		names[i] = c.Name
	}
	return names
}

func chooseCases(list string) ([]benchCase, error) {
	names, err := choose("cases", list, caseNames())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(allCases), func(c benchCase) bool { return !slices.Contains(names, c.Name) }), nil
}

const (
	warmUp      = 300 * time.Millisecond
	idleLength  = 5 * time.Second // start, two settling pauses, opening
	freshRounds = leastRounds     // at most, of cases with a fresh process for each run: they take long and repeat well
)

// length of one run.
func (c benchCase) length(run time.Duration) time.Duration {
	if c.Kind == idleMemory {
		return idleLength
	}
	return run
}

func (c benchCase) rounds(asked int) int {
	if c.Kind == idleMemory || c.Kind == waiting {
		return min(asked, freshRounds)
	}
	return asked
}

// A figure is what servers are compared by in a kind of case.
type figure struct {
	name, unit string
	digits     int
	less, more string // what a row with less of it, or more, says
	of         func(runRecord) float64
}

var figures = map[string]figure{
	closedLoop: {"CPU a request", "us", 3, "faster", "slower", func(r runRecord) float64 { return r.CPUPer }},
	fixedRate:  {"p99", "ms", 2, "faster", "slower", func(r runRecord) float64 { return float64(r.Load.P99) / 1e6 }},
	idleMemory: {"memory a connection", "bytes", 0, "less", "more", func(r runRecord) float64 { return r.RSSPer }},
	waiting:    {"time until all are woken", "ms", 1, "faster", "slower", func(r runRecord) float64 { return median(r.Wakes) / 1e6 }},
}
