package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// TestPollSize holds what a waiting client costs.
func TestPollSize(t *testing.T) {
	if hub.PollSize > 80 {
		t.Errorf("a held poll takes %d octets, want 80 at most", hub.PollSize)
	}
}

// TestPollAnswers are polls that are answered at once, after messages 101 a, 102 b, 103 a of topics "a" and "b" with
// at most one message of history.
func TestPollAnswers(t *testing.T) {
	h := newHub(t, hub.Options{Memory: hub.MemoryOptions{Messages: 1}, MaxTopics: 2, MaxTopicName: 5})
	publish(t, h, "a", "one", 101, 0)
	publish(t, h, "b", "two\xff", 102, 0)
	publish(t, h, "a", "three \"<\u2028", 103, 0)
	poll := h.Poll("/poll/")
	for _, c := range []struct{ method, target, status, content string }{
		{"GET", "/poll/a?since=101", "200 OK", `{"id":103,"topic":"a","data":"three \"\u003c\u2028"}`},
		{"GET", "/poll/a?since=102", "200 OK", `{"id":103,`},
		{"GET", "/poll/a?since=0", "200 OK", `{"id":103,`},
		{"GET", "/poll/b?since=0", "200 OK", `{"id":102,"topic":"b","base64":"dHdv/w=="}`},
		{"GET", "/poll/b?topic=a&since=101", "200 OK", `{"id":102,`},
		{"GET", "/poll/?topic=a&topic=b&topic=a&since=102", "200 OK", `{"id":103,`},
		{"GET", "/poll/a?since=103&timeout=0", "204 No Content", ""},
		{"GET", "/poll/%62?since=102&timeout=0", "204 No Content", ""},
		{"GET", "/poll/x/y?since=100&timeout=0.0", "204 No Content", ""},
		{"GET", "/poll/a?since=100", "410 Gone", `"oldest":103,"newest":103}`},
		{"GET", "/poll/a?since=104", "410 Gone", `"oldest":103,"newest":103}`},
		{"GET", "/poll/c?since=99", "410 Gone", `"oldest":104,"newest":103}`},
		{"GET", "/poll/a?topic=b&since=100", "410 Gone", `"oldest":103,"newest":103}`},
		{"GET", "/poll/a?since=x", "400 Bad Request", "since must be the id of a message, or 0\n"},
		{"GET", "/poll/a?since=", "400 Bad Request", "since must"},
		{"GET", "/poll/a?since=-1", "400 Bad Request", "since must"},
		{"GET", "/poll/a?since=18446744073709551616", "400 Bad Request", "since must"},
		{"GET", "/poll/a?timeout=301", "400 Bad Request", "timeout must be a number of seconds from 0 to 300\n"},
		{"GET", "/poll/a?timeout=-1", "400 Bad Request", "timeout must"},
		{"GET", "/poll/a?timeout=NaN", "400 Bad Request", "timeout must"},
		{"GET", "/poll/a?timeout=", "400 Bad Request", "timeout must"},
		{"GET", "/poll/a?since=%zz", "400 Bad Request", "the query is malformed\n"},
		{"GET", "/poll/", "400 Bad Request", "the request names no topic\n"},
		{"GET", "/poll/?topic=", "400 Bad Request", "a topic's name must be"},
		{"GET", "/poll/%0A", "400 Bad Request", "a topic's name must be"},
		{"GET", "/poll/%ff", "400 Bad Request", "a topic's name must be"},
		{"GET", "/poll/123456", "400 Bad Request", "of 1 to 5 octets\n"},
		{"GET", "/poll/a?topic=b&topic=c", "400 Bad Request", "a request may name 2 topics\n"},
		{"GET", "/other/a", "404 Not Found", "no such page"},
		{"HEAD", "/poll/a", "405 Method Not Allowed", "this page answers GET\n"},
		{"POST", "/poll/a", "405 Method Not Allowed", "this page answers GET\n"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			x := newLoop().ask(poll, c.method, c.target, nil)
			status, content := x.result()
			if status != c.status || !strings.Contains(content, c.content) || strings.Count(content, "\n") > 1 {
				t.Errorf("got %s, %q, held %v", status, content, x.held)
			}
			if x.field("Cache-Control") != "no-store" {
				t.Error("it may be cached")
			}
			if strings.HasPrefix(status, "405") && x.field("Allow") != "GET" {
				t.Errorf("Allow is %q", x.field("Allow"))
			}
		})
	}
}

// TestPollHeld: a poll waits for the next message, and all that wait on one topic get the same answer.
func TestPollHeld(t *testing.T) {
	h := newHub(t, hub.Options{})
	poll := h.Poll("/poll/")
	loops := []*loop{newLoop(), newLoop()}
	var held []*exchange
	for i := range 10 {
		query := []string{"", "?since=0", "?since=100"}[i%3]
		held = append(held, loops[i%2].ask(poll, "GET", "/poll/a"+query, nil))
	}
	other := loops[0].ask(poll, "GET", "/poll/b", nil)
	if s := h.Stats(); s != (hub.Stats{Topics: 2, Polls: 11}) {
		t.Errorf("stats are %+v", s)
	}
	publish(t, h, "a", "news", 101, 10)
	publish(t, h, "a", "later", 102, 0)
	for _, l := range loops {
		l.drain()
	}
	for i, x := range held {
		if status, content := x.result(); status != "200 OK" || content != "{\"id\":101,\"topic\":\"a\",\"data\":\"news\"}\n" {
			t.Errorf("%d got %s, %q", i, status, content)
		}
	}
	if !other.isHeld() || h.Links() != 1 {
		t.Errorf("the other poll is held %v, %d links", other.isHeld(), h.Links())
	}
	if s := h.Stats(); s != (hub.Stats{Topics: 1, Polls: 1, Published: 2}) {
		t.Errorf("stats are %+v", s)
	}
}

// TestPollInVain: after its timeout a poll is answered 204, with the position when that is news for the client.
func TestPollInVain(t *testing.T) {
	h := newHub(t, hub.Options{PollTimeout: 20 * time.Second})
	publish(t, h, "other", "", 101, 0)
	l := newLoop()
	for _, c := range []struct{ query, last string }{
		{"", "101"},
		{"?since=101", ""},
		{"?since=100", "101"},
		{"?since=0", "101"},
		{"?topic=b", "101"},
		{"?topic=b&since=100", "101"},
	} {
		x := l.ask(h.Poll("/poll/"), "GET", "/poll/a"+c.query, nil)
		l.pass(19 * time.Second)
		if !x.isHeld() {
			t.Errorf("%q was not held", c.query)
		}
		l.pass(time.Second)
		if status, content := x.result(); status != "204 No Content" || content != "" || x.field(hub.LastID) != c.last {
			t.Errorf("%q got %s, %q, last id %q; want %q", c.query, status, content, x.field(hub.LastID), c.last)
		}
	}
	if s := h.Stats(); s.Polls != 0 || s.Topics != 0 || h.Links() != 0 {
		t.Errorf("stats are %+v, %d links", s, h.Links())
	}
	publish(t, h, "a", "", 102, 0)
}

// TestPollInVainShared: polls that wait at about the same time have the same 204, so that it costs nothing.
func TestPollInVainShared(t *testing.T) {
	h := newHub(t, hub.Options{})
	publish(t, h, "other", "", 101, 0)
	l := newLoop()
	answers := make(map[*app.Response]bool)
	for i := range 1000 {
		publish(t, h, "other", "", 0, 0)
		answers[l.ask(h.Poll("/poll/"), "GET", fmt.Sprintf("/poll/%d?since=101", i), nil).deadline] = true
	}
	if len(answers) > 100 { // one a second
		t.Errorf("1000 polls have %d answers", len(answers))
	}
}

// TestPollLeft: a client that leaves is forgotten, before and after the message that it waits for.
func TestPollLeft(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	for _, query := range []string{"", "?topic=b&topic=c"} {
		x := l.ask(h.Poll("/poll/"), "GET", "/poll/a"+query, nil)
		y := l.ask(h.Poll("/poll/"), "GET", "/poll/a"+query, nil)
		x.leave()
		publish(t, h, "a", "", 0, 1)
		y.leave() // after the message, and before the loop gets to it
		l.drain()
		for _, x := range []*exchange{x, y} {
			if status, _ := x.result(); status != "" {
				t.Errorf("%q: one that has left got %s", query, status)
			}
		}
	}
	if s := h.Stats(); s.Polls != 0 || s.Topics != 0 || h.Links() != 0 {
		t.Errorf("stats are %+v, %d links", s, h.Links())
	}
}

// TestPollSeveral: a poll of several topics is answered once, with the earliest message, and leaves all of them.
func TestPollSeveral(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	x := l.ask(h.Poll("/poll/"), "GET", "/poll/?topic=a&topic=b&topic=c", nil)
	if h.Links() != 3 {
		t.Fatalf("%d links", h.Links())
	}
	publish(t, h, "a", "one", 101, 1)
	publish(t, h, "b", "two", 102, 1)
	l.posted[0], l.posted[1] = l.posted[1], l.posted[0] // the second wakes it first
	l.drain()
	if status, content := x.result(); status != "200 OK" || parse(t, content).Data != "one" {
		t.Errorf("got %s, %q", status, content)
	}
	if h.Links() != 0 || h.Stats().Topics != 0 {
		t.Errorf("%d links are left", h.Links())
	}
}

// TestWakeInSlices: while very many are woken, a loop runs other things.
func TestWakeInSlices(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	const n = 3*hub.SliceSize + 1
	var held []*exchange
	for range n {
		held = append(held, l.ask(h.Poll("/poll/"), "GET", "/poll/a", nil))
	}
	publish(t, h, "a", "", 0, n)
	for i := range 4 {
		other := false
		l.Post(func() { other = true })
		l.step()
		l.step()
		if polls := h.Stats().Polls; !other || polls != max(n-(i+1)*hub.SliceSize, 0) {
			t.Errorf("after slice %d: %d wait, the other ran: %v", i, polls, other)
		}
		if i == 1 { // those that are still in the list may leave, and new ones come
			held[n-1].leave()
			l.ask(h.Poll("/poll/"), "GET", "/poll/a", nil).leave()
			l.drain()
			break
		}
	}
	if status, _ := held[n-1].result(); status != "" || h.Stats().Polls != 0 || h.Links() != 0 {
		t.Errorf("the one that left got %q; %+v", status, h.Stats())
	}
}

// TestClose ends what waits.
func TestClose(t *testing.T) {
	h := hub.New(hub.Options{})
	l := newLoop()
	poll, events := h.Poll("/poll/"), h.Events("/events/")
	one := l.ask(poll, "GET", "/poll/a", nil)
	several := l.ask(poll, "GET", "/poll/a?topic=b", nil)
	stream := l.ask(events, "GET", "/events/a", nil)
	if err := errors.Join(h.Close(), h.Close()); err != nil {
		t.Fatal(err)
	}
	l.drain()
	for _, x := range []*exchange{one, several, l.ask(poll, "GET", "/poll/a", nil), l.ask(events, "GET", "/events/a", nil)} {
		if status, _ := x.result(); status != "503 Service Unavailable" || x.field("Retry-After") != "1" {
			t.Errorf("got %s", status)
		}
	}
	if status, _ := stream.result(); status != "200 OK" || stream.isHeld() {
		t.Errorf("the stream got %s, held %v", status, stream.isHeld())
	}
	if _, _, err := h.Publish("a", nil); !errors.Is(err, hub.ErrClosed) {
		t.Errorf("publish says %v", err)
	}
	l.pass(time.Hour)
	if s := h.Stats(); s != (hub.Stats{}) || h.Links() != 0 || h.Keepers() != 0 {
		t.Errorf("stats are %+v, %d links, %d keepers", s, h.Links(), h.Keepers())
	}
}
