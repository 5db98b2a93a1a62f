package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// next returns what a stream got since the last call, until now.
func (x *exchange) next() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	content := x.content.String()
	x.content.Reset()
	return content
}

func lastEvent(id string) app.Header { return app.Header{Name: "Last-Event-ID", Value: id} }

// TestEventsBegin: what a stream begins with.
func TestEventsBegin(t *testing.T) {
	h := newHub(t, hub.Options{Retry: 1500 * time.Millisecond, Memory: hub.MemoryOptions{Messages: 2}})
	for i, topic := range []string{"a", "a", "b", "a"} {
		publish(t, h, topic, fmt.Sprint("m", i), 0, 0)
	}
	for _, c := range []struct{ target, header, status, content string }{
		{"a", "", "200 OK", "retry: 1500\nid: 104\n\n"},
		{"a", "104", "200 OK", "retry: 1500\nid: 104\n\n"},
		{"a?since=103", "", "200 OK", "retry: 1500\nid: 103\n\nid: 104\ndata: m3\n\n"},
		{"a?lastEventId=104", "102", "200 OK", "retry: 1500\nid: 102\n\nid: 104\ndata: m3\n\n"},
		{"a?since=0", "", "200 OK", "retry: 1500\nid: 0\n\nid: 102\ndata: m1\n\nid: 104\ndata: m3\n\n"},
		{"a?topic=b&since=102", "", "200 OK", "retry: 1500\nid: 102\n\nid: 103\nevent: b\ndata: m2\n\nid: 104\nevent: a\ndata: m3\n\n"},
		{"a", "100", "410 Gone", `"oldest":102,"newest":104`},
		{"a", "105", "410 Gone", `"oldest":102,"newest":104`},
		{"a", "x", "400 Bad Request", "since must be the id of a message, or 0\n"},
	} {
		t.Run(c.target+" "+c.header, func(t *testing.T) {
			var fields []app.Header
			if c.header != "" {
				fields = append(fields, lastEvent(c.header))
			}
			x := newLoop().ask(h.Events("/events/"), "GET", "/events/"+c.target, nil, fields...)
			status, content := x.result()
			if status != c.status || !strings.Contains(content, c.content) || x.isHeld() != (status == "200 OK") {
				t.Errorf("got %s, %q", status, content)
			}
			if x.isHeld() && (content != c.content || x.field("Content-Type") != "text/event-stream" || x.field("X-Accel-Buffering") != "no") {
				t.Errorf("got %q, %v", content, x.headers)
			}
			if x.field("Cache-Control") != "no-store" {
				t.Error("it may be cached")
			}
		})
	}
}

// TestEventsLines: each line of a message has its own field.
func TestEventsLines(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	x := l.ask(h.Events("/"), "GET", "/a", nil)
	x.next()
	for i, c := range []struct{ data, lines string }{
		{"", "data: \n"},
		{" text", "data:  text\n"},
		{"a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n"},
		{"\n", "data: \ndata: \n"},
		{"\r\r\n\n", "data: \ndata: \ndata: \ndata: \n"},
		{"id: 7", "data: id: 7\n"},
	} {
		publish(t, h, "a", c.data, 0, 1)
		l.drain()
		if got, want := x.next(), fmt.Sprintf("id: %d\n%s\n", first+1+i, c.lines); got != want {
			t.Errorf("%q gives %q, want %q", c.data, got, want)
		}
	}
}

// TestEventsOrder: what is published while a stream is on its way to be woken is not lost, and comes in order.
func TestEventsOrder(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	one := l.ask(h.Events("/"), "GET", "/a", nil)
	two := l.ask(h.Events("/"), "GET", "/?topic=a&topic=b&topic=c", nil)
	one.next()
	two.next()
	publish(t, h, "a", "1", 101, 2)
	publish(t, h, "a", "2", 102, 0) // both are on their way already
	publish(t, h, "b", "3", 103, 1)
	l.posted[0], l.posted[1] = l.posted[1], l.posted[0]
	l.drain()
	publish(t, h, "a", "4", 104, 2)
	l.drain()
	if got := one.next(); got != "id: 101\ndata: 1\n\nid: 102\ndata: 2\n\nid: 104\ndata: 4\n\n" {
		t.Errorf("one topic: %q", got)
	}
	if got := two.next(); got != "id: 101\nevent: a\ndata: 1\n\nid: 102\nevent: a\ndata: 2\n\nid: 103\nevent: b\ndata: 3\n\nid: 104\nevent: a\ndata: 4\n\n" {
		t.Errorf("three topics: %q", got)
	}
}

// TestEventsKeepAlive: signs of life, with the position, from one timer for each loop that has streams.
func TestEventsKeepAlive(t *testing.T) {
	h := newHub(t, hub.Options{KeepAlive: 10 * time.Second})
	loops := []*loop{newLoop(), newLoop()}
	const n = 2*hub.SliceSize + 10
	var streams []*exchange
	for i := range 2 * n {
		x := loops[i%2].ask(h.Events("/"), "GET", "/a", nil)
		x.next()
		streams = append(streams, x)
	}
	if h.Keepers() != 2 || h.Stats().Streams != 2*n {
		t.Fatalf("%d keepers, %+v", h.Keepers(), h.Stats())
	}
	for round := range 3 {
		publish(t, h, "other", "", 0, 0)
		for _, l := range loops {
			l.pass(9 * time.Second)
			l.pass(time.Second)
			if len(l.timers) != 1 {
				t.Errorf("%d timers", len(l.timers))
			}
		}
		for i, x := range streams {
			if got, want := x.next(), fmt.Sprintf(": keep-alive\nid: %d\n\n", first+1+round); got != want {
				t.Fatalf("round %d, stream %d: %q, want %q", round, i, got, want)
			}
		}
	}
	for _, x := range streams {
		x.leave()
	}
	for _, l := range loops {
		l.pass(10 * time.Second)
		if len(l.timers) != 0 {
			t.Errorf("%d timers are left", len(l.timers))
		}
	}
	if h.Keepers() != 0 || h.Stats() != (hub.Stats{Published: 3}) || h.Links() != 0 {
		t.Errorf("%d keepers, %+v, %d links", h.Keepers(), h.Stats(), h.Links())
	}
}

// TestEventsLeaveInRound: a stream that leaves while a round of signs of life goes on costs no other its own.
func TestEventsLeaveInRound(t *testing.T) {
	h := newHub(t, hub.Options{KeepAlive: time.Second})
	l := newLoop()
	const n = 2 * hub.SliceSize
	var streams []*exchange
	for range n {
		streams = append(streams, l.ask(h.Events("/"), "GET", "/a", nil))
	}
	for _, x := range streams {
		x.next()
	}
	l.Post(streams[0].leave) // runs between the two slices, as do those below
	l.Post(streams[n-1].leave)
	l.pass(time.Second)
	for i, x := range streams[1 : n-1] {
		if got := strings.Count(x.next(), "keep-alive"); got == 0 {
			t.Errorf("stream %d got no sign of life", i)
		}
	}
}

// TestEventsSlow: a client that takes nothing is sent no more than the high-water mark and a message, and goes on
// where it was.
func TestEventsSlow(t *testing.T) {
	for _, target := range []string{"/a", "/a?topic=b"} {
		h := newHub(t, hub.Options{KeepAlive: time.Second})
		l := newLoop()
		x := l.ask(h.Events("/"), "GET", target, nil)
		x.stuck = true
		x.next()
		data := strings.Repeat("x", 10<<10)
		for range 50 {
			publish(t, h, "a", data, 0, -1)
			l.drain()
		}
		l.pass(time.Second) // no sign of life either
		got := x.next()
		if len(got) < 64<<10 || len(got) > 80<<10 {
			t.Errorf("%s: a stream that takes nothing got %d octets", target, len(got))
		}
		x.take()
		l.drain()
		got += x.next()
		publish(t, h, "a", "end", 0, 1)
		l.drain()
		got += x.next()
		ids := ""
		for i := range 51 {
			ids += fmt.Sprintf("id: %d\n", first+1+i)
		}
		var seen string
		for _, line := range strings.SplitAfter(got, "\n") {
			if strings.HasPrefix(line, "id: ") {
				seen += line
			}
		}
		if seen != ids {
			t.Errorf("%s: ids are %q", target, seen)
		}
	}
}

// TestEventsTooSlow: a stream that has fallen out of the history ends, and its client is told why.
func TestEventsTooSlow(t *testing.T) {
	h := newHub(t, hub.Options{Memory: hub.MemoryOptions{Messages: 2}})
	l := newLoop()
	x := l.ask(h.Events("/"), "GET", "/a", nil)
	x.stuck = true
	for range 10 {
		publish(t, h, "a", strings.Repeat("x", 60<<10), 0, -1)
		l.drain()
	}
	if !x.isHeld() {
		t.Fatal("it ended too early")
	}
	x.take()
	l.drain()
	if x.isHeld() || h.Stats().Streams != 0 || h.Links() != 0 {
		t.Errorf("it is held %v, %+v, %d links", x.isHeld(), h.Stats(), h.Links())
	}
	if status, _ := l.ask(h.Events("/"), "GET", "/a", nil, lastEvent("102")).result(); status != "410 Gone" {
		t.Errorf("when it connects again it gets %s", status)
	}
}

// TestEventsGoneClient: a write that fails ends the stream, and Left may come as well.
func TestEventsGoneClient(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	x := l.ask(h.Events("/"), "GET", "/a?topic=b", nil)
	_ = x.Close()
	publish(t, h, "a", "", 0, 1)
	l.drain()
	x.watcher.Left()
	x = l.ask(h.Events("/"), "GET", "/a", nil)
	publish(t, h, "a", "", 0, 1)
	x.onExecutor = func() { // while it is about to link again
		x.onExecutor = nil
		x.leave()
	}
	l.drain()
	if s := h.Stats(); s.Streams != 0 || s.Topics != 0 || h.Links() != 0 {
		t.Errorf("%+v, %d links", s, h.Links())
	}
}
