package deploy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub/nats/embedded"
)

// cluster is three weirs on one hub, behind a proxy.
type cluster struct {
	*proxy
	hub   []string // options of the weirs
	third string   // address; the others are the proxy's
}

// node starts a weir of the cluster, and waits until its hub is ready.
func (c *cluster) node(address string) (*process, string) {
	c.t.Helper()
	p, at := weir(c.t, address, c.hub...)
	p.until("the hub is ready", func() bool { return strings.Contains(p.out.String(), "hub: ready") })
	return p, at
}

// publish publishes a number, and tells its id.
func (c *cluster) publish(at string, n int) (id uint64) {
	c.t.Helper()
	response, err := client().Post("http://"+at+"/publish/news", "text/plain", strings.NewReader(fmt.Sprint(n)))
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, _ := io.ReadAll(response.Body)
	var answer struct{ ID uint64 }
	if err := json.Unmarshal(content, &answer); err != nil {
		c.t.Fatalf("publishing %d: %s %s", n, response.Status, content)
	}
	return answer.ID
}

// waiter is a client that goes on, by whatever connection, with the last id that it has.
type waiter struct {
	url   string
	since uint64
	next  int // the number that it gets next
	got   atomic.Int64
}

// poll asks until it has so many.
func (w *waiter) poll(end int) error {
	for deadline := time.Now().Add(patience); w.next < end; {
		response, err := client().Get(fmt.Sprintf("http://%s/poll/news?timeout=20&since=%d", w.url, w.since))
		if err != nil {
			return err
		}
		var m struct {
			ID   uint64
			Data string
		}
		content, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 || err != nil { // its weir ends
			if time.Now().After(deadline) {
				return fmt.Errorf("%s %s, %v", response.Status, content, err)
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err := json.Unmarshal(content, &m); err != nil {
			return err
		}
		if err := w.take(m.ID, m.Data); err != nil {
			return err
		}
	}
	return nil
}

// stream reads until it has so many.
func (w *waiter) stream(end int) error {
	for deadline := time.Now().Add(patience); w.next < end; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("it has %d messages", w.next)
		}
		request, err := http.NewRequest("GET", "http://"+w.url+"/events/news", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Last-Event-ID", fmt.Sprint(w.since))
		response, err := client().Do(request)
		if err != nil {
			return err
		}
		var id uint64
		for lines := bufio.NewScanner(response.Body); response.StatusCode == 200 && w.next < end && lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				_, _ = fmt.Sscan(text, &id)
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := w.take(id, data); err != nil {
					return err
				}
			}
		}
		_ = response.Body.Close()
	}
	return nil
}

func (w *waiter) take(id uint64, data string) error {
	if data != fmt.Sprint(w.next) || id <= w.since {
		return fmt.Errorf("message %d is %q, with the id %d behind %d", w.next, data, id, w.since)
	}
	w.since = id
	w.next++
	w.got.Store(int64(w.next))
	return nil
}

// TestCluster: clients of three weirs behind a proxy get every message once and in order, whichever weir they are led to, and while one is
// taken out and put back.
func TestCluster(t *testing.T) {
	engine, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Stop)
	for _, kind := range []string{"nginx", "haproxy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := &cluster{proxy: &proxy{t: t, at: vacant(t)}, hub: []string{"--hub", engine.URL(), "--hub-stream", kind, "--graceful-timeout", "5s", "--drain-idle", "100ms"}}
			for i := range c.weirs {
				c.weirs[i], c.address[i] = c.node("127.0.0.1:0")
			}
			_, c.third = c.node("127.0.0.1:0")
			if kind == "nginx" {
				c.nginx("server 127.0.0.1:8001 max_fails=0;", "server "+c.address[1]+" max_fails=0; server "+c.third+" max_fails=0;")
			} else {
				haproxy(t, c.proxy, "haproxy.cfg", "server two 127.0.0.1:8001 check inter 500ms",
					"server two "+c.address[1]+" check inter 500ms\n    server three "+c.third+" check inter 500ms")
			}
			since := c.publish(c.third, -1)

			const messages = 30
			waiters := make([]*waiter, 9)
			failed := make(chan error, len(waiters))
			for i := range waiters {
				w := &waiter{url: c.at, since: since}
				waiters[i] = w
				run := w.stream
				if i%3 == 0 {
					run = w.poll
				}
				go func() { failed <- run(messages) }()
			}
			all := func(n int) {
				t.Helper()
				c.weirs[0].until(fmt.Sprintf("all have %d messages", n), func() bool {
					for _, w := range waiters {
						if w.got.Load() < int64(n) {
							return false
						}
					}
					return true
				})
			}
			for n := range 10 {
				c.publish(c.at, n)
			}
			all(10)
			out := c.weirs[1]
			_ = out.Process.Signal(syscall.SIGTERM)
			<-out.ended
			for n := 10; n < 20; n++ {
				c.publish(c.at, n)
			}
			all(20)
			back, _ := c.node(c.address[1])
			for n := 20; n < messages; n++ {
				c.publish([]string{c.at, c.address[1]}[n%2], n)
			}
			all(messages)
			for range waiters {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
			select {
			case <-back.ended:
				t.Error("the weir that was put back has ended")
			default:
			}
		})
	}
}
