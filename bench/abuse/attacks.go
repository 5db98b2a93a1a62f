package main

import (
	"context"
	"time"
)

// An attack is one case: what misbehaving clients do, and for how long.
type attack struct {
	number      int
	title       string
	connections int           // open at a time
	total       int           // requests or connections in all; 0: as many as the time allows
	length      time.Duration // the most that it takes, and where total is 0 what it takes
	descriptors int           // the server's limit, soft and hard; 0: the system's
	ends        bool          // the server is told to stop under it
	peers       bool          // other servers are compared in it
	do          func(context.Context, *attackers)
}

// attacks is filled by init, because running one and listing them refer to each other.
var attacks []attack

func init() {
	attacks = []attack{
		{number: 1, title: "a header octet a second", connections: 2000, length: 20 * time.Second, peers: true, do: slowHeads},
		{number: 2, title: "a body octet a second", connections: 2000, length: 20 * time.Second, do: slowBodies},
		{number: 3, title: "pipelined GETs of 1 MiB, nothing read", connections: 500, length: 12 * time.Second, peers: true, do: neverRead},
		{number: 4, title: "1 GiB read at 1 KiB/s", connections: 500, length: 12 * time.Second, peers: true, do: slowReaders},
		{number: 5, title: "100 MiB to a sink of 64 KiB/s", connections: 500, length: 20 * time.Second, do: uploads},
		{number: 6, title: "connect and close, half by RST", connections: 64, total: 20_000, length: 30 * time.Second, do: connects},
		{number: 7, title: "half-closed connections", connections: 2000, length: 12 * time.Second, peers: true, do: halfClosed},
		{number: 8, title: "mutated requests", connections: 128, total: 1_000_000, length: 150 * time.Second, do: mutated},
		{number: 9, title: "600 descriptors", connections: 1000, length: 10 * time.Second, descriptors: 600, do: crowd},
		{number: 10, title: "SIGTERM under load", connections: 600, length: 20 * time.Second, ends: true, do: underLoad},
		{number: 11, title: "panics, as many in each of 4 phases", connections: 64, total: 400_000, length: 120 * time.Second, do: panics},
	}
}

// shortest is what scaling leaves of a case's time.
const shortest = 3 * time.Second

func (a attack) scaled(scale float64) attack {
	a.connections = max(int(float64(a.connections)*scale), 6)
	if a.total > 0 {
		a.total = max(int(float64(a.total)*scale), 1)
		return a // its time is only a bound
	}
	if !a.ends {
		a.length = max(time.Duration(float64(a.length)*scale), min(a.length, shortest))
	}
	if a.descriptors > 0 {
		// Weir keeps a reserve of 256 for files; 30 more are what it starts with.
		a.descriptors = max(int(float64(a.descriptors)*scale), 300)
	}
	return a
}

// The bound of the server's memory: so much, and so much for each connection.
const (
	boundBase          = 64 << 20
	boundForConnection = 64<<10 + 16<<10 // output high-water mark, and the rest
)

// bound is the most resident memory that the server may have.
func (a attack) bound() int64 { return boundBase + int64(a.connections)*boundForConnection }
