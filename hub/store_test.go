package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
)

// shared stands for a store that others publish to as well.
type shared struct {
	*hub.Memory
	fails  error
	before func(topic string) // is called before a read
	behind bool               // knows less than the client: an id above its own is not gone
}

func (s *shared) Append(topic string, data []byte) (uint64, int, error) {
	if s.fails != nil {
		return 0, 0, s.fails
	}
	return s.Memory.Append(topic, data)
}

func (s *shared) Read(topic string, since uint64, limit int) (hub.Page, error) {
	if s.before != nil {
		s.before(topic)
	}
	page, err := s.Memory.Read(topic, since, limit)
	if s.behind && since > page.Last {
		page.Gone = false
	}
	return page, errors.Join(err, s.fails)
}

func newShared(t *testing.T) (*shared, *hub.Hub) {
	s := &shared{Memory: hub.NewMemory(hub.MemoryOptions{First: first})}
	return s, newHub(t, hub.Options{Store: s, KeepAlive: time.Second})
}

// TestReadSeveral: topics that get messages while they are read one by one are read in order and without a gap.
func TestReadSeveral(t *testing.T) {
	s, h := newShared(t)
	var last uint64
	s.before = func(topic string) {
		if topic == "b" && last < first+20 { // "a" was read already
			for _, topic := range []string{"a", "b"} {
				last, _, _ = s.Memory.Append(topic, nil)
			}
		}
	}
	l := newLoop()
	since := "100"
	for want := uint64(first + 1); want <= first+20; want++ {
		_, content := l.ask(h.Poll("/"), "GET", "/?topic=a&topic=b&timeout=0&since="+since, nil).result()
		m := parse(t, content)
		if m.ID != want {
			t.Fatalf("got %s, want %d", content, want)
		}
		since = content[len(`{"id":`) : len(`{"id":`)+3]
	}
}

// TestBetweenLookAndLink: a message that comes when the client has looked and does not wait yet is not lost.
func TestBetweenLookAndLink(t *testing.T) {
	for _, path := range []string{"/a", "/a?topic=b"} {
		s, h := newShared(t)
		reads := 0
		s.before = func(string) {
			if reads++; reads == 3 {
				s.before = nil
				publish(t, h, "a", "news", 101, 1)
			}
		}
		if path == "/a" {
			reads = 1
		}
		l := newLoop()
		x := l.ask(h.Poll("/"), "GET", path, nil)
		if _, content := x.result(); parse(t, content).Data != "news" {
			t.Errorf("%s: got %q", path, content)
		}
		l.drain()
		if h.Links() != 0 || h.Stats().Polls != 0 {
			t.Errorf("%s: %d links, %+v", path, h.Links(), h.Stats())
		}
	}
}

// TestEventsFromBeginning: a stream of several topics that begins with what there is gets all of it, though one of them has dropped some, and
// ends as ever when something is dropped that it has not got.
func TestEventsFromBeginning(t *testing.T) {
	const kept = 100 // several pages
	for _, target := range []string{"/a?topic=b&since=0", "/a?topic=b.*&topic=c&since=0"} {
		h := newHub(t, hub.Options{Wildcards: true, Memory: hub.MemoryOptions{Messages: kept}})
		var want []string
		add := func(topic string, id, first int) {
			publish(t, h, topic, "", uint64(id), -1)
			if id >= first {
				want = append(want, fmt.Sprintf("id: %d\nevent: %s\ndata: \n\n", id, topic))
			}
		}
		b := "b"
		if strings.Contains(target, "*") {
			b = "b.1"
		}
		for i := range kept {
			add("a", 101+i, 0)
		}
		for i := range kept + 50 {
			add(b, 201+i, 251)
		}
		l := newLoop()
		x := l.ask(h.Events("/"), "GET", target, nil)
		_, got, _ := strings.Cut(x.next(), "id: 0\n\n")
		if got != strings.Join(want, "") || !x.isHeld() {
			t.Errorf("%s: %d octets of %d, it goes on: %v", target, len(got), len(strings.Join(want, "")), x.isHeld())
		}
		x.stuck = true
		for i := range 2 {
			publish(t, h, b, strings.Repeat("x", 60<<10), uint64(351+i), -1)
			l.drain()
		}
		for i := range kept + 1 { // of which the client has no room for the first one, which is dropped
			publish(t, h, b, "", uint64(353+i), -1)
		}
		x.take()
		l.drain()
		if x.isHeld() {
			t.Errorf("%s: it goes on, and has missed 353", target)
		}
	}
}

// TestStoreBehind: a client that comes from a node that knew more waits for what is new to it.
func TestStoreBehind(t *testing.T) {
	s, h := newShared(t)
	s.behind = true
	l := newLoop()
	poll := l.ask(h.Poll("/"), "GET", "/a?since=102", nil)
	stream := l.ask(h.Events("/"), "GET", "/a?since=102", nil)
	stream.next()
	for _, data := range []string{"one", "two", "three"} {
		publish(t, h, "a", data, 0, 2)
		l.drain()
	}
	if _, content := poll.result(); parse(t, content).Data != "three" {
		t.Errorf("the poll got %q", content)
	}
	if got := stream.next(); got != "id: 103\ndata: three\n\n" {
		t.Errorf("the stream got %q", got)
	}
}

// TestStoreFails: who asks is told, and streams go on when the store does.
func TestStoreFails(t *testing.T) {
	s, h := newShared(t)
	l := newLoop()
	stream := l.ask(h.Events("/"), "GET", "/a", nil)
	stream.next()
	publish(t, h, "a", "one", 101, 1)
	publish(t, h, "a", "two", 102, 0) // the stream is on its way
	s.fails = errors.New("no answer")
	for _, x := range []*exchange{l.ask(h.Poll("/"), "GET", "/a", nil), l.ask(h.Publisher("/"), "POST", "/a", nil)} {
		if status, _ := x.result(); status != "503 Service Unavailable" || x.field("Retry-After") == "" {
			t.Errorf("got %s", status)
		}
	}
	l.drain()
	if _, reached, err := s.Memory.Append("a", []byte("three")); err != nil || reached != 1 {
		t.Fatal(reached, err)
	}
	l.drain()
	if got := stream.next(); got != "id: 101\ndata: one\n\n" {
		t.Errorf("the stream got %q", got)
	}
	s.fails = nil
	l.pass(time.Second)
	if got := stream.next(); got != "id: 102\ndata: two\n\nid: 103\ndata: three\n\n: keep-alive\nid: 103\n\n" {
		t.Errorf("the stream got %q", got)
	}
}
