package h1_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
)

// large answers with a slice of 50,000 octets, which is all in memory.
func large(_ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", plainHeaders)
	return app.Bytes(fifty)
}

var fifty = text("0123456789", 50_000)

// withFile is every, and /file answers with a file.
func withFile(path string) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		switch string(environ.Path()) {
		case "/large":
			return large(environ, start)
		case "/file":
			file, err := os.Open(path)
			if err != nil {
				panic(err)
			}
			start("200 OK", plainHeaders)
			return app.FileWrapper(file, 0)
		}
		return every(environ, start)
	}
}

// drainAll has the client take step octets at a time until the server has nothing more to say.
func drainAll(t *testing.T, h *house, c *client, step int, done func() bool) {
	t.Helper()
	if !h.until(func() bool {
		for range 100 {
			c.room = step
			c.Drain()
			h.loop.RunPosted()
		}
		return done()
	}) {
		t.Fatalf("%d octets came, then nothing; %d are kept", c.out.Len(), c.unsent())
	}
}

// TestSlowClient: what a client receives does not depend on how much it takes at a time.
func TestSlowClient(t *testing.T) {
	path := fileOf(t, text("file content ", 150_000)).Name()
	var requests, last []byte
	for _, p := range []string{"/probe", "/bytes/100000", "/chunks", "/file", "/large", "/blocking-bytes/150000", "/blocking-chunks", "/write"} {
		requests = fmt.Appendf(requests, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", p)
	}
	last = []byte("GET /bytes/70000 HTTP/1.0\r\n\r\n")
	var want string
	for _, step := range []int{1 << 20, 100_003, 9_973, 997} {
		h := newHouse(t, withFile(path), nil)
		c := h.dial()
		c.room = 0
		c.Feed(requests)
		c.Feed(last)
		drainAll(t, h, c, step, func() bool { return !c.isOpen() && c.unsent() == 0 })
		got, err := readAll(c.out.Bytes(), nil, true)
		if err != nil || len(got) != 9 {
			t.Fatalf("with %d octets at a time %d responses came, %v", step, len(got), err)
		}
		if got[3].body != string(text("file content ", 150_000)) {
			t.Errorf("with %d octets at a time the file is wrong", step)
		}
		all := fmt.Sprint(bodies(got))
		if want == "" {
			want = all
		}
		if all != want {
			t.Errorf("with %d octets at a time the content is different", step)
		}
	}
}

func bodies(list []response) (all []string) {
	for _, r := range list {
		all = append(all, r.body)
	}
	return all
}

// TestOctetAtATime: a client that takes one octet at a time.
func TestOctetAtATime(t *testing.T) {
	h := newHouse(t, every, nil)
	c := h.dial()
	c.room = 0
	c.Feed([]byte("GET /chunks HTTP/1.1\r\nHost: a\r\n\r\nGET /blocking-chunks HTTP/1.1\r\nHost: a\r\n\r\nGET /close HTTP/1.1\r\nHost: a\r\n\r\n"))
	drainAll(t, h, c, 1, func() bool { return !c.isOpen() && c.unsent() == 0 })
	got, err := readAll(c.out.Bytes(), nil, true)
	if err != nil || strings.Join(bodies(got), " ") != "onetwothree onetwothree closing" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestOutputIsBounded: a client that pipelines requests and reads nothing does not fill the memory, whatever
// kind of body the answers have, and gets all answers when it does read.
func TestOutputIsBounded(t *testing.T) {
	path := fileOf(t, fifty).Name()
	for _, p := range []string{"/large", "/bytes/50000", "/blocking-bytes/50000", "/file"} {
		t.Run(p[1:], func(t *testing.T) {
			const n = 100
			h := newHouse(t, withFile(path), nil)
			c := h.dial()
			c.room = 0
			c.Feed([]byte(strings.Repeat("GET "+p+" HTTP/1.1\r\nHost: a\r\n\r\n", n)))
			most := 0
			for range 100 {
				h.loop.RunPosted()
				c.Drain()
				most = max(most, c.unsent())
			}
			if limit := 2*loop.HighWater + 2*len(fifty); most > limit {
				t.Errorf("%d octets are kept for a client that reads nothing, want %d at most", most, limit)
			}
			// The last head may leave before its content, which another goroutine makes.
			drainAll(t, h, c, 1<<30, func() bool {
				if c.unsent() > 0 || bytes.Count(c.out.Bytes(), []byte("HTTP/1.1 200 OK\r\n")) < n {
					return false
				}
				list, err := readAll(c.out.Bytes(), nil, false)
				if err != nil {
					t.Fatal(err)
				}
				return len(list) == n
			})
		})
	}
}

// TestChunksLeaveAsMade: a block is with the client before the next one is asked for.
func TestChunksLeaveAsMade(t *testing.T) {
	var c *client
	made := 0
	application := func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plainHeaders)
		return app.Seq(func(yield func([]byte) bool) {
			for i := range 5 {
				if i > 0 && !strings.HasSuffix(c.out.String(), fmt.Sprintf("chunk %d\r\n", i-1)) {
					t.Errorf("chunk %d is asked for, and the client has %q", i, c.out.String())
				}
				made++
				if !yield(fmt.Appendf(nil, "chunk %d", i)) {
					return
				}
			}
		})
	}
	c = dial(t, application, nil)
	c.Feed([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if made != 5 || !strings.HasSuffix(c.out.String(), "\r\n0\r\n\r\n") {
		t.Errorf("%d chunks were made, received %q", made, c.out.String())
	}
}

// TestAllocations: the plaintext path allocates nothing for a request.
func TestAllocations(t *testing.T) {
	for _, pipelined := range []int{1, 16} {
		request := bytes.Repeat([]byte("GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: */*\r\n\r\n"), pipelined)
		c := dial(t, plaintext, nil)
		serve := func() {
			c.out.Reset()
			c.Feed(request)
		}
		serve()
		if n := bytes.Count(c.out.Bytes(), hello); n != pipelined {
			t.Fatalf("%d responses to %d requests", n, pipelined)
		}
		if n := testing.AllocsPerRun(1000, serve); n != 0 {
			t.Errorf("%v allocations for %d requests", n, pipelined)
		}
	}
}
