package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/weirhttp/weir/bench/internal/histogram"
)

// loadCommand is the hidden first argument with which the runner starts itself
// as a load generator.
const loadCommand = "load"

// A load is a closed loop: each connection sends its next requests when all of
// its last ones were answered.
type load struct {
	addr        string
	want        exchange
	connections int
	depth       int  // requests written at a time
	closing     bool // a connection for each request
	duration    time.Duration
}

// exchangeFlags are those by which a child learns what to ask for.
func exchangeFlags(fs *flag.FlagSet) func() exchange {
	route := fs.String("route", "plaintext", "key of the registry")
	target := fs.String("target", "/plaintext", "where the server has it")
	size := fs.Int("size", 0, "octets that are sent")
	return func() exchange { return exchangeOf(*route, *target, *size) }
}

// loadMain is the loader process: figures as JSON on standard output.
func loadMain(args []string) int {
	var l load
	fs := flag.NewFlagSet(loadCommand, flag.ContinueOnError)
	fs.StringVar(&l.addr, "addr", "", "server")
	fs.IntVar(&l.connections, "connections", 64, "open at a time")
	want := exchangeFlags(fs)
	fs.IntVar(&l.depth, "depth", 1, "requests written at a time")
	fs.BoolVar(&l.closing, "close", false, "a connection a request")
	fs.DurationVar(&l.duration, "duration", time.Second, "how long")
	if err := fs.Parse(args); err != nil {
		return exitUsage
	}
	l.want = want()
	if err := json.NewEncoder(os.Stdout).Encode(l.run()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

func (l *load) request() []byte {
	return bytes.Repeat(l.want.bytes(l.addr, l.closing), max(l.depth, 1))
}

func (l *load) run() *loadResult {
	var (
		wg      sync.WaitGroup
		clients = make([]*client, l.connections)
		begin   = time.Now()
		until   = begin.Add(l.duration)
	)
	for i := range clients {
		clients[i] = &client{load: l, request: l.request(), until: until}
		wg.Go(clients[i].run)
	}
	wg.Wait()
	elapsed := time.Since(begin)

	var latencies histogram.Histogram
	errs := map[string]int{}
	result := &loadResult{}
	for _, c := range clients {
		latencies.Add(&c.latencies)
		result.Requests += c.requests
		if c.err != nil {
			errs[c.err.Error()]++
		}
	}
	for text, n := range errs {
		result.Problems = append(result.Problems, fmt.Sprintf("%d connections: %s", n, text))
	}
	slices.Sort(result.Problems)
	if result.Requests == 0 {
		result.Problems = append(result.Problems, "no request was answered")
	}
	result.PerSecond = float64(result.Requests) / elapsed.Seconds()
	result.P50 = latencies.Quantile(0.50)
	result.P99 = latencies.Quantile(0.99)
	return result
}

// A client is one of the load's connections, or with closing, one after the
// other of them. Its goroutine owns it until the load has waited for that.
type client struct {
	load      *load
	request   []byte
	until     time.Time
	latencies histogram.Histogram
	requests  int64
	err       error
}

// run stops at the first error: it makes the whole run worthless anyway.
func (c *client) run() {
	for c.err == nil && time.Now().Before(c.until) {
		c.err = c.connection()
		// The ports differ in each text and would keep equal errors apart.
		if op, ok := errors.AsType[*net.OpError](c.err); ok {
			c.err = fmt.Errorf("%s: %w", op.Op, op.Err)
		}
	}
}

// connection loads one connection until the time is over, or with closing for
// one answer. That answer's latency counts from the dialling.
func (c *client) connection() error {
	dialled := time.Now()
	conn, err := net.DialTimeout("tcp", c.load.addr, grace)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(c.until.Add(grace)); err != nil {
		return err
	}
	responses := newResponseReader(conn, c.load.want)
	if c.load.closing {
		return c.exchange(conn, responses, dialled)
	}
	for {
		sent := time.Now()
		if !sent.Before(c.until) {
			return nil
		}
		if err := c.exchange(conn, responses, sent); err != nil {
			return err
		}
	}
}

// exchange sends one batch and reads all of its answers.
func (c *client) exchange(conn net.Conn, responses *responseReader, begin time.Time) error {
	if _, err := conn.Write(c.request); err != nil {
		return err
	}
	for range max(c.load.depth, 1) {
		if err := responses.next(); err != nil {
			return err
		}
		c.requests++
		c.latencies.Record(time.Since(begin))
	}
	if c.load.closing {
		return responses.end()
	}
	return nil
}
