package python_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/python"
)

// holder is a client that may be held: a connection to a server, and what it reads from it.
type holder struct {
	net.Conn
	*bufio.Reader
	t testing.TB
}

func (c *holder) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func (h *hosted) dial() *holder {
	h.t.Helper()
	c, err := net.Dial("tcp", h.server.Addresses()[0])
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &holder{c, bufio.NewReader(c), h.t}
}

// ask sends a request.
func (c *holder) ask(target string) {
	c.t.Helper()
	if err := c.tryAsk(target); err != nil {
		c.t.Fatal(err)
	}
}

// tryAsk is ask for any goroutine.
func (c *holder) tryAsk(target string) error {
	_, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n")
	return err
}

// answer reads a response.
func (c *holder) answer() reply {
	c.t.Helper()
	r, err := c.tryAnswer()
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// tryAnswer is answer for any goroutine.
func (c *holder) tryAnswer() (reply, error) {
	r, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		return reply{}, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return reply{r.StatusCode, r.Header, string(text), err}, nil
}

// holding is the target that calls hold() with these arguments, a JSON object, in which "response" is the application's.
func holding(arguments string) string {
	if !json.Valid([]byte(arguments)) {
		panic("no JSON: " + arguments)
	}
	return "/hold?" + url.PathEscape(arguments)
}

// hostHub is host with a hub.
func hostHub(t *testing.T, topics hub.Options, options python.Options) (*hosted, *hub.Hub) {
	t.Helper()
	options.Hub = hub.New(topics)
	t.Cleanup(func() { _ = options.Hub.Close() })
	return host(t, options), options.Hub
}

// waiting waits until n requests are held.
func (h *hosted) waiting(topics *hub.Hub, n int) {
	h.t.Helper()
	h.eventually(fmt.Sprint(n, " requests are held"), func() bool {
		s := topics.Stats()
		return s.Polls+s.Streams == n
	})
}

// publish publishes, and checks how many were waiting, unless reached is -1.
func publish(t *testing.T, topics *hub.Hub, topic, data string, reached int) (id uint64) {
	t.Helper()
	id, n, err := topics.Publish(topic, []byte(data))
	if err != nil || n != reached && reached >= 0 {
		t.Fatalf("%d were reached, want %d: %v", n, reached, err)
	}
	return id
}

// TestHold: what the clients of held requests get.
func TestHold(t *testing.T) {
	const response = `,"response":{"status":"202 None","headers":[["Content-Type","text/css"],["X-A","b"]],"content":"none"}`
	h, topics := hostHub(t, hub.Options{PollTimeout: 20 * time.Millisecond}, python.Options{})
	for _, c := range []struct{ arguments, published, want string }{
		{`{"topics":"t","timeout":60}`, "news", `200 application/json  {"id":ID,"topic":"t","data":"news"}` + "\n"},
		{`{"topics":["u","t"],"timeout":60,"format":"json"` + response + `}`, "news", `200 application/json b {"id":ID,"topic":"t","data":"news"}` + "\n"},
		{`{"topics":"t","timeout":60,"format":"data"` + response + `}`, "news", "200 text/css b news"},
		{`{"topics":"u","timeout":0.02` + response + `}`, "", "202 text/css b none"},
		{`{"topics":"u","timeout":0` + response + `}`, "", "202 text/css b none"},
		{`{"topics":"u"` + response + `}`, "", "202 text/css b none"},
		{`{"topics":"u"}`, "", "204   "},
		{`{"topics":"u","response":{"status":"403 No","content":"you may not"}}`, "", "403   you may not"},
		{`{"topics":"t","since":SINCE,"format":"data"}`, "", "200   news"},
		{`{"topics":"t","since":"1"` + response + `}`, "", `410 application/json b {"error":"messages after since are gone","oldest":OLDEST,"newest":ID}` + "\n"},
	} {
		oldest := publish(t, topics, "t", "old", 0)
		newest := oldest
		if c.published == "" {
			newest = publish(t, topics, "t", "news", 0)
		}
		x := h.dial()
		x.ask(holding(strings.ReplaceAll(c.arguments, "SINCE", fmt.Sprint(oldest))))
		if c.published != "" {
			h.waiting(topics, 1)
			newest = publish(t, topics, "t", c.published, 1)
		}
		r := x.answer()
		r.body = strings.ReplaceAll(r.body, fmt.Sprint(newest), "ID")
		want := c.want
		if i, j := strings.Index(r.body, `"oldest":`), strings.Index(r.body, `,"newest"`); i >= 0 {
			r.body = r.body[:i] + `"oldest":OLDEST` + r.body[j:]
		}
		if got := fmt.Sprintf("%d %s %s %s", r.code, r.header.Get("Content-Type"), r.header.Get("X-A"), r.body); got != want {
			t.Errorf("%s: got %q, want %q", c.arguments, got, want)
		}
		x.ask("/")
		h.want(x.answer(), 200, "Hello, World!")
	}
}

// TestHoldWildcards: names are patterns when the application says so, and not otherwise.
func TestHoldWildcards(t *testing.T) {
	h, topics := hostHub(t, hub.Options{Wildcards: true}, python.Options{})
	all, one := h.dial(), h.dial()
	all.ask(holding(`{"topics":"room.*","wildcards":true,"timeout":60}`))
	one.ask(holding(`{"topics":"room.*","timeout":60,"format":"data"}`))
	h.waiting(topics, 2)
	id := publish(t, topics, "room.7", "news", 1)
	h.want(all.answer(), 200, fmt.Sprintf(`{"id":%d,"topic":"room.7","data":"news"}`+"\n", id))
	publish(t, topics, "room.*", "own", 1)
	h.want(one.answer(), 200, "own")
}

// TestHoldStream: a stream begins with what the application has, and goes on with messages.
func TestHoldStream(t *testing.T) {
	const response = `,"stream":true,"response":{"status":"200 OK","headers":[["Content-Type","text/css"],["Content-Length","6"]],"content":"first\n"}}`
	h, topics := hostHub(t, hub.Options{}, python.Options{})
	for format, want := range map[string]string{
		"data":   "text/css: first\none\ntwo\n",
		"events": "text/event-stream: first\nretry: 2000\nid: ID\n\nid: ID\ndata: one\ndata: \n\nid: ID\ndata: two\ndata: \n\n",
	} {
		x := h.dial()
		x.ask(holding(`{"topics":"t","format":"` + format + `"` + response))
		r, err := http.ReadResponse(x.Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.waiting(topics, 1)
		publish(t, topics, "t", "one\n", 1)
		publish(t, topics, "t", "two\n", -1)
		got := make([]byte, 0, 1000)
		text := func() string {
			lines := strings.SplitAfter(string(got), "\n")
			for i, line := range lines {
				if strings.HasPrefix(line, "id: ") {
					lines[i] = "id: ID\n"
				}
			}
			return r.Header.Get("Content-Type") + ": " + strings.Join(lines, "")
		}
		for len(text()) < len(want) && err == nil {
			var n int
			n, err = r.Body.Read(got[len(got):cap(got)])
			got = got[:len(got)+n]
		}
		if text() != want {
			t.Errorf("%s: got %q (%v), want %q", format, text(), err, want)
		}
		_ = x.Conn.Close()
		h.waiting(topics, 0)
	}
}

// TestHoldHead: HEAD, which Flask and Django answer as GET, gets the head of a stream, and is not held.
func TestHoldHead(t *testing.T) {
	h, topics := hostHub(t, hub.Options{}, python.Options{})
	x := h.dial()
	if _, err := io.WriteString(x, "HEAD "+holding(`{"topics":"t","stream":true}`)+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	x.ask(holding(`{"topics":"t","response":{"status":"403 No","content":"you may not"}}`))
	r, err := http.ReadResponse(x.Reader, &http.Request{Method: "HEAD"})
	if err != nil || r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(r, err)
	}
	if r := x.answer(); r.code != 403 {
		t.Errorf("behind it %+v", r)
	}
	h.waiting(topics, 0)
}

// TestHoldRefused: what the hub does not take is a line in the log that says what to do, and the client's 500.
func TestHoldRefused(t *testing.T) {
	h, topics := hostHub(t, hub.Options{MaxTopicName: 5}, python.Options{})
	for arguments, told := range map[string]string{
		`{"topics":"123456"}`:                                                 "of 1 to 5 octets",
		`{"topics":"t","timeout":1000}`:                                       "timeout is 16m40s, and may be 5m0s",
		`{"topics":"t","wait":1}`:                                             "unexpected keyword argument 'wait'",
		`{"topics":"t.*","wildcards":true}`:                                   "wildcards are off",
		`{"topics":"t","format":"events"}`:                                    "format must be 'json' or 'data' without stream: 'events'",
		`{"topics":"t","stream":true,"response":{"status":"204 No Content"}}`: "which has no content",
		`{"topics":"t","response":{"status":"200 OK","headers":[["Content-Encoding","gzip"]],"content":"coded"}}`: "was encoded by middleware",
	} {
		h.want(h.get(holding(arguments)), 500, "Internal Server Error\n")
		h.eventually("the log has: "+told, func() bool { return strings.Contains(h.log.String(), told) })
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	h.want(h.get(holding(`{"topics":"t"}`)), 503, "Service Unavailable\n")
	h.eventually("the log says so", func() bool { return strings.Contains(h.log.String(), "the hub has closed") })
}

// TestHoldCrowd: many wait while few workers go on. A message wakes each client once; those that leave are forgotten; the death of the
// worker that a request was in is nothing to it.
func TestHoldCrowd(t *testing.T) {
	const many, leave = 500, 100
	h, topics := hostHub(t, hub.Options{PollTimeout: 5 * time.Minute}, python.Options{Workers: 2})
	var clients []*holder
	for range many {
		c := h.dial()
		c.ask(holding(`{"topics":["t"],"format":"data","response":{"status":"200 OK","headers":[["X-A","b"]]}}`))
		clients = append(clients, c)
	}
	h.waiting(topics, many)
	h.want(h.get("/"), 200, "Hello, World!")
	for _, c := range clients[:leave] {
		_ = c.Conn.Close()
	}
	clients = clients[leave:]
	h.waiting(topics, len(clients))
	for _, w := range h.Stats().Workers {
		if err := syscall.Kill(w.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	h.eventually("other workers are there", func() bool {
		s := h.Stats()
		return s.Died == 2 && len(s.Workers) == 2
	})
	h.want(h.get("/"), 200, "Hello, World!")
	h.waiting(topics, len(clients))
	publish(t, topics, "t", "woken", len(clients))
	for _, c := range clients {
		if r := c.answer(); r.code != 200 || r.body != "woken" || r.header.Get("X-A") != "b" {
			t.Fatalf("%+v", r)
		}
	}
	publish(t, topics, "t", "again", 0)
	for _, c := range clients { // what was sent twice would be before this
		c.ask("/")
		h.want(c.answer(), 200, "Hello, World!")
	}
	if s := topics.Stats(); s.Polls != 0 || s.Topics != 0 {
		t.Errorf("stats are %+v", s)
	}
}

// TestHoldExactlyOnce: clients that come back with the id of their last message see each message once and in order, whatever is published
// while they are on their way through a worker.
func TestHoldExactlyOnce(t *testing.T) {
	const clients, messages = 8, 100
	h, topics := hostHub(t, hub.Options{}, python.Options{Workers: 2})
	first := publish(t, topics, "t", "first", 0)
	var group, begun sync.WaitGroup
	for range clients {
		c := h.dial()
		begun.Add(1)
		group.Go(func() {
			since := first
			for i := range messages {
				if err := c.tryAsk(holding(fmt.Sprintf(`{"topics":["t","u"],"timeout":60,"since":%d}`, since))); err != nil {
					t.Error(err)
				}
				if i == 0 {
					begun.Done()
				}
				r, err := c.tryAnswer()
				var got struct {
					ID   uint64
					Data string
				}
				if err == nil {
					err = json.Unmarshal([]byte(r.body), &got)
				}
				if err != nil || got.Data != fmt.Sprint(i) || got.ID <= since {
					t.Errorf("message %d: got %d %q, %v", i, r.code, r.body, err)
					return
				}
				since = got.ID
			}
		})
	}
	begun.Wait()
	for i := range messages {
		publish(t, topics, []string{"t", "u"}[i%2], fmt.Sprint(i), -1)
		if i%10 < 7 { // some at once, some while others are on their way
			time.Sleep(time.Millisecond)
		}
	}
	group.Wait()
	h.waiting(topics, 0)
}

// TestHoldEnds: what is held when the hub closes is answered as the hub's own polls are, and the server can stop.
func TestHoldEnds(t *testing.T) {
	h, topics := hostHub(t, hub.Options{}, python.Options{})
	poll, stream := h.dial(), h.dial()
	poll.ask(holding(`{"topics":"t","timeout":300}`))
	stream.ask(holding(`{"topics":"t","stream":true}`))
	h.waiting(topics, 2)
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	if r := poll.answer(); r.code != 503 || r.header.Get("Retry-After") != "1" {
		t.Errorf("the poll got %+v", r)
	}
	if r := stream.answer(); r.code != 200 || !strings.HasPrefix(r.body, "retry: ") || r.err != nil {
		t.Errorf("the stream got %+v", r)
	}
}

// TestHoldHeap holds what a client costs that waits, sockets included: nothing of its way through a worker.
func TestHoldHeap(t *testing.T) {
	const few, many, most = 200, 600, 600
	h, topics := hostHub(t, hub.Options{PollTimeout: 5 * time.Minute}, python.Options{Workers: 2})
	var address syscall.SockaddrInet4
	if _, err := fmt.Sscanf(h.server.Addresses()[0], "127.0.0.1:%d", &address.Port); err != nil {
		t.Fatal(err)
	}
	address.Addr = [4]byte{127, 0, 0, 1}
	request := "GET " + holding(`{"topics":["t"],"response":{"status":"200 OK","headers":[["Content-Type","text/html"]],"content":"none"}}`) +
		" HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("x", 500) + "\r\n\r\n"
	descriptors := make([]int, 0, few+many)
	defer func() {
		for _, fd := range descriptors {
			_ = syscall.Close(fd)
		}
	}()
	hold := func(n int) { // with sockets that have no heap of their own
		for range n {
			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			descriptors = append(descriptors, fd)
			if err := syscall.Connect(fd, &address); err != nil {
				t.Fatal(err)
			}
			if _, err := syscall.Write(fd, []byte(request)); err != nil {
				t.Fatal(err)
			}
		}
		h.waiting(topics, len(descriptors))
	}
	hold(few) // pools and tables have their size
	before := heap()
	hold(many)
	if each := (heap() - before) / many; each > most {
		t.Errorf("a client that waits takes %d octets of heap, want %d at most", each, most)
	} else {
		t.Logf("%d octets of heap each", each)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
