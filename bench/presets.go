package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A preset is how much is measured: `make bench BENCH=NAME`.
type preset struct {
	name, about string
	cases       []string // nil is all
	servers     []string // nil is all
	rounds      int
	duration    time.Duration
}

var presets = []preset{
	{
		name: "quick", about: "three cases and five servers, under 2 minutes",
		cases:    []string{"plaintext-64", "pipelined", "rate-common"},
		servers:  []string{subject, "floor", "nginx", "fasthttp", "nethttp"},
		rounds:   5,
		duration: time.Second,
	},
	{
		name: "core", about: "about 10 minutes",
		cases: []string{"plaintext-64", "plaintext-512", "pipelined", "json", "echo-1k", "echo-1m", "bytes-64k", "close",
			"rate-common", "blocking", "slow", "idle-19k"},
		servers:  []string{subject, "floor", "gnet", "gnet reuseport", "nginx", "fasthttp", "hertz", "nethttp"},
		rounds:   5,
		duration: time.Second,
	},
	{
		name: "python", about: "Python's applications: weir run beside other servers of them, about 25 minutes",
		cases: []string{"python-raw", "python-raw-256", "python-flask", "python-flask-256", "python-django", "python-bottle",
			"python-blocking", "python-idle"},
		rounds:   5,
		duration: 2 * time.Second,
	},
	{
		name: "longpoll", about: "clients that wait for a message, beside other servers that let them, about 10 minutes",
		cases:    []string{"longpoll-1k", "longpoll-5k", "longpoll-19k"},
		rounds:   5,
		duration: time.Second,
	},
	{name: "full", about: "every case and server, without a limit", rounds: 9, duration: 4 * time.Second},
}

func presetOf(name string) (preset, error) {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		return preset{}, fmt.Errorf("-preset %q: want one of %s", name, strings.Join(presetNames(), ", "))
	}
	return presets[i], nil
}

func presetNames() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}
