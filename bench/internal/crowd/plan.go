// Package crowd has clients that wait for messages, in a process of their own: what the clients take, the server that is measured lacks,
// and a process has descriptors of its own. A program that uses it calls Main when its first argument is Command.
//
// A server answers GET /plaintext with Greeting, GET /poll/TOPIC?timeout=SECONDS&since=ID with {"id":N,"data":"..."} when there is a message,
// or with 204, and POST /publish/TOPIC with {"id":N,"reached":N}. Targets say otherwise for servers that have these elsewhere.
package crowd

import (
	"cmp"
	"strings"
	"time"
)

// Command is the hidden first argument with which the program starts itself as a crowd of clients. The second one
// is a plan, as JSON. On standard output it says what has happened, a report a line; on standard input it is told to
// go on, a number of wakes a line. It ends with standard input.
const Command = "crowd"

// A Plan is what a crowd does.
type Plan struct {
	Mode       string // one of the modes below
	Addr       string // the server
	Publish    string // where messages are published, "" for Addr
	Targets    Targets
	Number     int // of the crowd, when there are several: it chooses source addresses
	Clients    int
	Topics     int           // Clients is a multiple
	Rate       int           // messages a second, in all
	Length     time.Duration // of the publishing
	LeavesEach time.Duration // mean time between a client's leavings
	AwayMost   time.Duration // before a client that has left comes back, at most a second
	Settle     time.Duration // between the requests and a wake
	Hold       int           // seconds, the timeout that the polls ask for
	AtOnce     int           // connections whose first request is not answered yet
	Pace       int           // polls a second before a wake, 0 for as fast as can be
	Retry      bool          // what is answered with 5xx before a wake is sent again
	Probe      bool          // /plaintext is asked for at the same time
	Limit      time.Duration // after which the crowd ends, whatever it does
}

// Targets are the request targets of a server. What is "" is as in weir's demo.
type Targets struct {
	Hello   string // answered with Greeting
	Poll    string // with {topic} and {timeout}
	Publish string // with {topic}
	// Message is the content that is published, with {topic}, {id} and {data}; "" is the data alone. The answer to a content of one's own
	// is of another kind, so that only its status counts, and the message has the id that it was given.
	Message string
}

func (t Targets) completed() Targets {
	return Targets{cmp.Or(t.Hello, "/plaintext"), cmp.Or(t.Poll, "/poll/{topic}?timeout={timeout}"), cmp.Or(t.Publish, "/publish/{topic}"), t.Message}
}

// An around is a text that a topic is put into, where it has a place for one.
type around struct {
	before, after string
	topic         bool
}

func newAround(text string) (a around) {
	a.before, a.after, a.topic = strings.Cut(text, "{topic}")
	return a
}

func (a around) append(b []byte, topic int) []byte {
	b = append(b, a.before...)
	if a.topic {
		b = appendTopic(b, topic)
	}
	return append(b, a.after...)
}

const (
	ModeWake   = "wake"   // all wait on one topic and are woken by one message
	ModeTopics = "topics" // a waiter for each topic, messages at a fixed rate
	ModeExact  = "exact"  // clients come and go; each message must be seen once
)

// A Report is a line of a crowd's output.
type Report struct {
	Waiting int // clients, when all do
	Wakes   []WakeResult
	Retries int // so far
	Probe   *ProbeResult
	Topics  *TopicsResult
	Exact   *ExactResult
}

// A WakeResult is about one message to all.
type WakeResult struct {
	Last    time.Duration // from publishing until the last client has read it
	Median  time.Duration
	Reached int // as the server tells, -1 when it does not
}

// A ProbeResult is about the requests beside the waiting ones.
type ProbeResult struct {
	Quiet    time.Duration // p99 of those outside of wakes
	Waking   time.Duration // p99 of those that were due or under way in a wake
	InWakes  int           // how many those were
	Requests int
	Errors   int
	First    string // error
}

// A TopicsResult is about messages at a rate. Latencies count from when a message was due to be published until its
// waiter has read it.
type TopicsResult struct {
	Sent, Received      int
	P50, P99, P999, Max time.Duration
	Late                time.Duration // p99 from when a message was due until it was written
	Rate                float64       // that was reached
}

// An ExactResult counts messages on their way to clients that come and go.
type ExactResult struct {
	Sent       int // messages
	Expected   int // deliveries
	Delivered  int
	Lost       int
	Twice      int // seen again, or out of order
	OtherID    int // with another id than publishing had returned
	Reconnects int
	TimedOut   int // answers 204
	First      string
}
