// Package openloop asks a server at fixed times, whatever the server does.
//
// A request that is due while every connection waits for an answer is sent when one has its answer, and its latency counts from when
// it was due: a server that stops for a second is charged for all that should have been asked in it (coordinated omission).
package openloop

import (
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	longest = time.Minute // that a histogram tells apart
	digits  = 3           // of a latency that it keeps
)

// Options say what to ask for, and when.
type Options struct {
	Addr        string
	Connections int
	Rate        float64       // requests a second; 0 is as many as are answered, and latencies count from the sending
	Length      time.Duration // for which requests become due
	Grace       time.Duration // for the answers to the last ones
	Request     Request
	Closing     bool // the server closes the connection behind each answer, and the next request dials
	// Every Every-th request is Other, and its latency is in no figure. 0 is never.
	Every int
	Other Request
}

// A Request is sent as it is. Check judges the answer to it, and may be called with views into a buffer.
type Request struct {
	Bytes []byte
	Check func(status int, content []byte) error
}

// A Result is what came of it.
type Result struct {
	Requests  int64 // answered, Others among them
	Others    int64
	Elapsed   time.Duration // the length, or until the last answer that is in the figures
	Latencies *hdrhistogram.Histogram
	// Late is between when a request could have been sent, because it was due and a connection was free, and when it was: what the
	// client itself adds.
	Late *hdrhistogram.Histogram
	// Busy is the share of the time in which the client's thread was on a core. Near 1 it is the client that is measured.
	Busy float64
}

// A line carries the requests. Times count from the beginning.
type line interface {
	now() time.Duration
	send(connection int, request []byte) error
	// receive waits for answers, for at most wait, and calls back for each connection whose answer is there.
	receive(wait time.Duration, answered func(connection int, status int, content []byte) error) error
}

type connection struct {
	due, sent time.Duration
	free      time.Duration // since when it waits for a request
	other     bool
}

// A pacer decides what is sent when. It belongs to one goroutine.
type pacer struct {
	o      Options
	line   line
	conns  []connection
	idle   []int // free connections, the one that has waited longest first
	next   int   // number of the next request
	total  int   // how many become due
	flying int
	last   time.Duration // when the last answer came that is in the figures
	result *Result
}

// ErrOverload is returned when requests were due that no connection was ever free for.
var ErrOverload = errors.New("the server does not keep up with the rate")

func newPacer(o Options, l line) *pacer {
	p := &pacer{o: o, line: l, conns: make([]connection, o.Connections), result: &Result{
		Latencies: hdrhistogram.New(1, longest.Microseconds(), digits),
		Late:      hdrhistogram.New(1, longest.Microseconds(), digits),
	}}
	for i := range p.conns {
		p.idle = append(p.idle, i)
	}
	if o.Rate > 0 {
		p.total = int(o.Rate * o.Length.Seconds())
	}
	return p
}

// due is when the next request should be sent. Without a rate that is at once.
func (p *pacer) due(now time.Duration) (at time.Duration, more bool) {
	if p.o.Rate > 0 {
		return time.Duration(float64(p.next) / p.o.Rate * float64(time.Second)), p.next < p.total
	}
	return now, now < p.o.Length
}

// run returns when all that became due is answered, or the grace is over.
func (p *pacer) run() (*Result, error) {
	for {
		now := p.line.now()
		at, more := p.due(now)
		for more && at <= now && len(p.idle) > 0 {
			if err := p.send(at, now); err != nil {
				return p.result, err
			}
			now = p.line.now()
			at, more = p.due(now)
		}
		if !more && p.flying == 0 {
			p.result.Elapsed = max(p.last, p.o.Length)
			return p.result, nil
		}
		end := p.o.Length + p.o.Grace
		if now >= end {
			return p.result, p.unfinished(more)
		}
		until := end
		if more && len(p.idle) > 0 {
			until = min(until, at)
		}
		if err := p.line.receive(max(until-now, 0), p.take); err != nil {
			return p.result, err
		}
	}
}

func (p *pacer) unfinished(more bool) error {
	if more && p.o.Rate > 0 {
		return fmt.Errorf("%w: %d of %d requests could not be sent", ErrOverload, p.total-p.next, p.total)
	}
	return fmt.Errorf("%d requests have no answer after %v", p.flying, p.o.Grace)
}

func (p *pacer) send(due, now time.Duration) error {
	i := p.idle[0]
	p.idle = append(p.idle[:0], p.idle[1:]...)
	c := &p.conns[i]
	p.next++
	c.due, c.sent = due, now
	c.other = p.o.Every > 0 && p.next%p.o.Every == 0
	record(p.result.Late, now-max(due, c.free))
	request := p.o.Request.Bytes
	if c.other {
		request = p.o.Other.Bytes
	}
	p.flying++
	return p.line.send(i, request)
}

// take is told of each answer.
func (p *pacer) take(i, status int, content []byte) error {
	c := &p.conns[i]
	if c.sent < 0 || p.flying == 0 {
		return errors.New("an answer that nothing was asked for")
	}
	check := p.o.Request.Check
	if c.other {
		check = p.o.Other.Check
	}
	if err := check(status, content); err != nil {
		return err
	}
	now := p.line.now()
	p.result.Requests++
	if c.other {
		p.result.Others++
	} else {
		record(p.result.Latencies, now-c.due)
		p.last = now
	}
	c.sent, c.free = -1, now
	p.flying--
	p.idle = append(p.idle, i)
	return nil
}

// record keeps what is longer than the histogram as its longest.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d, 0), longest).Microseconds()) // only a value out of range is an error
}
