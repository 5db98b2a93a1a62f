package grip_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/grip"
)

// TestGone: the gone link is asked with POST when a client has left, and when it was answered.
func TestGone(t *testing.T) {
	gone := make(chan string, 10)
	w := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/gone") {
			gone <- r.Method + " " + r.URL.RequestURI()
			return
		}
		w.Header().Set("Grip-Hold", r.URL.Path[1:])
		w.Header().Set("Grip-Channel", "a")
		w.Header().Set("Grip-Link", "</gone?who="+r.URL.Path[1:]+">; rel=gone")
	})
	left, answered := w.get(t, "/stream"), w.get(t, "/response")
	w.held(t, "a", 2)
	_ = left.conn.Close()
	if got := <-gone; got != "POST /gone?who=stream" {
		t.Error(got)
	}
	w.publish(`{"channel":"a","http-response":{"body":"x"}}`)
	answered.answer()
	if got := <-gone; got != "POST /gone?who=response" {
		t.Error(got)
	}
}

// TestWithoutContent: a stream whose response has no content ends with its head, and the connection goes on.
func TestWithoutContent(t *testing.T) {
	w := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plain" {
			_, _ = io.WriteString(w, "plain")
			return
		}
		w.Header().Set("Grip-Hold", "stream")
		w.Header().Set("Grip-Channel", "a")
		w.Header().Set("Grip-Status", r.URL.Path[1:])
		if r.Method == "HEAD" {
			w.Header().Set("Content-Encoding", "gzip")
			return
		}
		_, _ = io.WriteString(w, "open\n")
	})
	for _, c := range []struct {
		method string
		status int
	}{{"HEAD", 200}, {"GET", 204}, {"GET", 205}, {"GET", 304}, {"HEAD", 204}} {
		client := dial(t, w.address, fmt.Sprintf("%s /%d HTTP/1.1\nHost: a\n\nGET /plain HTTP/1.1\nHost: a\n\n", c.method, c.status))
		r, err := http.ReadResponse(client.r, &http.Request{Method: c.method})
		if err != nil || r.StatusCode != c.status {
			t.Fatalf("%v: %v, %v", c, r, err)
		}
		if r, content := client.answer(); r.StatusCode != 200 || content != "plain" {
			t.Errorf("%v: behind it %s %q", c, r.Status, content)
		}
	}
	if n := w.proxy.Channels(); n != 0 {
		t.Errorf("%d channels are left", n)
	}
}

// TestEnds: a stream that ends of itself, and not because of a message, is not left in the hub.
func TestEnds(t *testing.T) {
	for _, c := range []struct{ name, link, fields, want string }{
		{"the last page", "/page", "", "open\npage\n"},
		{"a page that cannot be", "/page", "response", "open\n"},
		{"a link elsewhere", "//other/page", "", "open\n"},
		{"closed meanwhile", "/page", "stream", "open\npage\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w *weir
			w = handler(t, func(out http.ResponseWriter, r *http.Request) {
				out.Header().Set("Grip-Channel", "a")
				if r.URL.Path == "/page" {
					out.Header()["Grip-Hold"] = strings.Fields(c.fields)
					_, _ = io.WriteString(out, "page\n")
					if c.fields == "stream" {
						w.publish(`{"channel":"a","http-stream":{"action":"close"}}`)
					}
					return
				}
				out.Header().Set("Grip-Hold", "stream")
				out.Header().Set("Grip-Link", "<"+c.link+">; rel=next")
				_, _ = io.WriteString(out, "open\n")
			})
			client := w.get(t, "/")
			w.held(t, "a", 1)
			w.publish(`{"channel":"a","http-stream":{"action":"hint"}}`)
			if _, content := client.answer(); content != c.want {
				t.Errorf("got %q", content)
			}
			eventually(t, "nothing is left in the hub", func() bool { return w.hub.Stats() == hub.Stats{Published: w.hub.Stats().Published} })
		})
	}
}

// TestElsewhere: links to another host are not followed, and the stream ends.
func TestElsewhere(t *testing.T) {
	for _, link := range []string{"http://127.0.0.2:9/x", "https://example.com/x", "//other/x", "http://example.com:81/x"} {
		w := handler(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Grip-Link", "<"+link+">; rel=next")
			_, _ = io.WriteString(w, "open\n")
		})
		if _, content := w.get(t, "/").answer(); content != "open\n" {
			t.Errorf("%s: %q", link, content)
		}
	}
}

// TestOwnHost: links to the application itself are followed, however they name it.
func TestOwnHost(t *testing.T) {
	for _, link := range []string{"/x", "x", "//example.com/x", "http://example.com/x", "http://EXAMPLE.com/x", "HTTP://example.com:80/x", "http://example.com:/x"} {
		w := handler(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x" {
				_, _ = io.WriteString(w, "page of "+r.Host+"\n")
				return
			}
			w.Header().Set("Grip-Link", "<"+link+">; rel=next")
			_, _ = io.WriteString(w, "open\n")
		})
		if _, content := w.get(t, "/").answer(); content != "open\npage of example.com\n" {
			t.Errorf("%s: %q", link, content)
		}
	}
}

// TestLeftWhileAsked: a client leaves while the application is asked what it has missed.
func TestLeftWhileAsked(t *testing.T) {
	for _, mode := range []string{"response", "stream"} {
		t.Run(mode, func(t *testing.T) {
			asked, goOn := make(chan bool, 1), make(chan bool)
			w := handler(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Grip-Hold", mode)
				w.Header().Set("Grip-Channel", "a; prev-id=1")
				w.Header().Set("Grip-Link", "</next>; rel=next")
				if r.Header.Get("Grip-Last") != "" {
					asked <- true
					<-goOn
				}
			})
			c := w.get(t, "/")
			w.held(t, "a", 1)
			w.publish(`{"channel":"a","id":"3","prev-id":"2","formats":{"http-response":{"body":"x"},"http-stream":{"content":"x"}}}`)
			<-asked
			_ = c.conn.Close()
			if mode == "stream" {
				w.held(t, "a", 0) // the client is known to have left
			}
			close(goOn)
			w.held(t, "a", 0)
			eventually(t, "nothing is left in the hub", func() bool { return w.hub.Stats().Streams == 0 && w.hub.Stats().Topics == 0 })
		})
	}
}

// TestRepeated: a response hold is asked again with its content, and one whose content was not kept gets its own answer.
func TestRepeated(t *testing.T) {
	var asked atomic.Int32
	w := handler(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		if asked.Add(1) == 1 {
			w.Header().Set("Grip-Hold", "response")
			w.Header().Set("Grip-Channel", "a")
		}
		fmt.Fprintf(w, "%s %s %d %s", r.Method, r.URL.RequestURI(), len(content), r.Header.Get("X-Own"))
	})
	for _, n := range []int{3, 100_000} {
		asked.Store(0)
		c := dial(t, w.address, fmt.Sprintf("POST /x?y=z HTTP/1.1\nHost: a\nX-Own: 1\nContent-Length: %d\n\n", n)+strings.Repeat("c", n))
		w.held(t, "a", 1)
		w.publish(`{"channel":"a","http-response":{"action":"hint"}}`)
		r, content := c.answer()
		if want := fmt.Sprintf("POST /x?y=z %d 1", n); r.StatusCode != 200 || content != want {
			t.Errorf("%s %q, want %q", r.Status, content, want)
		}
		if times := asked.Load(); n < 100 && times != 2 || n > 100 && times != 1 {
			t.Errorf("%d octets: asked %d times", n, times)
		}
	}
}

// TestSlow: a client that takes nothing is sent no more than fits, and gets all of it in order when it reads.
func TestSlow(t *testing.T) {
	t.Parallel()
	w := handler(t, instructions)
	r := w.get(t, "/stream?channel=a").response()
	w.held(t, "a", 1)
	expect(t, r.Body, "open\n")
	const messages, size, behind = 40, 100_000, 5 // the history has 1 MiB of a topic
	for i := range messages + behind {
		if i < messages {
			item := fmt.Sprintf(`{"channel":"a","http-stream":{"content":"%05d%s"}}`, i, strings.Repeat("x", size-5))
			if _, _, err := w.hub.Publish("grip:a", []byte(item)); err != nil {
				t.Fatal(err)
			}
		}
		if i < behind {
			continue
		}
		got := make([]byte, size)
		if _, err := io.ReadFull(r.Body, got); err != nil || string(got[:5]) != fmt.Sprintf("%05d", i-behind) {
			t.Fatalf("message %d: %q, %v", i-behind, got[:5], err)
		}
	}
}

// TestTooSlow: one for whom the history does not reach back is disconnected in order, and holds nothing.
func TestTooSlow(t *testing.T) {
	t.Parallel()
	topics := hub.New(hub.Options{MaxMessage: 1_000_000, Memory: hub.MemoryOptions{Messages: 2}})
	w := serveWith(t, topics, grip.Options{}, nethttp.Application(http.HandlerFunc(instructions)))
	r := w.get(t, "/stream?channel=a").response()
	w.held(t, "a", 1)
	const n, size = 30, 500_000 // more than the system's buffers have room for
	item := []byte(`{"channel":"a","http-stream":{"content":"` + strings.Repeat("x", size) + `"}}`)
	for range n {
		if _, _, err := topics.Publish("grip:a", item); err != nil {
			t.Fatal(err)
		}
	}
	content, err := io.ReadAll(r.Body)
	if err != nil || len(content) >= n*size {
		t.Errorf("%d octets of %d, %v", len(content), n*size, err)
	}
	w.held(t, "a", 0)
}

// TestCompressed: what an application has compressed is sent as it was, since messages follow that are not compressed.
func TestCompressed(t *testing.T) {
	w := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Grip-Hold", "stream")
		w.Header().Set("Grip-Channel", "a")
		w.Header().Set("Content-Encoding", "gzip")
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, "open\n")
		_ = z.Close()
		_, _ = w.Write(b.Bytes())
	})
	r := w.get(t, "/").response()
	if coding := r.Header.Get("Content-Encoding"); coding != "" {
		t.Error(coding)
	}
	expect(t, r.Body, "open\n")
	w.held(t, "a", 1)
	w.publish(`{"channel":"a","http-stream":{"content":"one\n"}}`)
	expect(t, r.Body, "one\n")
}

// TestPrefix: publishers name channels with the prefix, applications without.
func TestPrefix(t *testing.T) {
	w := serve(t, grip.Options{Prefix: "site-"}, nethttp.Application(http.HandlerFunc(instructions)))
	r := w.get(t, "/stream?channel=a").response()
	w.held(t, "site-a", 1)
	w.publish(`{"channel":"a","http-stream":{"content":"no\n"}},{"channel":"site-a","http-stream":{"content":"yes\n"}}`)
	expect(t, r.Body, "open\nyes\n")
}

// TestOnce: messages with ids reach each stream once and in order, while publishers are late, clients come and go, and the application is asked
// for what they have missed.
func TestOnce(t *testing.T) {
	t.Parallel()
	const messages, clients = 150, 8
	var mu sync.Mutex
	published := 0 // what the application knows
	w := handler(t, func(w http.ResponseWriter, r *http.Request) {
		last := -1
		if _, id, ok := strings.Cut(r.Header.Get("Grip-Last"), "last-id="); ok {
			_, _ = fmt.Sscan(id, &last)
		}
		mu.Lock()
		n := published
		mu.Unlock()
		if last < 0 {
			last = 0 // a new client wants all
		}
		w.Header().Set("Grip-Hold", "stream")
		w.Header().Set("Grip-Channel", fmt.Sprintf("a; prev-id=%d", n))
		w.Header().Set("Grip-Link", "</next>; rel=next")
		for i := last + 1; i <= n; i++ {
			fmt.Fprintf(w, "%d\n", i)
		}
	})
	var want strings.Builder
	for i := range messages {
		fmt.Fprintf(&want, "%d\n", i+1)
	}
	var all sync.WaitGroup
	for range clients {
		r := w.get(t, "/").response()
		all.Go(func() {
			got := make([]byte, want.Len())
			if n, err := io.ReadFull(r.Body, got); err != nil || string(got) != want.String() {
				t.Errorf("%d octets, %v:\n%s", n, err, got[:n])
			}
		})
	}
	for i := 1; i <= messages; i++ {
		mu.Lock()
		published = i
		mu.Unlock()
		if i%7 == 0 && i < messages { // this one is lost on the way
			continue
		}
		noSeq := i%5 == 0 // out of turn, too
		w.publish(fmt.Sprintf(`{"channel":"a","id":"%d","prev-id":"%d","no-seq":%t,"http-stream":{"content":"%d\n"}}`, i, i-1, noSeq, i))
		if i%40 == 0 {
			late := w.get(t, "/")
			all.Go(func() { _, _ = io.CopyN(io.Discard, late.r, 10); _ = late.conn.Close() })
		}
	}
	all.Wait()
}

// TestNothingLeft: no goroutine is left of very many holds.
func TestNothingLeft(t *testing.T) {
	w := handler(t, instructions)
	w.get(t, "/response?channel=warm")
	w.held(t, "warm", 1)
	before := runtime.NumGoroutine()
	var clients []*client
	for i := range 200 {
		clients = append(clients, w.get(t, []string{"/stream", "/response"}[i%2]+"?channel=a"))
	}
	w.held(t, "a", 200)
	if n := runtime.NumGoroutine(); n > before+50 {
		t.Errorf("%d goroutines for 200 holds", n-before)
	}
	for _, c := range clients {
		_ = c.conn.Close()
	}
	w.held(t, "a", 0)
	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before+5 })
}

// TestKeepAlivePauses: signs of life do not pile up for a client that takes nothing, and are there for one that does.
func TestKeepAlivePauses(t *testing.T) {
	t.Parallel()
	w := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Grip-Hold", "stream")
		w.Header().Set("Grip-Channel", "a")
		w.Header().Set("Grip-Keep-Alive", "life; timeout=1")
	})
	r := w.get(t, "/").response()
	began := time.Now()
	expect(t, r.Body, "life")
	if d := time.Since(began); d < 500*time.Millisecond {
		t.Errorf("a sign of life after %v", d)
	}
}

// TestPages: each page behind a next link says anew when the next one is due, and how often there are signs of life.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		first, then http.Header
		want        string
	}{
		{"next", http.Header{"Grip-Link": {"</next>; rel=next; timeout=1"}}, http.Header{"Grip-Link": {"</next>; rel=next; timeout=1"}}, "open\npage\npage\npage\n"},
		{"next and life", http.Header{"Grip-Link": {"</next>; rel=next; timeout=1"}, "Grip-Keep-Alive": {"life; timeout=50"}},
			http.Header{"Grip-Link": {"</next>; rel=next; timeout=1"}, "Grip-Keep-Alive": {"life; timeout=50"}}, "open\npage\npage\npage\n"},
		{"sooner", http.Header{"Grip-Link": {"</next>; rel=next; timeout=1"}}, http.Header{"Grip-Keep-Alive": {"life; timeout=1; mode=interval"}}, "open\npage\nlifelife"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := handler(t, func(w http.ResponseWriter, r *http.Request) {
				fields, content := c.first, "open\n"
				if r.URL.Path == "/next" {
					fields, content = c.then, "page\n"
				}
				for name, values := range fields {
					w.Header()[name] = values
				}
				w.Header().Set("Grip-Hold", "stream")
				w.Header().Set("Grip-Channel", "a")
				_, _ = io.WriteString(w, content)
			})
			client := w.get(t, "/")
			_ = client.conn.SetDeadline(time.Now().Add(20 * time.Second)) // before the clock of the page before is due
			expect(t, client.response().Body, c.want)
		})
	}
}
