package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// TestWildcards: what a pattern stands for, at once and when it comes. That NATS says the same is held by package hub/nats.
func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern   string
		stand, no []string
	}{
		{"*", []string{"a", "*", ">", ".", ".a", "a."}, []string{"a.b", "a..b"}},
		{">", []string{"a", "a.b", "a.b.c", ".", "..."}, nil},
		{"a.*", []string{"a.b", "a.*", "a..b", "a.b."}, []string{"a", "a.b.c", "b.a", "a.", "aa.b", "A.b"}},
		{"a.>", []string{"a.b", "a.b.c", "a.>", "a..."}, []string{"a", "a.", "b.a"}},
		{"*.b", []string{"a.b", "*.b"}, []string{"b", "a.b.c", "a.c", "x.a.b"}},
		{"a.*.c.>", []string{"a.b.c.d", "a.b.c.d.e"}, []string{"a.b.c", "a.c.d", "a.b.d.c"}},
		{"*.*.*", []string{"a.b.c"}, []string{"a.b", "a.b.c.d"}},
		{strings.Repeat("a.", 15) + ">", []string{strings.Repeat("a.", 40) + "b"}, []string{strings.Repeat("a.", 14) + "b"}},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			h := newHub(t, hub.Options{Wildcards: true})
			l := newLoop()
			for _, topic := range c.stand {
				x := l.ask(h.Poll("/"), "GET", "/"+c.pattern, nil)
				id, reached, err := h.Publish(topic, []byte("now"))
				if err != nil || reached != 1 {
					t.Errorf("%q reaches %d, %v", topic, reached, err)
				}
				l.drain()
				if _, content := x.result(); parse(t, content).Topic != topic {
					t.Errorf("%q: got %q", topic, content)
				}
				if _, content := l.ask(h.Poll("/"), "GET", fmt.Sprint("/", c.pattern, "?since=", id-1), nil).result(); parse(t, content).ID != id {
					t.Errorf("%q: behind %d there is %q", topic, id-1, content)
				}
			}
			x := l.ask(h.Poll("/"), "GET", "/"+c.pattern, nil)
			for _, topic := range c.no {
				publish(t, h, topic, "no", 0, 0)
			}
			l.drain()
			if !x.isHeld() {
				_, content := x.result()
				t.Errorf("got %q", content)
			}
			x.leave()
			if h.Links() != 0 || h.Patterns() != 0 {
				t.Errorf("%d links and %d patterns are left", h.Links(), h.Patterns())
			}
		})
	}
}

// TestWildcardsRefused: patterns that would cost too much, or mean nothing.
func TestWildcardsRefused(t *testing.T) {
	h := newHub(t, hub.Options{Wildcards: true})
	for target, says := range map[string]string{
		"/>.a":                               "the wildcard > must be the last token\n",
		"/a.>.*":                             "the wildcard > must be the last token\n",
		"/*.*.*.*":                           "a topic may have the wildcard * 3 times\n",
		"/" + strings.Repeat("a.", 16) + ">": "a topic with wildcards may have 16 tokens\n",
		"/?topic=1.*&topic=2.*&topic=3.*&topic=4.*&topic=5.*": "a request may name 4 topics with wildcards\n",
	} {
		if status, content := newLoop().ask(h.Events("/"), "GET", target, nil).result(); status != "400 Bad Request" || content != says {
			t.Errorf("%s: %s %q", target, status, content)
		}
	}
	for _, target := range []string{"/?topic=1.*&topic=2.*&topic=3.*&topic=4.>", "/a*.b>.>", "/" + strings.Repeat("a.", 15) + ">"} {
		x := newLoop().ask(h.Poll("/"), "GET", target, nil)
		if status, content := x.result(); status != "" {
			t.Errorf("%s: %s %q", target, status, content)
		}
		x.leave()
	}
}

// TestWildcardsOff: without the option names are names, and a hold that asks for wildcards is told.
func TestWildcardsOff(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	x := l.ask(h.Poll("/"), "GET", "/a.*", nil)
	publish(t, h, "a.b", "other", 0, 0)
	publish(t, h, "a.*", "own", 0, 1)
	l.drain()
	if _, content := x.result(); parse(t, content).Data != "own" {
		t.Errorf("got %q", content)
	}
	if err := h.Hold(&exchange{loop: l}, hub.Hold{Topics: []string{"a.*"}, Wildcards: true}); err == nil || !strings.Contains(err.Error(), "Options.Wildcards") {
		t.Errorf("a hold gives %v", err)
	}
	// Nor are they patterns in the names of a hold that does not say so.
	h = newHub(t, hub.Options{Wildcards: true})
	x = &exchange{loop: l, done: make(chan struct{})}
	if err := h.Hold(x, hub.Hold{Topics: []string{"a.*"}}); err != nil {
		t.Fatal(err)
	}
	publish(t, h, "a.b", "other", 0, 0)
	publish(t, h, "a.*", "own", 0, 1)
}

// narrow is a store without wildcards.
type narrow struct{ hub.Store }

// TestWildcardsElsewhere: a store that has none, or has them off, says so in a line.
func TestWildcardsElsewhere(t *testing.T) {
	for _, store := range []hub.Store{narrow{hub.NewMemory(hub.MemoryOptions{Wildcards: true})}, hub.NewMemory(hub.MemoryOptions{})} {
		h := newHub(t, hub.Options{Store: store, Wildcards: true})
		for _, front := range []app.Application{h.Poll("/"), h.Events("/")} {
			if status, content := newLoop().ask(front, "GET", "/a.*", nil).result(); status != "400 Bad Request" || content != "the store of this hub has no wildcards\n" {
				t.Errorf("got %s %q", status, content)
			}
		}
	}
}

// TestWildcardGap: a stream that has fallen behind ends where the history of a pattern has a gap, and is not taken past it by another topic.
func TestWildcardGap(t *testing.T) {
	h := newHub(t, hub.Options{Wildcards: true, Memory: hub.MemoryOptions{Messages: 2}})
	l := newLoop()
	x := l.ask(h.Events("/"), "GET", "/a.*?topic=b", nil)
	x.stuck = true
	x.next()
	for i := range 2 {
		publish(t, h, "b", strings.Repeat("x", 60<<10), uint64(101+i), -1)
		l.drain()
	}
	x.next()
	for i, topic := range []string{"a.1", "a.2", "a.2", "a.2", "b"} { // of a.2 104 is dropped
		publish(t, h, topic, "", uint64(103+i), -1)
	}
	l.drain()
	x.take()
	l.drain()
	if got := x.next(); x.isHeld() || strings.Contains(got, "id: 107") {
		t.Errorf("it goes on with %q", got)
	}
}

// TestWildcardReplay: a client with an id gets what has come since, once and in order, or is told that some of it is gone.
func TestWildcardReplay(t *testing.T) {
	h := newHub(t, hub.Options{Wildcards: true, Memory: hub.MemoryOptions{Messages: 2}})
	for i, topic := range []string{"a.1", "b.1", "a.2", "c", "a.1", "b.2", "a.1", "a.3", "b.1"} { // 101 to 109; of a.1 101 is dropped
		publish(t, h, topic, "", uint64(101+i), 0)
	}
	for _, c := range []struct {
		target  string
		ids     []uint64
		refused string
	}{
		{"/a.*?since=101", []uint64{103, 105, 107, 108}, ""},
		{"/a.*?since=106", []uint64{107, 108}, ""},
		{"/a.*?since=0", []uint64{103, 105, 107, 108}, ""},
		{"/a.*?since=100", nil, `"oldest":103,"newest":109}`},
		{"/a.*?since=110", nil, `"oldest":103,"newest":109}`},
		{"/b.>?since=100", []uint64{102, 106, 109}, ""},
		{"/b.*?since=0&topic=a.*&topic=b.1", []uint64{102, 103, 105, 106, 107, 108, 109}, ""},
		{"/%3E?since=103", []uint64{104, 105, 106, 107, 108, 109}, ""},
		{"/%3E?since=99", nil, `"oldest":102,"newest":109}`},
		{"/none.*?since=0", nil, ""},
		{"/none.*?since=99", nil, `"oldest":110,"newest":109}`},
	} {
		l := newLoop()
		x := l.ask(h.Events("/"), "GET", c.target, nil)
		status, content := x.result()
		if c.refused != "" {
			if status != "410 Gone" || !strings.Contains(content, c.refused) {
				t.Errorf("%s: %s %q", c.target, status, content)
			}
			continue
		}
		var got []uint64
		for event := range strings.SplitSeq(content, "\n\n") {
			var id uint64
			var topic string
			if n, _ := fmt.Sscanf(event, "id: %d\nevent: %s\ndata:", &id, &topic); n == 2 {
				got = append(got, id)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.ids) {
			t.Errorf("%s: got %d, want %d", c.target, got, c.ids)
		}
		x.leave()
	}
	// What is more than a journal knows is gone, though a topic has it.
	for range hub.JournalSize - 8 {
		publish(t, h, "d", "", 0, 0)
	}
	l := newLoop()
	if _, content := l.ask(h.Poll("/"), "GET", "/a.*?since=101", nil).result(); parse(t, content).ID != 103 {
		t.Errorf("got %q", content)
	}
	publish(t, h, "d", "", 0, 0)
	if status, _ := l.ask(h.Poll("/"), "GET", "/a.*?since=101", nil).result(); status != "410 Gone" {
		t.Errorf("got %s", status)
	}
	if _, content := l.ask(h.Poll("/"), "GET", "/a.2?since=102", nil).result(); parse(t, content).ID != 103 {
		t.Errorf("got %q", content)
	}
}
