package nats_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
	"github.com/weirhttp/weir/server"
)

// node is a server with a hub on the store.
type node struct {
	t     *testing.T
	store *nats.Store
	hub   *hub.Hub
	url   string
}

func newNode(t *testing.T, o nats.Options) *node {
	t.Helper()
	n := &node{t: t, store: open(t, o)}
	n.hub = hub.New(hub.Options{Store: n.store, Wildcards: o.History.Wildcards})
	events, publisher, poll := n.hub.Events("/events/"), n.hub.Publisher("/publish/"), n.hub.Poll("/poll/")
	s, err := server.New(server.Config{Bind: []string{"127.0.0.1:0"}, Loops: 1, GracefulTimeout: time.Second,
		Application: func(environ *app.Environ, start app.StartResponse) app.Body {
			switch path := string(environ.Path()); {
			case strings.HasPrefix(path, "/events/"):
				return events(environ, start)
			case strings.HasPrefix(path, "/poll/"):
				return poll(environ, start)
			}
			return publisher(environ, start)
		}})
	if err != nil {
		t.Fatal(err)
	}
	n.url = "http://" + s.Addresses()[0]
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		_ = n.hub.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n
}

// await waits until the store is ready, or is not.
func (n *node) await(ready bool) {
	n.t.Helper()
	until(n.t, fmt.Sprint("ready to be ", ready), func() bool { return (n.store.Ready() == nil) == ready })
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// publish tries until the message is taken.
func (n *node) publish(topic, data string) (id uint64) {
	n.t.Helper()
	until(n.t, "a message to be taken", func() bool {
		var err error
		id, _, err = n.hub.Publish(topic, []byte(data))
		return err == nil
	})
	return id
}

// stream is a client's event stream, which fails the test when it ends.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (n *node) stream(topic, since string) *stream {
	n.t.Helper()
	r, err := http.Get(n.url + "/events/" + topic + since)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = r.Body.Close() })
	if r.StatusCode != 200 {
		n.t.Fatalf("a stream begins with %s", r.Status)
	}
	s := &stream{n.t, bufio.NewScanner(r.Body)}
	for s.lines.Scan() && s.lines.Text() != "" { // the position
	}
	return s
}

// next is the data of the next message.
func (s *stream) next() string {
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return data
		}
	}
	s.t.Errorf("the stream has ended: %v", s.lines.Err())
	return ""
}

func (s *stream) want(from, to int) {
	s.t.Helper()
	for i := from; i < to; i++ {
		if got := s.next(); got != fmt.Sprint(i) {
			s.t.Fatalf("message %d is %q", i, got)
		}
	}
}

// TestNodes: what is published on one node comes on all, and a client goes on at another where it was at the first.
func TestNodes(t *testing.T) {
	o := nats.Options{Stream: newStream()}
	a, b := newNode(t, o), newNode(t, o)
	a.await(true)
	b.await(true)
	onA, onB := a.stream("news", ""), b.stream("news", "")
	const n = 20
	var fifth uint64
	for i := range n {
		publisher := []*node{a, b}[i%2]
		if id := publisher.publish("news", fmt.Sprint(i)); i == 4 {
			fifth = id
		}
	}
	onA.want(0, n)
	onB.want(0, n)
	since := fmt.Sprint("?since=", fifth)
	a.stream("news", since).want(5, n)
	b.stream("news", since).want(5, n)
	late := newNode(t, o)
	late.await(true)
	late.stream("news", since).want(5, n)
	late.stream("news", "?since=0").want(0, n)
}

// TestAway: clients go on waiting while NATS is away, and get every message once and in order. Publishing fails.
func TestAway(t *testing.T) {
	e, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.stop() }()
	o := nats.Options{Servers: e.ClientURL(), Stream: "weir", PublishTimeout: 300 * time.Millisecond}
	a, b := newNode(t, o), newNode(t, o)
	a.await(true)
	b.await(true)
	clients := []*stream{a.stream("news", ""), b.stream("news", ""), b.stream("news", "")}
	for i := range 3 {
		a.publish("news", fmt.Sprint(i))
	}
	for _, c := range clients {
		c.want(0, 3)
	}
	e.stop()
	a.await(false)
	b.await(false)
	if err := a.store.Ready(); !errors.Is(err, nats.ErrUnavailable) || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("what is wrong is %v", err)
	}
	if _, _, err := a.hub.Publish("news", nil); !errors.Is(err, nats.ErrUnavailable) {
		t.Errorf("publishing gives %v", err)
	}
	r, err := http.Post(a.url+"/publish/news", "", strings.NewReader("lost"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("publishing gives %s %q", r.Status, text)
	}
	if got := a.hub.Stats().Streams + b.hub.Stats().Streams; got != 3 {
		t.Errorf("%d clients wait", got)
	}
	clients = append(clients, b.stream("news", "?since=0"))
	clients[3].want(0, 3)
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	a.await(true)
	b.await(true)
	var publishers sync.WaitGroup
	publishers.Go(func() {
		for i := 3; i < 20; i++ {
			a.publish("news", fmt.Sprint(i))
		}
	})
	publishers.Wait()
	for _, c := range clients {
		c.want(3, 20)
	}
}

// TestForgotten: a message is not sent again when NATS may have forgotten that it has had it.
func TestForgotten(t *testing.T) {
	e, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, nats.Options{Servers: e.ClientURL(), Stream: "weir", PublishTimeout: 2 * patience, History: hub.MemoryOptions{Age: 200 * time.Millisecond}})
	n.await(true)
	e.stop()
	begun := time.Now()
	if _, _, err := n.hub.Publish("news", nil); !errors.Is(err, nats.ErrUnavailable) || time.Since(begun) > patience {
		t.Errorf("publishing gives %v after %v", err, time.Since(begun))
	}
}

// TestUnderway: a server that is stopped and started in the middle of publishing loses nothing that was acknowledged, and
// nothing comes twice.
func TestUnderway(t *testing.T) {
	e, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.stop() }()
	n := newNode(t, nats.Options{Servers: e.ClientURL(), Stream: "weir", PublishTimeout: patience})
	n.await(true)
	client := n.stream("news", "")
	const messages = 200
	var restart sync.WaitGroup
	for i := range messages {
		if i == 50 {
			restart.Go(func() {
				e.stop()
				if err := e.start(); err != nil {
					t.Error(err)
				}
			})
		}
		if _, _, err := n.hub.Publish("news", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	restart.Wait()
	client.want(0, messages)
}

// TestDropped: a client that waits on a node which missed messages, as the stream has dropped them, is told.
func TestDropped(t *testing.T) {
	e, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.stop() }()
	between := newGate(t, e.Addr().String())
	o := nats.Options{Servers: "nats://" + between.Addr().String(), Stream: "weir", History: hub.MemoryOptions{Messages: 3}}
	n := newNode(t, o)
	n.await(true)
	first := n.publish("news", "0")
	poll := make(chan *http.Response, 1)
	go func() {
		r, err := http.Get(n.url + "/poll/other?timeout=60")
		if err != nil {
			t.Error(err)
			r = nil
		}
		poll <- r
	}()
	until(t, "a poll", func() bool { return n.hub.Stats().Polls == 1 })
	// Another node publishes while this one is cut off.
	between.shut(true)
	n.await(false)
	o.Servers = e.ClientURL()
	other := newNode(t, o)
	other.await(true)
	for i := range 9 {
		other.publish("news", fmt.Sprint(i))
	}
	between.shut(false)
	n.await(true)
	if r := <-poll; r != nil {
		_ = r.Body.Close()
		if r.StatusCode != 410 {
			t.Errorf("the poll is answered with %s", r.Status)
		}
	}
	for _, n := range []*node{n, other} {
		if page, err := n.store.Read("news", first, 9); err != nil || !page.Gone || len(page.Messages) != 0 {
			t.Errorf("behind %d there is %+v, %v", first, page, err)
		}
		if page, err := n.store.Read("news", 0, 9); err != nil || len(page.Messages) != 3 {
			t.Errorf("there is %+v, %v", page, err)
		}
	}
}

// TestLost: a stream that has lost messages which were acknowledged has their clients told.
func TestLost(t *testing.T) {
	e, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.stop() }()
	n := newNode(t, nats.Options{Servers: e.ClientURL(), Stream: "weir"})
	n.await(true)
	was := n.publish("news", "was")
	e.stop()
	n.await(false)
	e.options.StoreDir = t.TempDir()
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	n.await(true)
	if page, err := n.store.Read("news", was, 9); err != nil || !page.Gone {
		t.Errorf("behind the last message of the stream that was there is %+v, %v", page, err)
	}
	if is := n.publish("news", "is"); is <= was {
		t.Errorf("the id %d comes after %d", is, was)
	}
	if got := n.stream("news", "?since=0").next(); got != "is" {
		t.Errorf("the message is %q", got)
	}
}

// TestForeign: messages that others have published to the stream's subjects are messages, too.
func TestForeign(t *testing.T) {
	n := newNode(t, nats.Options{Stream: newStream(), History: hub.MemoryOptions{Wildcards: true}})
	n.await(true)
	client := n.stream("a.b%20c", "")
	all := n.stream("%3E", "")
	for _, c := range [][2]string{{"a.b%zz", "no topic"}, {"a.b%20c", "0"}, {"a.b%2", "no topic"}, {"a%0Adata:%20forged", "no topic"}} {
		n.store.Raw(c[0], c[1])
	}
	n.publish("a.b c", "1")
	client.want(0, 2)
	all.want(0, 2) // whose events have the topic as their type
}
