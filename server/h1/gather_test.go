package h1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
)

// gatherMemory is what houses of these tests have for content; the longest content of these tests is a 16th of it.
const gatherMemory = 6 << 20

// mixed is n octets in which no two places are alike.
func mixed(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8*31 ^ i>>16*57)
	}
	return p
}

func post(path string, content []byte) []byte {
	return append(fmt.Appendf(nil, "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", path, len(content)), content...)
}

// gathering are applications whose requests have content that is there whole.
var gathering = map[string]app.Application{
	"view": func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		content, whole := environ.Input().View()
		if !whole {
			return app.String("it streams")
		}
		return environ.Bytes(content)
	},
	"read": func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return app.Reader(environ.Input())
	},
	"pieces": func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		environ.Detach()
		content, _ := environ.Input().View()
		return app.Seq(func(yield func([]byte) bool) {
			for len(content) > 0 {
				n := min(len(content), 100_000)
				if !yield(content[:n]) {
					return
				}
				content = content[n:]
			}
		})
	},
	"write": func(environ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", nil)
		_, _ = environ.Input().WriteTo(writer(write))
		return nil
	},
	"close": func(environ *app.Environ, start app.StartResponse) app.Body {
		environ.CloseConnection()
		start("200 OK", nil)
		content, _ := environ.Input().View()
		return environ.Bytes(content)
	},
}

type writer app.Write

func (w writer) Write(p []byte) (int, error) {
	_, err := w(p)
	return len(p), err
}

// gatherHouse is a house whose loop gathers.
func gatherHouse(t *testing.T, application app.Application) *house {
	h := newHouse(t, application, nil)
	h.reactor.Reload(loop.Options{GatherMemory: gatherMemory})
	return h
}

// noneGathered waits until all memory for content is given back, the garbage collector's part too.
func (h *house) noneGathered() {
	h.t.Helper()
	if !h.until(func() bool {
		if h.reactor.Gathered() == 0 {
			return true
		}
		runtime.GC()
		return false
	}) {
		h.t.Errorf("%d octets of memory for content are still in use", h.reactor.Gathered())
	}
}

// answers reads so many responses from what the client has received.
func (c *client) answers(n int) (contents [][]byte, err error) {
	in := bufio.NewReader(bytes.NewReader(c.out.Bytes()))
	for range n {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return contents, err
		}
		content, err := io.ReadAll(response.Body)
		if err != nil {
			return contents, err
		}
		contents = append(contents, content)
	}
	if in.Buffered() > 0 {
		return contents, fmt.Errorf("%d octets are behind the last answer", in.Buffered())
	}
	return contents, nil
}

// TestGather: long content comes back as it was sent, whichever way the application takes it and however client and server are out of step, and the
// memory that it was in is given back.
func TestGather(t *testing.T) {
	for name, application := range gathering {
		for _, blocking := range []bool{false, true} {
			application := application
			if blocking {
				application = app.Blocking(application)
			}
			for _, size := range []int{64<<10 + 1, gatherMemory / 16} {
				for _, step := range []int{9999, 64 << 10, 1 << 30} { // what the client sends, and takes, at a time
					for _, behind := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s/blocking=%v/%d/step=%d/behind=%v", name, blocking, size, step, behind), func(t *testing.T) {
							gather(t, application, name, size, step, behind)
						})
					}
				}
			}
		}
	}
}

func gather(t *testing.T, application app.Application, name string, size, step int, behind bool) {
	content, second := mixed(size), mixed(70_000)
	h := gatherHouse(t, application)
	c := h.dial()
	c.room = 0
	sent := post("x", content)
	want := 1
	if behind {
		sent = append(sent, post("y", second)...)
		if want = 2; name == "close" {
			want = 1
		}
	}
	for n := 0; n < len(sent); n += step {
		c.Feed(sent[n:min(n+step, len(sent))])
	}
	if used := h.reactor.Gathered(); used > gatherMemory {
		t.Errorf("%d octets of memory are in use", used)
	}
	var got [][]byte
	var err error
	if !h.until(func() bool {
		for had := -1; had != c.out.Len(); {
			had, c.room = c.out.Len(), step
			c.Drain()
			h.loop.RunPosted()
		}
		got, err = c.answers(want)
		return err == nil
	}) {
		t.Fatal(err)
	}
	if !bytes.Equal(got[0], content) || want == 2 && !bytes.Equal(got[1], second) {
		t.Error("what comes back is not what was sent")
	}
	if !h.until(func() bool { return c.isOpen() == (name != "close") }) {
		t.Errorf("is the connection open? %v", c.isOpen())
	}
	h.noneGathered()
}

// TestGatherGone: whatever the client and the application were at when the connection went away, the memory is given back, and views
// that the application still has of it stay what they are.
func TestGatherGone(t *testing.T) {
	content := mixed(gatherMemory / 16)
	sent := post("x", content)
	release := make(chan struct{})
	var view []byte
	tests := []struct {
		name        string
		application app.Application
		send        int // octets of the request
		end         func(c *client)
	}{
		{"reset inside content", nil, 300_000, func(c *client) { c.Reset() }},
		{"end of file inside content", nil, 300_000, func(c *client) { c.EOF() }},
		{"content is late", nil, 300_000, func(c *client) { c.timeout() }},
		{"reset inside the answer", gathering["view"], len(sent), func(c *client) { c.Reset() }},
		{"reset inside the answer in pieces", gathering["pieces"], len(sent), func(c *client) { c.Reset() }},
		{"reset while the application works", app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
			<-release
			if got, _ := environ.Input().View(); !bytes.Equal(got, content) {
				t.Error("the view has changed")
			}
			start("200 OK", nil)
			return nil
		}), len(sent), func(c *client) { c.Reset(); close(release) }},
		{"panic", func(*app.Environ, app.StartResponse) app.Body { panic("oops") }, len(sent), func(*client) {}},
		{"not read", answer("200 OK", "ignored"), len(sent), func(*client) {}},
		{"deferred", func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			content, _ := environ.Input().View()
			_ = d.Answer(&app.Response{Status: "200 OK", Content: bytes.Clone(content)})
			return nil
		}, len(sent), func(*client) {}},
		{"detached", func(environ *app.Environ, start app.StartResponse) app.Body {
			environ.Detach()
			view, _ = environ.Input().View()
			start("200 OK", nil)
			return nil
		}, len(sent), func(*client) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := gatherHouse(t, tt.application)
			c := h.dial()
			c.room = 1000
			c.Feed(sent[:tt.send])
			if used := h.reactor.Gathered(); tt.send < len(sent) && used == 0 {
				t.Error("nothing is gathered")
			}
			h.loop.RunPosted()
			tt.end(c)
			other := h.dial() // which has the memory next, if it was given back
			other.Feed(post("x", bytes.Repeat([]byte("other"), len(content)/5))[:300_000])
			if view != nil && !bytes.Equal(view, content) {
				t.Error("a view of a detached environ has changed")
			}
			view = nil
			other.Reset()
			c.Reset()
			h.noneGathered()
		})
	}
}

// TestGatherBudget: requests that begin when the memory is used up stream, and so do those whose client waits to be asked for the content, or has
// sent little of it; memory is set aside for what comes.
func TestGatherBudget(t *testing.T) {
	var streams atomic.Int64
	h := gatherHouse(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		if _, whole := environ.Input().View(); !whole {
			streams.Add(1)
		}
		start("200 OK", nil)
		return nil
	})
	content := mixed(gatherMemory / 16)
	sent := post("x", content)
	var slow []*client
	for range 1000 {
		c := h.dial()
		c.Feed(sent[:10_000])
		slow = append(slow, c)
	}
	if used := h.reactor.Gathered(); used != 0 {
		t.Errorf("%d octets of memory are set aside for those that have sent little", used)
	}
	for i, c := range slow[:100] {
		c.Feed(sent[10_000:100_000])
		if used, most := h.reactor.Gathered(), int64(min(i+1, 12)*512<<10); used > most {
			t.Fatalf("%d octets of memory are set aside, want %d", used, most)
		}
	}
	deadline := time.Now().Add(patience)
	for h.config.Exchange.Blocking() > 0 && time.Now().Before(deadline) { // those that stream answer without reading
		h.loop.RunPosted()
		runtime.Gosched()
	}
	if streams.Load() != 100-12 {
		t.Errorf("%d requests stream, want %d", streams.Load(), 100-12)
	}
	for _, c := range slow {
		c.Reset()
	}
	h.noneGathered()

	streams.Store(0)
	c := h.dial()
	c.Feed(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(content)))
	if !h.until(func() bool { _, err := c.answers(1); return err == nil }) || streams.Load() != 1 {
		t.Error("content that the client was not asked for is waited for")
	}
}
