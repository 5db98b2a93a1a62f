package grip_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/grip"
	"github.com/weirhttp/weir/hub/nats"
	"github.com/weirhttp/weir/hub/nats/embedded"
)

// serveNodes serves an application on two nodes with one stream of NATS. Nothing comes because it has waited for too long.
func serveNodes(t *testing.T, application http.HandlerFunc) (nodes [2]*weir) {
	t.Helper()
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	engine, err := embedded.Start(embedded.Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Stop)
	for i := range nodes {
		store, err := nats.Open(nats.Options{InProcess: engine, User: engine.User(), MemoryStorage: true, Log: silent})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = serveWith(t, hub.New(hub.Options{Store: store}), grip.Options{Shared: true, MessageWait: time.Hour}, nethttp.Application(application))
		eventually(t, "the node is ready", func() bool { return store.Ready() == nil })
	}
	return nodes
}

// streamsOf has a client of each node hold a stream of the channel a.
func streamsOf(t *testing.T, nodes [2]*weir) (bodies []io.Reader) {
	t.Helper()
	for _, n := range nodes {
		r := n.get(t, "/stream?channel=a").response()
		expect(t, r.Body, "open\n")
		n.held(t, "a", 1)
		bodies = append(bodies, r.Body)
	}
	return bodies
}

// TestNodesOrder: an item waits for its predecessor at whichever node that is published, and clients of all nodes get them in order.
func TestNodesOrder(t *testing.T) {
	nodes := serveNodes(t, instructions)
	bodies := streamsOf(t, nodes)
	item := func(id, prev int) string {
		return fmt.Sprintf(`{"channel":"a","id":"%d","prev-id":"%d","http-stream":{"content":"%d\n"}}`, id, prev, id)
	}
	nodes[1].publish(item(0, -1))
	for _, b := range bodies {
		expect(t, b, "0\n")
	}
	for id := 0; id < 20; id += 5 {
		nodes[1].publish(item(id+2, id+1))
		nodes[1].publish(item(id+4, id+3))
		nodes[0].publish(item(id+5, id+4))
		nodes[0].publish(item(id+3, id+2))
		nodes[0].publish(item(id+1, id))
		for _, b := range bodies {
			expect(t, b, fmt.Sprintf("%d\n%d\n%d\n%d\n%d\n", id+1, id+2, id+3, id+4, id+5))
		}
	}
}

// TestNodesOnce: an item that is published at two nodes, at the same time or one after the other, comes once.
func TestNodesOnce(t *testing.T) {
	nodes := serveNodes(t, instructions)
	bodies := streamsOf(t, nodes)
	for i := range 50 {
		item := fmt.Sprintf(`{"channel":"a","id":"%d","http-stream":{"content":"%d\n"}}`, i, i)
		var publishing sync.WaitGroup
		for _, n := range nodes {
			publishing.Go(func() {
				r, err := http.Post(n.control+"/publish/", "application/json", strings.NewReader(`{"items":[`+item+`]}`))
				if err != nil {
					t.Error(err)
					return
				}
				_ = r.Body.Close()
				if r.StatusCode != 200 {
					t.Error(r.Status)
				}
			})
			if i%2 == 1 {
				publishing.Wait()
			}
		}
		publishing.Wait()
		for _, b := range bodies {
			expect(t, b, fmt.Sprintf("%d\n", i))
		}
	}
}

// TestNodesMove: a client that goes on at another node learns there what it has missed.
func TestNodesMove(t *testing.T) {
	nodes := serveNodes(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Grip-Last") == "a; last-id=1" {
			_ = json.NewEncoder(w).Encode("caught up")
			return
		}
		w.Header().Set("Grip-Hold", "response")
		w.Header().Set("Grip-Channel", "a; prev-id=1")
	})
	c := nodes[0].get(t, "/")
	nodes[0].held(t, "a", 1)
	nodes[0].publish(`{"channel":"a","id":"2","prev-id":"1","http-response":{"body":"two"}}`)
	if _, content := c.answer(); content != "two" {
		t.Errorf("%q", content)
	}
	eventually(t, "the item is known at the other node", func() bool { return nodes[1].proxy.Channels() == 1 })
	if _, content := nodes[1].get(t, "/").answer(); content != "\"caught up\"\n" {
		t.Errorf("%q", content)
	}
}
