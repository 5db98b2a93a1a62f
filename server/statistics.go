package server

import (
	"context"
	"sync"
	"time"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/tally"
)

// Statistics are what a server has counted since it was started, and what it does at the moment.
type Statistics struct {
	Loops []LoopStatistics
	// Requests are those of all loops and of HTTP/2; nothing is counted without Config.CountRequests.
	Requests tally.Requests
	// HTTP2 is how many requests of HTTP/2 are begun and not answered.
	HTTP2 int
	// Detached are the connections that have left their loops: those of HTTP/2.
	Detached loop.DetachedCounters
	// Takeovers is how many calls of the application have lost their loop, Away how many of these have not returned. Blocking is how many run
	// on goroutines.
	Takeovers      uint64
	Away, Blocking int
	// ContentMemory is how many octets of Config.ContentMemory are in use.
	ContentMemory int64
	// LogDropped is how many lines of the access log were dropped.
	LogDropped int64
}

// LoopStatistics are those of one loop.
type LoopStatistics struct {
	// Answers tells whether the loop has answered the question. What was counted is otherwise what it was when it last did.
	Answers bool
	// Lag is how long the loop has taken to answer, or has not answered so far.
	Lag time.Duration
	// Connections are open, those that have left the loop too.
	Connections int
	loop.Counters
	// Active, Waiting and Sockets are those of tally.Requests.
	Active, Waiting, Sockets int
}

// Statistics asks the loops what they have counted; those that have not answered when ctx ends have the numbers of the time before. Before
// Serve there are none.
func (s *Server) Statistics(ctx context.Context) (all Statistics) {
	s.mu.Lock()
	reactor, exchange, log := s.reactor, s.exchange, s.log
	s.mu.Unlock()
	if reactor == nil {
		return all
	}
	all.Loops = make([]LoopStatistics, len(reactor.Loops()))
	var asked []<-chan struct{}
	for i := range all.Loops {
		asked = append(asked, s.inspector.ask(i))
	}
	for i, l := range reactor.Loops() {
		select {
		case <-asked[i]:
		case <-l.Exited():
		case <-ctx.Done():
		}
		all.Loops[i] = s.inspector.read(i, &all.Requests)
		all.Loops[i].Connections = l.Open()
	}
	if shared := s.inspector.board.Shared(); shared != nil {
		r := shared.Read()
		all.HTTP2 = r.Active
		all.Requests.Merge(r)
	}
	all.Detached = reactor.Detached()
	all.Takeovers, all.Away, all.Blocking = reactor.Takeovers(), reactor.Away(), exchange.Blocking()
	all.ContentMemory = reactor.Gathered()
	if log != nil {
		all.LogDropped = log.Dropped()
	}
	return all
}

// LoopLags asks each loop to answer, and tells how long that took it; negative: it did not until ctx ended. There are none before Serve.
func (s *Server) LoopLags(ctx context.Context) (lags []time.Duration) {
	for _, l := range s.Statistics(ctx).Loops {
		if !l.Answers {
			l.Lag = -1
		}
		lags = append(lags, l.Lag)
	}
	return lags
}

// inspector asks loops what they have counted. A loop copies its counts when it comes to that: nothing of them is shared.
type inspector struct {
	board *tally.Board // nil: requests are not counted
	loops []*inspected
}

// inspected is what is known of a loop.
type inspected struct {
	loop *loop.Loop

	mu       sync.Mutex
	asked    time.Time      // guarded by mu
	answered chan struct{}  // closed when it has answered; nil: nothing was asked. Guarded by mu
	last     LoopStatistics // guarded by mu
	requests *tally.Requests
}

func (n *inspector) init(reactor *loop.Reactor, board *tally.Board) {
	n.board = board
	for _, l := range reactor.Loops() {
		n.loops = append(n.loops, &inspected{loop: l, requests: new(tally.Requests)})
	}
}

// ask asks a loop, unless it has been asked and has not answered yet.
func (n *inspector) ask(index int) (answered <-chan struct{}) {
	l := n.loops[index]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answered == nil {
		l.answered, l.asked = make(chan struct{}), time.Now()
		counts := n.board.Loop(index)
		l.loop.Post(func(any) { l.answer(counts) }, nil)
	}
	return l.answered
}

// answer is called on the loop.
func (l *inspected) answer(counts *tally.Requests) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copy(counts)
	l.last.Lag = time.Since(l.asked)
	close(l.answered)
	l.answered = nil
}

// copy takes note of what was counted, on the loop or when it has ended. mu is held.
func (l *inspected) copy(counts *tally.Requests) {
	l.requests = new(tally.Requests)
	if counts != nil {
		*l.requests = *counts
	}
	l.last = LoopStatistics{Answers: true, Counters: l.loop.Counters(),
		Active: l.requests.Active, Waiting: l.requests.Waiting, Sockets: l.requests.Sockets}
}

// read is what is known of a loop. Its requests are added to all.
func (n *inspector) read(index int, all *tally.Requests) LoopStatistics {
	l := n.loops[index]
	l.mu.Lock()
	defer l.mu.Unlock()
	late := l.answered != nil
	select {
	case <-l.loop.Exited(): // and answers nothing any more
		l.copy(n.board.Loop(index))
		late = false
	default:
	}
	all.Merge(l.requests)
	s := l.last
	if late {
		s.Answers, s.Lag = false, time.Since(l.asked)
	}
	return s
}
