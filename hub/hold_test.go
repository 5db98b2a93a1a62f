package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

// former is the watcher that a request has before the hub holds it.
type former struct{ t *testing.T }

func (f former) Left()    { f.t.Error("the former watcher was told that the client has left") }
func (f former) Drained() { f.t.Error("the former watcher was told to go on") }

// hold has h hold a request that was deferred.
func (l *loop) hold(t *testing.T, h *hub.Hub, hold hub.Hold) (x *exchange, err error) {
	t.Helper()
	x = l.ask(func(environ *app.Environ, _ app.StartResponse) app.Body {
		d := environ.Defer()
		d.Watch(former{t})
		err = h.Hold(d, hold)
		return nil
	}, "POST", "/", nil)
	return x, err
}

// own is an application's response.
var own = &app.Response{
	Status: "202 Nothing",
	Headers: []app.Header{
		{Name: "Content-Type", Value: "text/html"}, {Name: "Content-Length", Value: "7"}, {Name: "ETag", Value: `"1"`},
		{Name: "Set-Cookie", Value: "a=b"}, {Name: "Set-Cookie", Value: "c=d"}, {Name: "Vary", Value: "Cookie"},
	},
	Content: []byte("nothing"),
}

// fields are those of an answer, a line each.
func (x *exchange) fieldLines() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	for _, h := range x.headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	return b.String()
}

const (
	ownFields  = "Content-Type: text/html\nContent-Length: 7\nETag: \"1\"\nSet-Cookie: a=b\nSet-Cookie: c=d\nVary: Cookie\n"
	alsoFields = "Set-Cookie: a=b\nSet-Cookie: c=d\nVary: Cookie\n"
	noStore    = "Cache-Control: no-store\n"
	jsonFields = "Content-Type: application/json\n" + noStore
)

// TestHold are requests for one message. Before they are held there is message 101 of topic "a".
func TestHold(t *testing.T) {
	publishTo := func(topic string) func(t *testing.T, h *hub.Hub, l *loop, x *exchange) {
		return func(t *testing.T, h *hub.Hub, l *loop, x *exchange) {
			publish(t, h, topic, "news", 102, 1)
			publish(t, h, topic, "later", 103, 0)
			l.drain()
		}
	}
	pass := func(d time.Duration) func(t *testing.T, h *hub.Hub, l *loop, x *exchange) {
		return func(t *testing.T, h *hub.Hub, l *loop, x *exchange) {
			l.pass(d - time.Second)
			if !x.isHeld() {
				t.Error("it was not held for long enough")
			}
			l.pass(time.Second)
		}
	}
	a, b := []string{"a"}, []string{"b"}
	for _, c := range []struct {
		name                    string
		hold                    hub.Hold
		then                    func(t *testing.T, h *hub.Hub, l *loop, x *exchange) // nil: it is answered at once
		status, fields, content string
	}{
		{"as poll", hub.Hold{Topics: a}, publishTo("a"), "200 OK", jsonFields, `{"id":102,"topic":"a","data":"news"}` + "\n"},
		{"since without told is from now on", hub.Hold{Topics: a, Since: 7}, publishTo("a"), "200 OK", jsonFields, `{"id":102,"topic":"a","data":"news"}` + "\n"},
		{"json", hub.Hold{Topics: a, Response: own, Format: hub.FormatJSON}, publishTo("a"),
			"200 OK", alsoFields + jsonFields, `{"id":102,"topic":"a","data":"news"}` + "\n"},
		{"data", hub.Hold{Topics: a, Response: own, Format: hub.FormatData}, publishTo("a"),
			"200 OK", "Content-Type: text/html\n" + alsoFields + noStore, "news"},
		{"data alone", hub.Hold{Topics: a, Format: hub.FormatData}, publishTo("a"), "200 OK", noStore, "news"},
		{"cache-control is the application's", hub.Hold{Topics: a, Format: hub.FormatData,
			Response: &app.Response{Status: "200 OK", Headers: []app.Header{{Name: "cache-control", Value: "private"}}}}, publishTo("a"),
			"200 OK", "cache-control: private\n", "news"},
		{"second topic", hub.Hold{Topics: []string{"b", "a", "b"}, Response: own, Format: hub.FormatData}, publishTo("a"),
			"200 OK", "Content-Type: text/html\n" + alsoFields + noStore, "news"},
		{"history", hub.Hold{Topics: []string{"b", "a"}, Since: 0, Told: true}, nil, "200 OK", jsonFields, `{"id":101,"topic":"a","data":"old"}` + "\n"},
		{"history, data", hub.Hold{Topics: a, Since: 100, Told: true, Response: own, Format: hub.FormatData, Timeout: -1}, nil,
			"200 OK", "Content-Type: text/html\n" + alsoFields + noStore, "old"},
		{"timeout", hub.Hold{Topics: a, Response: own, Timeout: 7 * time.Second}, pass(7 * time.Second),
			"202 Nothing", ownFields + "Hub-Last-Id: 101\n", "nothing"},
		{"timeout, position known", hub.Hold{Topics: a, Response: own, Since: 101, Told: true}, pass(20 * time.Second), "202 Nothing", ownFields, "nothing"},
		{"timeout, as poll", hub.Hold{Topics: b}, pass(20 * time.Second), "204 No Content", noStore + "Hub-Last-Id: 101\n", ""},
		{"at once", hub.Hold{Topics: b, Since: 101, Told: true, Response: own, Timeout: -1}, nil, "202 Nothing", ownFields, "nothing"},
		{"too old", hub.Hold{Topics: a, Since: 99, Told: true, Response: own, Format: hub.FormatData}, nil, "410 Gone", alsoFields + jsonFields,
			`{"error":"messages after since are gone","oldest":101,"newest":101}` + "\n"},
		{"left", hub.Hold{Topics: a, Response: own}, func(t *testing.T, h *hub.Hub, l *loop, x *exchange) {
			x.leave()
			publish(t, h, "a", "", 102, 0)
		}, "", "", ""},
		{"closed", hub.Hold{Topics: a, Response: own}, func(t *testing.T, h *hub.Hub, l *loop, x *exchange) {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			l.drain()
		}, "503 Service Unavailable", alsoFields + "Content-Type: text/plain; charset=utf-8\n" + noStore + "Retry-After: 1\n", "the hub is not available\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHub(t, hub.Options{PollTimeout: 20 * time.Second})
			publish(t, h, "a", "old", 101, 0)
			l := newLoop()
			topics := slices.Clone(c.hold.Topics)
			x, err := l.hold(t, h, c.hold)
			if err != nil {
				t.Fatal(err)
			}
			if x.isHeld() != (c.then != nil) {
				t.Fatalf("it is held: %v", x.isHeld())
			}
			if c.then != nil {
				if s := h.Stats(); s.Polls != 1 || s.Streams != 0 {
					t.Errorf("stats are %+v", s)
				}
				c.then(t, h, l, x)
			}
			status, content := x.result()
			if fields := x.fieldLines(); status != c.status || fields != c.fields || content != c.content {
				t.Errorf("got %s\n%s\n%q; want %s\n%s\n%q", status, fields, content, c.status, c.fields, c.content)
			}
			if s := h.Stats(); s.Polls != 0 || s.Topics != 0 || h.Links() != 0 {
				t.Errorf("stats are %+v, %d links", s, h.Links())
			}
			if !slices.Equal(topics, c.hold.Topics) {
				t.Error("the caller's topics were changed")
			}
		})
	}
}

// TestHoldStreams are streams, after message 101 of topic "a".
func TestHoldStreams(t *testing.T) {
	const data = hub.FormatData
	hello := &app.Response{Status: "203 Hello", Headers: []app.Header{
		{Name: "content-type", Value: "text/html"}, {Name: "Content-Length", Value: "5"}, {Name: "Set-Cookie", Value: "a=b"}}, Content: []byte("hello")}
	const events, nginx = "Content-Type: text/event-stream\n" + noStore, "X-Accel-Buffering: no\n"
	for _, c := range []struct {
		name                    string
		hold                    hub.Hold
		status, fields, content string
	}{
		{"as events", hub.Hold{Topics: []string{"a"}}, "200 OK", events + nginx, "retry: 2000\nid: 101\n\n|id: 102\ndata: news\n\n|: keep-alive\nid: 102\n\n"},
		{"events", hub.Hold{Topics: []string{"a"}, Response: hello, Format: hub.FormatEvents}, "203 Hello", "Set-Cookie: a=b\n" + events + nginx,
			"helloretry: 2000\nid: 101\n\n|id: 102\ndata: news\n\n|: keep-alive\nid: 102\n\n"},
		{"several", hub.Hold{Topics: []string{"a", "b"}, Since: 100, Told: true}, "200 OK", events + nginx,
			"retry: 2000\nid: 100\n\nid: 101\nevent: a\ndata: old\n\n|id: 102\nevent: a\ndata: news\n\n|: keep-alive\nid: 102\n\n"},
		{"data", hub.Hold{Topics: []string{"a"}, Response: hello, Format: data}, "203 Hello", "content-type: text/html\nSet-Cookie: a=b\n" + noStore + nginx, "hello|news|"},
		{"data, several", hub.Hold{Topics: []string{"a", "b"}, Since: 0, Told: true, Format: data}, "200 OK", noStore + nginx, "old|news|"},
	} {
		for _, end := range []string{"left", "closed"} {
			t.Run(c.name+", "+end, func(t *testing.T) {
				h := newHub(t, hub.Options{KeepAlive: time.Second})
				publish(t, h, "a", "old", 101, 0)
				l := newLoop()
				c.hold.Stream = true
				x, err := l.hold(t, h, c.hold)
				if err != nil {
					t.Fatal(err)
				}
				if s := h.Stats(); s.Polls != 0 || s.Streams != 1 || !x.isHeld() {
					t.Errorf("stats are %+v", s)
				}
				got := x.next()
				publish(t, h, "a", "news", 102, 1)
				l.drain()
				got += "|" + x.next()
				l.pass(time.Second)
				got += "|" + x.next()
				status, _ := x.result()
				if fields := x.fieldLines(); status != c.status || fields != c.fields || got != c.content {
					t.Errorf("got %s\n%s\n%q; want %s\n%s\n%q", status, fields, got, c.status, c.fields, c.content)
				}
				if end == "left" {
					x.leave()
				} else if err := h.Close(); err != nil {
					t.Error(err)
				}
				l.drain()
				l.pass(time.Second)
				if s := h.Stats(); s.Streams != 0 || s.Topics != 0 || h.Links() != 0 || h.Keepers() != 0 || x.isHeld() {
					t.Errorf("stats are %+v, %d links, %d keepers", s, h.Links(), h.Keepers())
				}
			})
		}
	}
}

// TestHoldHead: a stream that answers HEAD has ended with its head, and an answer is waited for as ever.
func TestHoldHead(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	x, err := l.hold(t, h, hub.Hold{Topics: []string{"a"}, Stream: true, Head: true, Response: own})
	if err != nil {
		t.Fatal(err)
	}
	const want = "Set-Cookie: a=b\nSet-Cookie: c=d\nVary: Cookie\nContent-Type: text/event-stream\n" + noStore + "X-Accel-Buffering: no\n"
	if status, _ := x.result(); status != own.Status || x.fieldLines() != want || x.next() != "" || x.isHeld() {
		t.Errorf("%s\n%s", status, x.fieldLines())
	}
	if s := h.Stats(); s.Streams != 0 || h.Links() != 0 {
		t.Errorf("stats are %+v, %d links", s, h.Links())
	}
	if x, err := l.hold(t, h, hub.Hold{Topics: []string{"a"}, Head: true}); err != nil || !x.isHeld() {
		t.Errorf("one that waits for a message: %v", err)
	}
}

// TestHoldSlowStream: a stream of bare messages waits for its client as one of events does, also when it is the
// application's own content that is too much.
func TestHoldSlowStream(t *testing.T) {
	for _, first := range []int{0, 100 << 10} {
		h := newHub(t, hub.Options{})
		l := newLoop()
		x := l.ask(func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			d.(*exchange).stuck = true
			r := &app.Response{Status: "200 OK", Content: []byte(strings.Repeat("-", first))}
			if err := h.Hold(d, hub.Hold{Topics: []string{"a"}, Stream: true, Response: r, Format: hub.FormatData}); err != nil {
				t.Error(err)
			}
			return nil
		}, "GET", "/", nil)
		for i := range 50 {
			publish(t, h, "a", strings.Repeat(string(rune('A'+i)), 10<<10), 0, -1)
			l.drain()
		}
		got := x.next()
		if len(got) < max(first, 64<<10) || len(got) > max(first, 80<<10) {
			t.Errorf("one that takes nothing got %d octets", len(got))
		}
		x.take()
		l.drain()
		want := strings.Repeat("-", first)
		for i := range 50 {
			want += strings.Repeat(string(rune('A'+i)), 10<<10)
		}
		if got += x.next(); got != want {
			t.Errorf("got %d octets, want %d", len(got), len(want))
		}
	}
}

// TestHoldShares: those that are held alike get the same answer, which is rendered once, and the same 204 or what
// stands for it.
func TestHoldShares(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	var held []*exchange
	deadlines := make(map[*app.Response]bool)
	for range 100 {
		x, err := l.hold(t, h, hub.Hold{Topics: []string{"a"}, Response: own, Format: hub.FormatData})
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, x)
		deadlines[x.deadline] = true
	}
	if len(deadlines) > 10 { // one a second
		t.Errorf("100 requests have %d answers for when they wait in vain", len(deadlines))
	}
	publish(t, h, "a", "news", 0, 100)
	l.drain()
	for _, x := range held {
		if _, content := x.result(); content != "news" || &x.headers[0] != &held[0].headers[0] {
			t.Fatalf("got %q, fields of its own: %v", content, &x.headers[0] != &held[0].headers[0])
		}
	}
}

// TestHoldRefusals: what makes no sense is an error, and leaves the request as it was.
func TestHoldRefusals(t *testing.T) {
	h := newHub(t, hub.Options{MaxTopics: 2, MaxTopicName: 5, MaxPollTimeout: time.Minute})
	a := []string{"a"}
	for _, c := range []struct {
		hold hub.Hold
		want string
	}{
		{hub.Hold{}, "names no topic"},
		{hub.Hold{Topics: []string{"a", "b", "c"}}, "may name 2 topics"},
		{hub.Hold{Topics: []string{"a", "123456"}}, "of 1 to 5 octets"},
		{hub.Hold{Topics: []string{""}}, "a topic's name must be"},
		{hub.Hold{Topics: []string{"\n"}}, "a topic's name must be"},
		{hub.Hold{Topics: []string{"\xff"}}, "a topic's name must be"},
		{hub.Hold{Topics: a, Timeout: time.Hour}, "timeout is 1h0m0s, and may be 1m0s"},
		{hub.Hold{Topics: a, Timeout: time.Second, Stream: true}, "a stream has no timeout"},
		{hub.Hold{Topics: a, Format: "xml"}, `the format is "xml", and may be "json" or "data"`},
		{hub.Hold{Topics: a, Format: hub.FormatEvents}, `the format is "events"`},
		{hub.Hold{Topics: a, Stream: true, Format: hub.FormatJSON}, `the format of a stream is "json", and may be "events" or "data"`},
		{hub.Hold{Topics: a, Stream: true, Response: &app.Response{Status: "204 No Content"}}, `"204 No Content", which has no content`},
		{hub.Hold{Topics: a, Stream: true, Response: &app.Response{Status: "205 Reset Content"}}, `"205 Reset Content", which has no content`},
	} {
		x, err := newLoop().hold(t, h, c.hold)
		if !errors.Is(err, hub.ErrHold) || !strings.Contains(err.Error(), c.want) || !x.isHeld() {
			t.Errorf("%+v: %v, want %q; the request is open: %v", c.hold, err, c.want, x.isHeld())
		}
		if _, ok := x.watcher.(former); !ok || x.deadline != nil {
			t.Errorf("%+v: the request was changed", c.hold)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if x, err := newLoop().hold(t, h, hub.Hold{Topics: a}); !errors.Is(err, hub.ErrClosed) || !x.isHeld() {
		t.Errorf("when it has closed: %v", err)
	}
	if s := h.Stats(); s != (hub.Stats{}) {
		t.Errorf("stats are %+v", s)
	}
}

// TestHoldWrongHead: a stream whose head the server refuses is given up, and forgotten.
func TestHoldWrongHead(t *testing.T) {
	h := newHub(t, hub.Options{})
	refusal := &app.StartResponseError{Reason: "test"}
	x := newLoop().ask(func(environ *app.Environ, _ app.StartResponse) app.Body {
		d := environ.Defer()
		d.(*exchange).refusal = refusal
		if err := h.Hold(d, hub.Hold{Topics: []string{"a"}, Stream: true}); err != nil {
			t.Error(err)
		}
		return nil
	}, "GET", "/", nil)
	if s := h.Stats(); x.aborted != refusal || s.Streams != 0 || h.Links() != 0 {
		t.Errorf("given up with %v; stats are %+v, %d links", x.aborted, s, h.Links())
	}
}
