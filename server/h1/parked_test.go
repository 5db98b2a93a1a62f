package h1_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/h1"
)

// parking is an application that defers what is asked of /defer, and what is asked of /block on a goroutine, and says what it was asked.
func parking(deferred chan<- app.Deferred) app.Application {
	later := func(environ *app.Environ, _ app.StartResponse) app.Body {
		d := environ.Defer()
		deferred <- d
		return nil
	}
	blocking := app.Blocking(later)
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		switch string(environ.Path()) {
		case "/defer":
			return later(environ, start)
		case "/block":
			return blocking(environ, start)
		}
		start("200 OK", nil)
		content, _ := environ.Input().View()
		return app.String(string(environ.Path()) + string(content))
	}
}

var parkedRequests = []byte("GET /a HTTP/1.1\r\nHost: a\r\n\r\n" +
	"POST /defer HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
	"\r\nPOST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n" +
	"HEAD /defer HTTP/1.1\r\nHost: a\r\n\r\n" +
	"GET /block HTTP/1.1\r\nHost: a\r\n\r\n" +
	"GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

// contents are the last lines of responses without their heads' other ones.
func contents(out string) (list []string) {
	for _, r := range strings.Split(out, "HTTP/1.1 200 OK\r\n")[1:] {
		_, content, _ := strings.Cut(r, "\r\n\r\n")
		list = append(list, content)
	}
	return list
}

// TestParkedSplit: wherever the octets of a pipeline are split, and whether an answer comes before or after the rest of
// them, responses are the same, in order.
func TestParkedSplit(t *testing.T) {
	deferred := make(chan app.Deferred, 10)
	h := newHouse(t, parking(deferred), nil)
	n := 0
	answer := func() {
		for {
			select {
			case d := <-deferred:
				n++
				_ = d.Answer(&app.Response{Status: "200 OK", Content: fmt.Append(nil, "answer ", n)})
				h.loop.RunPosted()
			default:
				return
			}
		}
	}
	want := []string{"/a", "answer 1", "/bxy", "", "answer 3", "/c"}
	for split := range parkedRequests {
		for _, early := range []bool{false, true} {
			n = 0
			c := h.dial()
			c.Feed(parkedRequests[:split])
			if early {
				answer()
			}
			c.Feed(parkedRequests[split:])
			if !h.until(func() bool { answer(); return !c.isOpen() }) {
				t.Fatalf("split at %d: the connection goes on, after %q", split, c.out.String())
			}
			if got := contents(c.out.String()); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("split at %d:\ngot  %q\nwant %q", split, got, want)
			}
			c.Reset()
		}
	}
}

// TestParkedOctetByOctet is the same with an octet at a time.
func TestParkedOctetByOctet(t *testing.T) {
	deferred := make(chan app.Deferred, 10)
	h := newHouse(t, parking(deferred), nil)
	c := h.dial()
	for i := range parkedRequests {
		c.Feed(parkedRequests[i : i+1])
	}
	for range 3 {
		if !h.until(func() bool { return len(deferred) == 1 }) {
			t.Fatalf("nothing is deferred, after %q", c.out.String())
		}
		_ = (<-deferred).Answer(&app.Response{Status: "200 OK", Content: []byte("answer")})
	}
	if !h.until(func() bool { return !c.isOpen() }) {
		t.Fatalf("the connection goes on, after %q", c.out.String())
	}
	if got, want := contents(c.out.String()), []string{"/a", "answer", "/bxy", "", "answer", "/c"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestParkedHoldsNothing: what an application sees of requests that wait does not come into the answers of others, though all
// share what they were read with.
func TestParkedHoldsNothing(t *testing.T) {
	deferred := make(chan app.Deferred, 1000)
	h := newHouse(t, parking(deferred), nil)
	var clients []*client
	for range 100 {
		c := h.dial()
		c.Feed([]byte("GET /defer HTTP/1.1\r\nHost: a\r\n\r\n"))
		clients = append(clients, c)
	}
	other := h.dial()
	for i := range clients {
		other.Feed(fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i))
		_ = (<-deferred).Answer(&app.Response{Status: "200 OK", Content: fmt.Append(nil, i)})
		h.loop.RunPosted()
		if got := contents(clients[i].out.String()); len(got) != 1 || got[0] != fmt.Sprint(i) {
			t.Fatalf("client %d has %q", i, got)
		}
	}
}

// streamedHead is the head of a request whose content is more than is read before the call.
const streamedHead = "POST /block HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n"

// streaming returns a client of such a request, which has sent some of its content, and whose answer is deferred.
func streaming(t *testing.T, change func(*h1.Config)) (*client, app.Deferred) {
	t.Helper()
	deferred := make(chan app.Deferred, 10)
	c := dial(t, parking(deferred), func(config *h1.Config) {
		config.ContentBuffer = 1000
		if change != nil {
			change(config)
		}
	})
	c.Feed([]byte(streamedHead))
	c.Feed(text("content ", 1000))
	if !c.house.until(func() bool { return len(deferred) == 1 }) {
		t.Fatal("nothing is deferred")
	}
	d := <-deferred
	c.house.loop.RunPosted()
	return c, d
}

// TestParkedBesideContent: a request may be answered by a Deferred while its content is still coming; the connection goes on behind it.
func TestParkedBesideContent(t *testing.T) {
	c, d := streaming(t, nil)
	_ = d.Answer(&app.Response{Status: "200 OK", Content: []byte("early")})
	c.house.loop.RunPosted()
	c.Feed(text("content ", 9_000))
	c.Feed([]byte("GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"))
	if got := contents(c.out.String()); fmt.Sprint(got) != "[early /behind]" {
		t.Errorf("got %q", got)
	}
}

// TestParkedContentFails: content that does not come whole is an error of the client while nothing is answered, and is never
// told in the middle of an answer.
func TestParkedContentFails(t *testing.T) {
	for _, begun := range []bool{false, true} {
		var log logged
		c, d := streaming(t, log.use)
		if begun {
			_ = d.Start("200 OK", nil)
			_, _ = d.Write([]byte("begun"))
			c.house.loop.RunPosted()
		}
		c.timeout()
		c.house.loop.RunPosted()
		out := c.out.String()
		if begun {
			_, _ = d.Write([]byte("more"))
			_ = d.Close()
			c.house.loop.RunPosted()
			out = c.out.String()
			if strings.Contains(out, "408") || !strings.HasSuffix(out, "5\r\nbegun\r\n4\r\nmore\r\n0\r\n\r\n") {
				t.Errorf("received %q", out)
			}
		} else if !strings.HasPrefix(out, "HTTP/1.1 408") || d.Close() != app.ErrGone {
			t.Errorf("received %q", out)
		}
		if c.isOpen() || strings.Count(out, "HTTP/1.1") != 1 {
			t.Errorf("open %v: %q", c.isOpen(), out)
		}
		if lines := log.lines(); strings.Count(lines, "\n") != 1 {
			t.Errorf("the log has %q", lines)
		}
	}
}

// TestParkedDeadlineBehindContent: the deadline is that of the answer again when all content is there.
func TestParkedDeadlineBehindContent(t *testing.T) {
	c, d := streaming(t, func(config *h1.Config) { config.ContentTimeout = time.Hour })
	d.SetDeadline(time.Minute, &app.Response{Status: "200 OK", Content: []byte("default")})
	c.house.loop.RunPosted()
	for range 9 {
		c.Feed(text("content ", 1000))
		c.house.loop.RunPosted()
	}
	if s := h1.StateOf(c.handler); s != h1.Answering {
		t.Fatalf("state %d: the content has not come whole", s)
	}
	c.timeout()
	c.house.loop.RunPosted()
	if got := contents(c.out.String()); fmt.Sprint(got) != "[default]" {
		t.Errorf("got %q", got)
	}
}

// TestParkedSlowReader: what is written for a client that takes nothing is told to the writer, and leaves when it takes some.
func TestParkedSlowReader(t *testing.T) {
	deferred := make(chan app.Deferred, 1)
	c := dial(t, parking(deferred), nil)
	c.room = 0
	c.Feed([]byte("GET /defer HTTP/1.1\r\nHost: a\r\n\r\nGET /behind HTTP/1.1\r\nHost: a\r\n\r\n"))
	d := <-deferred
	_ = d.Start("200 OK", []app.Header{{Name: "Content-Length", Value: "300000"}})
	want := text("0123456789", 300_000)
	for i := 0; i < len(want); i += 1000 {
		unsent, err := d.Write(want[i : i+1000])
		c.house.loop.RunPosted()
		if err != nil || unsent < i/2 {
			t.Fatalf("behind %d octets %d are unsent, %v", i, unsent, err)
		}
	}
	_ = d.Close()
	c.house.loop.RunPosted()
	c.room = -1
	c.Drain()
	c.house.loop.RunPosted()
	got := contents(c.out.String())
	if len(got) != 2 || !bytes.Equal([]byte(got[0]), want) || got[1] != "/behind" {
		t.Errorf("%d responses", len(got))
	}
}

// TestParkedReset: Done is closed when the client vanishes, and what comes later goes nowhere.
func TestParkedReset(t *testing.T) {
	for _, begun := range []bool{false, true} {
		deferred := make(chan app.Deferred, 1)
		c := dial(t, parking(deferred), nil)
		c.Feed([]byte("GET /defer HTTP/1.1\r\nHost: a\r\n\r\n"))
		d := <-deferred
		if begun {
			_ = d.Start("200 OK", nil)
			_, _ = d.Write([]byte("x"))
		} else {
			_ = d.Answer(&app.Response{Status: "200 OK"})
		}
		select {
		case <-d.Done():
			t.Error("Done is closed while the client waits")
		default:
		}
		c.Reset()
		<-d.Done()
		c.house.loop.RunPosted()
		if c.out.Len() > 0 {
			t.Errorf("sent %q", c.out.String())
		}
	}
}

// TestParkedSize: very many requests wait. The allocator has 112 octets, and then 128.
func TestParkedSize(t *testing.T) {
	if h1.ParkedSize > 112 {
		t.Errorf("a request that waits takes %d octets", h1.ParkedSize)
	}
}
