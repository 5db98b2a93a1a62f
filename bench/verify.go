package main

import (
	"fmt"
	"time"
)

// verify asks for the case's responses on raw connections, before anything is
// measured, and wants them to be those that all servers owe.
func verify(s server, addr string, c benchCase) error {
	for _, route := range c.routes() {
		x := exchangeOf(route, s.entry.Routes[route], c.size)
		if err := ask(addr, x, c.closing); err != nil {
			return fmt.Errorf("%s: %w", route, err)
		}
	}
	if c.closing || c.size > 0 || c.App != "" { // not every server of Python's applications takes pipelined requests
		return nil
	}
	return verifySplit(addr, exchangeOf(c.route, s.entry.Routes[c.route], 0))
}

// verifySplit sends a batch of requests in two pieces, cut at each place
// around the end of a request head, and wants all answers. A server that loses
// count would otherwise look slow, or even fast.
func verifySplit(addr string, x exchange) error {
	conn, err := dialFor(addr, grace)
	if err != nil {
		return err
	}
	defer conn.Close()
	responses := newResponseReader(conn, x)
	l := load{addr: addr, want: x, depth: 3}
	request := l.request()
	one := len(request) / l.depth
	for cut := one - 5; cut <= one+5; cut++ {
		for _, piece := range [][]byte{request[:cut], request[cut:]} {
			if _, err := conn.Write(piece); err != nil {
				return err
			}
			// Long enough that the server reads the pieces apart.
			time.Sleep(2 * time.Millisecond)
		}
		for range l.depth {
			if err := responses.next(); err != nil {
				return fmt.Errorf("%d requests cut at byte %d: %w", l.depth, cut, err)
			}
		}
	}
	return nil
}
