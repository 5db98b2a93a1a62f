package ws_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/hub"
)

// join opens a socket of a hub at path, and returns its position.
func (r *running) join(t *testing.T, path string) (c net.Conn, in *bufio.Reader, last uint64) {
	t.Helper()
	c = r.dial(t)
	if _, err := io.WriteString(c, strings.Replace(handshake(""), "/echo", path, 1)); err != nil {
		t.Fatal(err)
	}
	in = bufio.NewReader(c)
	if response := readResponse(t, in); response.StatusCode != 101 {
		t.Fatal(response.Status)
	}
	var first struct{ Last *uint64 }
	if f, err := ws.ReadFrame(in); err != nil || json.Unmarshal(f.Payload, &first) != nil || first.Last == nil {
		t.Fatalf("the first message is %q %v", f.Payload, err)
	}
	return c, in, *first.Last
}

// hears reads messages until it has those, "topic: data" each, and returns the id of the last one.
func hears(t *testing.T, in *bufio.Reader, messages ...string) (id uint64) {
	t.Helper()
	for _, want := range messages {
		f, err := ws.ReadFrame(in)
		var m struct {
			ID          uint64
			Topic, Data string
		}
		if err != nil || json.Unmarshal(f.Payload, &m) != nil || m.Topic+": "+m.Data != want || f.Header.OpCode != ws.OpText || m.ID <= id {
			t.Fatalf("%q %v, want %q behind id %d", f.Payload, err, want, id)
		}
		id = m.ID
	}
	return id
}

// TestHub: sockets get the messages of their topics, and go on from where they were.
func TestHub(t *testing.T) {
	h := hub.New(hub.Options{Memory: hub.MemoryOptions{Messages: 10}})
	s := serve(t, h.Sockets("/socket/", nil, nil))
	publish := func(topic, data string) {
		t.Helper()
		if _, _, err := h.Publish(topic, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	publish("tea", "earlier")
	const n = 50
	var ins []*bufio.Reader
	for range n {
		_, in, _ := s.join(t, "/socket/tea")
		ins = append(ins, in)
	}
	_, both, _ := s.join(t, "/socket/?topic=tea&topic=milk&since=0")
	if streams := h.Stats().Streams; streams != n+1 {
		t.Errorf("%d streams", streams)
	}
	hears(t, both, "tea: earlier")
	publish("tea", "one")
	publish("milk", "white")
	publish("tea", "two")
	var last uint64
	for _, in := range ins {
		last = hears(t, in, "tea: one", "tea: two")
	}
	hears(t, both, "tea: one", "milk: white", "tea: two")

	// One that comes back.
	publish("tea", "three")
	c, in, position := s.join(t, fmt.Sprint("/socket/tea?since=", last))
	if position != last {
		t.Errorf("the position is %d, want %d", position, last)
	}
	hears(t, in, "tea: three")
	say(t, c, `c text "hello"`)
	expect(t, in, "s close 1003")
	_ = c.Close()

	// One that was away for too long.
	for i := range 20 {
		publish("tea", fmt.Sprint(i))
	}
	c = s.dial(t)
	if _, err := io.WriteString(c, strings.Replace(handshake(""), "/echo", fmt.Sprint("/socket/tea?since=", last), 1)); err != nil {
		t.Fatal(err)
	}
	in = bufio.NewReader(c)
	readResponse(t, in)
	f, err := ws.ReadFrame(in)
	var gone struct{ Oldest, Newest uint64 }
	if err != nil || json.Unmarshal(f.Payload, &gone) != nil || gone.Oldest <= last || gone.Newest < gone.Oldest {
		t.Errorf("%q %v", f.Payload, err)
	}
	expect(t, in, "s close 4410")
	say(t, c, "c close 4410")

	// What is wrong before the handshake is answered as ever.
	for path, want := range map[string]int{"/socket/": 400, "/elsewhere": 404, "/socket/tea?since=x": 400} {
		c := s.dial(t)
		if _, err := io.WriteString(c, strings.Replace(handshake(""), "/echo", path, 1)); err != nil {
			t.Fatal(err)
		}
		if r := readResponse(t, bufio.NewReader(c)); r.StatusCode != want {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, in, "s end")
	for _, in := range ins {
		for {
			f, err := ws.ReadFrame(in)
			if err != nil {
				t.Fatal(err)
			}
			if f.Header.OpCode == ws.OpClose {
				break
			}
		}
	}
	until(t, "subscriptions to end", func() bool { return h.Stats().Streams == 0 })
}

// TestHubSlowClient: a client that does not read gets all the same what it has missed, from the history, in order.
func TestHubSlowClient(t *testing.T) {
	const n, size = 2000, 5000
	h := hub.New(hub.Options{Memory: hub.MemoryOptions{Messages: n, Bytes: 2 * n * size}})
	defer h.Close()
	s := serve(t, h.Sockets("/socket/", nil, nil))
	_, in, _ := s.join(t, "/socket/tea")
	filler := strings.Repeat("x", size)
	var want []string
	for i := range n {
		data := fmt.Sprint(i, filler)
		if _, _, err := h.Publish("tea", []byte(data)); err != nil {
			t.Fatal(err)
		}
		want = append(want, "tea: "+data)
	}
	hears(t, in, want...)
}

// TestSubscribe: a connection has several subscriptions, which end each for itself and all with it.
func TestSubscribe(t *testing.T) {
	h := hub.New(hub.Options{})
	defer h.Close()
	r := newRecorder()
	s := serve(t, r.application(websocket.Upgrader{}))
	c, in := s.open(t, "")
	of := r.conn(t)
	var ends []func()
	for _, topic := range []string{"tea", "milk"} {
		end, err := h.Subscribe(of, hub.Hold{Topics: []string{topic}})
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
		if f, err := ws.ReadFrame(in); err != nil || !strings.HasPrefix(string(f.Payload), `{"last":`) {
			t.Fatalf("%q %v", f.Payload, err)
		}
	}
	publish := func(topic, data string) {
		if _, _, err := h.Publish(topic, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	publish("tea", "1")
	hears(t, in, "tea: 1")
	publish("milk", "2")
	hears(t, in, "milk: 2")
	ends[0]()
	publish("tea", "3")
	publish("milk", "4")
	hears(t, in, "milk: 4")
	if _, err := h.Subscribe(of, hub.Hold{}); err == nil {
		t.Error("a subscription to nothing")
	}
	_ = c.Close()
	r.end(t, "1006 ")
	until(t, "subscriptions to end", func() bool { return h.Stats().Streams == 0 })
	ends[1]()
}

// TestHubWildcards: a socket may wait for a pattern, and is told when it was away for too long.
func TestHubWildcards(t *testing.T) {
	h := hub.New(hub.Options{Wildcards: true, Memory: hub.MemoryOptions{Messages: 1}})
	s := serve(t, h.Sockets("/socket/", nil, nil))
	publish := func(topic, data string) {
		t.Helper()
		if _, _, err := h.Publish(topic, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	_, in, _ := s.join(t, "/socket/room.*")
	publish("other", "none")
	publish("room.1", "one")
	first := hears(t, in, "room.1: one")
	publish("room.2", "two")
	publish("room.1", "three")
	hears(t, in, "room.2: two", "room.1: three")
	_, in, _ = s.join(t, fmt.Sprint("/socket/room.>?since=", first))
	hears(t, in, "room.2: two", "room.1: three")
	publish("room.1", "four")
	hears(t, in, "room.1: four")
	c := s.dial(t)
	if _, err := io.WriteString(c, strings.Replace(handshake(""), "/echo", fmt.Sprint("/socket/room.*?since=", first), 1)); err != nil {
		t.Fatal(err)
	}
	in = bufio.NewReader(c)
	readResponse(t, in)
	f, err := ws.ReadFrame(in)
	var gone struct{ Oldest, Newest uint64 }
	if err != nil || json.Unmarshal(f.Payload, &gone) != nil || gone.Oldest != first+3 || gone.Newest != gone.Oldest {
		t.Errorf("%q %v", f.Payload, err)
	}
	expect(t, in, "s close 4410")
}
