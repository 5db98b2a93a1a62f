package h1_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/h1"
)

// exchangeOf is a request and the answer that it must get.
type exchangeOf struct {
	request []byte
	isHead  bool
	status  int
	body    string
	cut     bool // the answer is cut off
	last    bool // the connection ends with it
}

// randomExchange makes a request. final allows those that end the connection.
func randomExchange(r *rand.Rand, final bool) (x exchangeOf) {
	get := func(path string, status int, body string) exchangeOf {
		return exchangeOf{request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path), status: status, body: body}
	}
	post := func(path string, n int, body string) exchangeOf {
		head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: a\r\n", path)
		if r.IntN(2) == 0 {
			head = fmt.Appendf(head, "Content-Length: %d\r\n\r\n", n)
			return exchangeOf{request: append(head, text("x", n)...), status: 200, body: body}
		}
		head = append(head, "Transfer-Encoding: chunked\r\n\r\n"...)
		for n > 0 {
			size := 1 + r.IntN(n)
			head = fmt.Appendf(head, "%x\r\n%s\r\n", size, text("x", size))
			n -= size
		}
		return exchangeOf{request: append(head, "0\r\n\r\n"...), status: 200, body: body}
	}
	sizes := []int{0, 1, 99, 100, 101, 1000, 5000, 100_000}
	n := sizes[r.IntN(len(sizes))]
	kinds := 15
	if final {
		kinds = 20
	}
	switch r.IntN(kinds) {
	case 0, 1:
		return get("/probe", 200, "probe")
	case 2:
		return exchangeOf{request: []byte("HEAD /probe HTTP/1.1\r\nHost: a\r\n\r\n"), isHead: true, status: 200}
	case 3:
		return get("/chunks", 200, "onetwothree")
	case 4, 5:
		return post("/count", n, strconv.Itoa(n)+" octets")
	case 6, 7:
		return post("/ignore", n, "ignored")
	case 8:
		return post("/blocking-count", n, strconv.Itoa(n)+" octets")
	case 9:
		return post("/early", n, "early, "+strconv.Itoa(n)+" octets")
	case 10:
		return get("/blocking-chunks", 200, "onetwothree")
	case 11:
		return get("/bytes/"+strconv.Itoa(n), 200, string(text("0123456789", n)))
	case 12:
		return get("/blocking-bytes/"+strconv.Itoa(n), 200, string(text("0123456789", n)))
	case 13:
		return get("/status/204", 204, "")
	case 14:
		return get("/panic", 500, "Internal Server Error\n")
	case 15:
		x = get("/close", 200, "closing")
	case 16:
		x = get("/break", 200, "some")
		x.cut = true
	case 17:
		x = get("/blocking-break", 200, "some")
		x.cut = true
	case 18:
		x = exchangeOf{request: []byte("GET /chunks HTTP/1.0\r\n\r\n"), status: 200, body: "onetwothree"}
	case 19:
		x = exchangeOf{request: []byte("GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n"), status: 400}
	}
	x.last = true
	return x
}

// conversation is a client that sends exchanges.
type conversation struct {
	*client
	random *rand.Rand
	want   []exchangeOf
	input  []byte
	rude   bool // it does not stay until the end
}

func (h *house) converse(r *rand.Rand) *conversation {
	c := &conversation{client: h.dial(), random: r, rude: r.IntN(4) == 0}
	for len(c.want) < 1+r.IntN(8) {
		x := randomExchange(r, r.IntN(4) == 0)
		c.want = append(c.want, x)
		c.input = append(c.input, x.request...)
		if x.last {
			c.input = append(c.input, "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n"...) // not to be answered
			break
		}
	}
	// What a client has not taken is lost when the application fails behind the head.
	if !c.want[len(c.want)-1].cut && r.IntN(2) == 0 {
		c.room = r.IntN(200)
	}
	return c
}

// step does something. It is false when there is nothing left to do.
func (c *conversation) step() bool {
	r := c.random
	switch r.IntN(10) {
	case 0, 1, 2, 3, 4:
		n := min(len(c.input), 1+r.IntN(1+r.IntN(20_000)))
		if r.IntN(3) == 0 {
			n = min(n, 10)
		}
		c.Feed(c.input[:n])
		c.input = c.input[n:]
	case 5, 6:
		if c.room >= 0 {
			c.room += r.IntN(100_000)
		}
		c.Drain()
	case 7:
		runtime.Gosched()
	case 8:
		c.room = -1
	case 9:
		if !c.rude || r.IntN(4) > 0 {
			break
		}
		switch r.IntN(4) {
		case 0:
			c.Reset()
		case 1:
			c.EOF()
		case 2:
			c.timeout()
		case 3:
			c.Shutdown()
		}
		c.input = nil
	}
	return len(c.input) > 0 && !c.Closed()
}

// done tells whether all that is to come has come.
func (c *conversation) done() bool {
	c.room = -1
	c.Drain()
	if !c.isOpen() {
		return c.unsent() == 0
	}
	state := h1.StateOf(c.handler)
	return state == h1.Idle || c.rude && state != h1.Answering
}

// judge compares what came with what was wanted: all of it, or, of a rude client, its beginning.
func (c *conversation) judge() error {
	heads := make([]wanted, len(c.want))
	for i, x := range c.want {
		heads[i].isHead = x.isHead
	}
	got, err := readAll(c.out.Bytes(), heads, !c.isOpen())
	if c.rude {
		// The connection may end anywhere, and the answer to what was not sent whole is a refusal.
		for i, r := range got {
			if i >= len(c.want) || r.status != c.want[i].status && !refusals[r.status] {
				return fmt.Errorf("response %d is %v", i+1, r)
			}
			if !r.cut && !refusals[r.status] && c.want[i].body != "" && r.body != c.want[i].body && c.want[i].body[:5] != "early" {
				return fmt.Errorf("response %d is %v, want %.100q", i+1, r, c.want[i].body)
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	if len(got) != len(c.want) {
		return fmt.Errorf("%d responses to %d requests", len(got), len(c.want))
	}
	for i, x := range c.want {
		if r := got[i]; r.status != x.status || r.cut != x.cut || x.status != 400 && r.body != x.body {
			return fmt.Errorf("response %d is %v, want %d %.100q", i+1, r, x.status, x.body)
		}
	}
	if open := !c.want[len(c.want)-1].last; c.isOpen() != open {
		return fmt.Errorf("the connection is open: %v, want %v", !open, open)
	}
	return nil
}

// TestRandom has many clients do random things at random times. Nothing panics, and everyone who is polite gets one
// answer to each request, in order.
func TestRandom(t *testing.T) {
	before := runtime.NumGoroutine()
	const rounds, clients = 150, 6
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := newHouse(t, every, func(c *h1.Config) { c.ContentBuffer = 100 })
		var all, busy []*conversation
		for range clients {
			all = append(all, h.converse(r))
		}
		busy = slices.Clone(all)
		for len(busy) > 0 {
			i := r.IntN(len(busy))
			if !busy[i].step() {
				busy = slices.Delete(busy, i, i+1)
			}
			if r.IntN(2) == 0 {
				h.loop.RunPosted()
			}
		}
		for i, c := range all {
			if !h.until(c.done) {
				t.Fatalf("seed %d, client %d: no end; state %d, received %.300q", seed, i, h1.StateOf(c.handler), c.out.Bytes())
			}
			if err := c.judge(); err != nil {
				for _, x := range c.want {
					t.Logf("%.80q", x.request)
				}
				t.Fatalf("seed %d, client %d, rude %v: %v", seed, i, c.rude, err)
			}
			c.Reset()
		}
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}
