package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// published is the answer of /publish/.
type published struct {
	ID      uint64
	Reached int
}

// publish publishes when so many requests wait.
func (p *process) publish(topic, message string, waiting int) (answer published) {
	p.t.Helper()
	p.await(waiting)
	response, err := http.Post("http://"+p.at[0]+"/publish/"+topic, "text/plain", strings.NewReader(message))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != 200 {
		p.t.Fatalf("publish: %s, %v", response.Status, err)
	}
	return answer
}

// await waits until so many requests wait for messages. The server has --test-routes.
func (p *process) await(waiting int) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var counts struct{ Waiting int }
		if err := json.Unmarshal([]byte(p.ask("GET", "/internals").body), &counts); err != nil {
			p.t.Fatal(err)
		}
		if counts.Waiting >= waiting {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%d requests wait, want %d", counts.Waiting, waiting)
		}
	}
}

// get answers on a channel: it may take until something is published.
func (p *process) get(target string) <-chan reply {
	answers := make(chan reply, 1)
	go func() { answers <- p.ask("GET", target) }()
	return answers
}

// TestPoll: a poll waits for a message, gets earlier ones at once, and is told when there is none.
func TestPoll(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes")
	waiting := p.get("/poll/news?timeout=60")
	id := p.publish("news", "one", 1).ID
	r := <-waiting
	var message struct {
		ID   uint64
		Data string
	}
	if err := json.Unmarshal([]byte(r.body), &message); err != nil || r.StatusCode != 200 || message.ID != id || message.Data != "one" {
		t.Fatalf("%s %q, want message %d", r.Status, r.body, id)
	}
	if again := p.ask("GET", "/poll/news?since=0"); again.body == "" || again.StatusCode != 200 {
		t.Errorf("the history has %s %q", again.Status, again.body)
	}
	if none := p.ask("GET", "/poll/other?timeout=1"); none.StatusCode != 204 {
		t.Errorf("without a message: %s", none.Status)
	}
	if wrong := p.ask("GET", "/poll/news?since=x"); wrong.StatusCode != 400 {
		t.Errorf("a malformed since: %s", wrong.Status)
	}
	if wrong := p.ask("GET", "/publish/news"); wrong.StatusCode != 405 || wrong.Header.Get("Allow") != "POST" {
		t.Errorf("GET /publish: %s", wrong.Status)
	}
}

// TestEvents: a stream gets messages as they are published, with their ids.
func TestEvents(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes")
	response, err := http.Get("http://" + p.at[0] + "/events/news")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("%s %s", response.Status, kind)
	}
	p.publish("news", "one\ntwo", 1)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && lines.Text() != "data: one" {
	}
	if !lines.Scan() || lines.Text() != "data: two" {
		t.Errorf("the stream has %q, %v", lines.Text(), lines.Err())
	}
}

// TestTerminateWhileWaiting: what waits is ended by SIGTERM, and does not hold up the end.
func TestTerminateWhileWaiting(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--graceful-timeout", "20s", "--test-routes")
	poll := p.get("/poll/news?timeout=300")
	stream, err := http.Get("http://" + p.at[0] + "/events/news")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	p.publish("news", "one", 2) // both wait: the poll has its answer
	<-poll
	poll = p.get("/poll/news?timeout=300")
	p.await(2)
	ended := make(chan int)
	go func() { ended <- p.stop() }()
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
	if r := <-poll; r.StatusCode != 503 {
		t.Errorf("the poll got %s", r.Status)
	}
	if status := <-ended; status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
