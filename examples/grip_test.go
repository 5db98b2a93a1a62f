package examples

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestGrip does with examples/grip what clients of django-eventstream do with theirs.
func TestGrip(t *testing.T) {
	t.Parallel() // an event whose predecessor does not come takes 5 seconds
	var line *command
	for _, c := range commands(t) {
		if c.example == "grip" {
			line = &c
		}
	}
	if line == nil {
		t.Fatal("the documentation has no command line for examples/grip")
	}
	s := serve(t, *line)
	defer s.stop()

	t.Log("a new client gets what is said from now on")
	alice := s.events("/events/?channel=room&channel=other&user=alice", "")
	alice.expect("event: stream-open\ndata:\n\n")
	s.say("room", "one 100 %")
	alice.expect("event: message\nid: room:1,other:0\ndata: \"one 100 %\"\n\n")
	s.say("other", "two")
	alice.expect("event: message\nid: room:1,other:1\ndata: \"two\"\n\n")

	t.Log("what was not published comes with the next event, once and in order")
	s.say("room&quietly", "three")
	s.say("room", "four")
	alice.expect("event: message\nid: room:2,other:1\ndata: \"three\"\n\nevent: message\nid: room:3,other:1\ndata: \"four\"\n\n")

	t.Log("who is to be skipped gets nothing")
	s.say("room&skip=bob,alice", "five")
	s.say("other", "six")
	alice.expect("event: message\nid: room:4,other:2\ndata: \"six\"\n\n")

	t.Log("a client that comes back gets what it has missed")
	back := s.events("/events/?channel=room", "room:2")
	back.expect("event: stream-open\ndata:\n\nevent: message\nid: room:3\ndata: \"four\"\n\nevent: message\nid: room:4\ndata: \"five\"\n\n")
	s.say("room", "seven")
	back.expect("event: message\nid: room:5\ndata: \"seven\"\n\n")

	t.Log("a position behind the end, and one that is none")
	if r := s.get("/events/?channel=room&lastEventId=x"); r.StatusCode != 400 {
		t.Errorf("malformed: %s", r.Status)
	}
	for name, r := range map[string]*http.Response{"alice": alice.response, "back": back.response} {
		for field := range r.Header {
			if strings.HasPrefix(field, "Grip-") {
				t.Errorf("%s sees %s", name, field)
			}
		}
		_ = r.Body.Close()
	}
}

// say adds an event.
func (s *site) say(channel, text string) {
	s.t.Helper()
	r := s.do(s.client, s.request("POST", "/events/?channel="+channel, strings.NewReader(text)))
	if r.StatusCode != 200 {
		s.t.Fatalf("say: %s %s", r.Status, r.body)
	}
}

// events is an event stream that is read.
type events struct {
	s        *site
	response *http.Response
	r        *bufio.Reader
}

// events opens an event stream. Padding is left out of what is read.
func (s *site) events(target, last string) *events {
	s.t.Helper()
	request := s.request("GET", target, nil)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream" {
		s.t.Fatalf("%s, %s", response.Status, kind)
	}
	e := &events{s, response, bufio.NewReader(response.Body)}
	e.expect(":" + strings.Repeat(" ", 2048) + "\n\n")
	return e
}

// expect reads what is to come next.
func (e *events) expect(want string) {
	e.s.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = e.response.Body.Close() })
	defer timer.Stop()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(e.r, got); err != nil || string(got) != want {
		e.s.t.Fatalf("got %q (%v), want %q", got[:n], err, want)
	}
}
