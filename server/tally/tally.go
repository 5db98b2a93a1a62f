// Package tally counts requests: for each loop in plain memory that is the loop's own, so that counting is a few additions, and for
// requests that are answered on goroutines behind a mutex.
package tally

import "sync"

// Codes is one more than the largest status that is counted by itself.
const Codes = 1000

// Kinds is how many kinds of malformed requests there may be.
const Kinds = 64

// Requests is what was counted of requests. It belongs to one goroutine at a time: a loop's to the loop.
type Requests struct {
	// Answered is the number of requests by the status of their answer; 0: they had none, because the client left before.
	Answered [Codes]uint64
	// Latency is the time from when a request's head was whole to when the last octet of the answer was given to its connection, of those
	// that were begun.
	Latency Histogram
	// Active is how many requests are begun and not answered; Waiting how many of them wait for an answer that was deferred.
	Active, Waiting int
	// Sockets is the number of connections that speak WebSocket.
	Sockets int
	// Malformed is the number of requests that the parser refused, by httpparse.Kind.
	Malformed [Kinds]uint64

	last int64 // when the last request of this event was answered, by now; 0: none was
}

// Arrive tells that input has come, in which several requests may be.
func (r *Requests) Arrive() { r.last = 0 }

// Begin counts a request whose head is whole, and returns when that was. A request that came together with another one begins when that one was
// answered, which saves looking at the clock.
func (r *Requests) Begin() (begun Moment) {
	r.Active++
	if r.last == 0 {
		r.last = now()
	}
	return momentOf(r.last)
}

// End counts a request that has ended with the status, and was begun; the zero Moment: it was not.
func (r *Requests) End(begun Moment, status int) {
	if uint(status) >= Codes {
		status = Codes - 1
	}
	r.Answered[status]++
	if begun == (Moment{}) {
		return
	}
	r.Active--
	r.last = now()
	r.Latency.Add(begun.until(r.last))
}

// Refuse counts a request that the parser refused.
func (r *Requests) Refuse(kind int) { r.Malformed[kind%Kinds]++ }

// Merge adds what o has counted.
func (r *Requests) Merge(o *Requests) {
	for i, n := range o.Answered {
		r.Answered[i] += n
	}
	for i, n := range o.Malformed {
		r.Malformed[i] += n
	}
	r.Latency.Merge(&o.Latency)
	r.Active += o.Active
	r.Waiting += o.Waiting
	r.Sockets += o.Sockets
}

// Board has the counts of a server.
type Board struct {
	loops  []*Requests
	shared Shared
}

// NewBoard returns that of a server with so many loops.
func NewBoard(loops int) *Board {
	b := &Board{}
	for range loops {
		b.loops = append(b.loops, new(Requests))
	}
	return b
}

// Loop returns the counts of a loop. They are for the loop alone. A nil Board has none.
func (b *Board) Loop(index int) *Requests {
	if b == nil {
		return nil
	}
	return b.loops[index]
}

// Shared returns the counts of requests that belong to no loop.
func (b *Board) Shared() *Shared {
	if b == nil {
		return nil
	}
	return &b.shared
}

// Shared is Requests for any goroutine.
type Shared struct {
	mu sync.Mutex
	r  Requests
}

// Begin is Requests.Begin.
func (s *Shared) Begin() (begun Moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Active++
	return momentOf(now())
}

// End is Requests.End.
func (s *Shared) End(begun Moment, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.End(begun, status)
}

// Read copies what was counted.
func (s *Shared) Read() *Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.r
	return &r
}
