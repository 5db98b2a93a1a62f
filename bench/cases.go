package main

import "time"

// A benchCase is one way of loading a server.
type benchCase struct {
	name        string
	title       string
	connections int  // for wrk; the idle case takes its own from the options
	depth       int  // requests written at a time on a connection
	closing     bool // a connection a request
	idle        bool // no load: memory for each open connection
	share       float64
}

// pipelineDepth stands also in pipeline.lua.
const pipelineDepth = 16

const (
	warmUp     = time.Second
	idleLength = 5 * time.Second // start, two settling pauses, opening
	idleRounds = 3               // memory repeats well: more rounds say nothing new
)

// share shortens the two cases that need it least, so that a whole run with
// the default flags takes some ten minutes: pipelining makes an order of
// magnitude more requests in the same time, and a connection a request leaves
// a socket in TIME_WAIT for each of its requests.
var allCases = []benchCase{
	{name: "plaintext-64", title: "plaintext, 64 keep-alive connections", connections: 64, depth: 1, share: 1},
	{name: "plaintext-512", title: "plaintext, 512 keep-alive connections", connections: 512, depth: 1, share: 1},
	{name: "pipelined", title: "plaintext, 256 connections, 16 requests pipelined", connections: 256, depth: pipelineDepth, share: 0.8},
	{name: "close", title: "a connection for each request, 64 at a time", connections: 64, depth: 1, closing: true, share: 0.8},
	{name: "idle", title: "idle keep-alive connections which have each made a request", idle: true},
}

// routeName is the key of the registry's routes that the case needs.
func (c benchCase) routeName() string { return "plaintext" }

func caseNames() []string {
	names := make([]string, len(allCases))
	for i, c := range allCases {
		names[i] = c.name
	}
	return names
}

func chooseCases(list string) ([]benchCase, error) {
	names, err := choose("cases", list, caseNames())
	if err != nil {
		return nil, err
	}
	var chosen []benchCase
	for _, name := range names {
		for _, c := range allCases {
			if c.name == name {
				chosen = append(chosen, c)
			}
		}
	}
	return chosen, nil
}

// length is this case's part of the run's length, in the whole seconds that
// wrk can count.
func (c benchCase) length(run time.Duration) time.Duration {
	if c.idle {
		return idleLength
	}
	scaled := time.Duration(float64(run) * c.share)
	return max(time.Second, scaled.Round(time.Second))
}

func (c benchCase) rounds(asked int) int {
	if c.idle {
		return min(asked, idleRounds)
	}
	return asked
}
