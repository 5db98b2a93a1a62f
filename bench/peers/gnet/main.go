// Command gnet is the floor that weir is compared with: gnet's own engine,
// answering every request head with the same bytes and parsing nothing.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// batchLen is how many responses are laid out back to back, so that any
// ordinary pipelined burst is answered with one Write of a prefix.
const batchLen = 256

var headEnd = []byte("\r\n\r\n")

// batch is replaced whole once a second and never changed in place: a loop may
// still be writing from the old one.
type batch struct {
	bytes []byte
	size  int // of one response
}

func newBatch(closing bool, now time.Time) *batch {
	connection := ""
	if closing {
		connection = "Connection: close\r\n"
	}
	one := "HTTP/1.1 200 OK\r\nServer: gnet\r\nDate: " + now.UTC().Format(http.TimeFormat) +
		"\r\n" + connection + "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"
	return &batch{bytes: bytes.Repeat([]byte(one), batchLen), size: len(one)}
}

type plaintext struct {
	gnet.BuiltinEventEngine
	current atomic.Pointer[batch]
	closing bool
}

// OnTick runs on a goroutine of gnet's, beside the loops.
func (p *plaintext) OnTick() (time.Duration, gnet.Action) {
	now := time.Now()
	p.current.Store(newBatch(p.closing, now))
	return now.Truncate(time.Second).Add(time.Second).Sub(now), gnet.None
}

func (p *plaintext) OnTraffic(c gnet.Conn) gnet.Action {
	in, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	var requests int
	if c.Context() == nil && bytes.HasSuffix(in, headEnd) {
		requests = bytes.Count(in, headEnd)
	} else {
		requests = countSplit(c, in)
	}
	b := p.current.Load()
	for left := requests; left > 0; left -= batchLen {
		if _, err := c.Write(b.bytes[:min(left, batchLen)*b.size]); err != nil {
			return gnet.None // the failed Write has closed the connection
		}
	}
	if p.closing && requests > 0 {
		// gnet drops what the kernel did not take; one response always fits.
		return gnet.Close
	}
	return gnet.None
}

// countSplit counts the request heads that end in this read when a head is
// split over reads. Only the part of "\r\n\r\n" seen so far is kept, as the
// connection's context; a connection that never splits a head has none.
func countSplit(c gnet.Conn, in []byte) int {
	if seen, ok := c.Context().(int); ok {
		in = append(headEnd[:seen:seen], in...)
	}
	requests := 0
	for {
		i := bytes.Index(in, headEnd)
		if i < 0 {
			break
		}
		requests++
		in = in[i+len(headEnd):]
	}
	c.SetContext(nil)
	for seen := min(len(in), len(headEnd)-1); seen > 0; seen-- {
		if bytes.HasSuffix(in, headEnd[:seen]) {
			c.SetContext(seen)
			break
		}
	}
	return requests
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8081", "address to listen on")
	reuseport := flag.Bool("reuseport", false, "one SO_REUSEPORT listener a loop")
	closing := flag.Bool("close", false, "close each connection after its answer")
	flag.Parse()

	p := &plaintext{closing: *closing}
	p.current.Store(newBatch(*closing, time.Now()))
	err := gnet.Run(p, "tcp://"+*addr,
		gnet.WithMulticore(true),
		gnet.WithReuseAddr(true),
		gnet.WithReusePort(*reuseport),
		gnet.WithTicker(true))
	if err != nil {
		fmt.Fprintln(os.Stderr, "gnet:", err)
		os.Exit(1)
	}
}
