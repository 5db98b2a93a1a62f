package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sees waits until p has written what a pattern matches, and returns its group.
func (p *process) sees(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(p.stderr.String()); m != nil {
			return m[1]
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("weir does not say %s:\n%s", pattern, p.stderr.String())
		}
	}
}

// TestEmbeddedHub: one weir has the engine, another uses it, and so do publish and tail.
func TestEmbeddedHub(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	serve := func(at string) (p *process, url string) {
		p = start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes", "--hub", "embedded", "--hub-store", store, "--hub-listen", at)
		return p, p.sees(`(nats://[0-9.:]+)`)
	}
	first, url := serve(ownHost() + ":0")
	operators := filepath.Join(t.TempDir(), "admin")
	second := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes", "--hub", url, "--admin", "unix:"+operators)
	ready := func(status int) (body string) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			r := askAt(t, "unix:"+operators, "GET", "/readyz")
			if r.StatusCode == status {
				return r.body
			}
			if time.Now().After(deadline) {
				t.Fatalf("/readyz: %s %s", r.Status, r.body)
			}
		}
	}
	ready(200)
	first.sees(`(hub: ready)`)
	poll := second.get("/poll/news?timeout=60")
	second.await(1)
	id := first.publish("news", "one", 0).ID
	if r := <-poll; !strings.Contains(r.body, `"data":"one"`) {
		t.Errorf("a poll on another node got %s %s", r.Status, r.body)
	}

	status, out, said := runToEnd(t, "publish", "--hub", url, "news", "two")
	if n, err := strconv.ParseUint(strings.TrimSpace(out), 10, 64); status != 0 || err != nil || n <= id {
		t.Errorf("publish: %d, %q, %s", status, out, said)
	}
	publish := exec.Command(binary, "publish", "--hub", url, "news")
	publish.Stdin = strings.NewReader("three")
	if out, err := publish.CombinedOutput(); err != nil {
		t.Errorf("publish: %v, %s", err, out)
	}
	status, out, said = runToEnd(t, "tail", "--hub", url, "news", "--since", "0", "--count", "3")
	if status != 0 || out != "one\ntwo\nthree\n" {
		t.Errorf("tail: %d, %q, %s", status, out, said)
	}
	status, out, said = runToEnd(t, "tail", "--hub", url, "news", "--since", fmt.Sprint(id), "-n", "1", "--ids")
	if status != 0 || !strings.HasSuffix(out, "\ttwo\n") {
		t.Errorf("tail: %d, %q, %s", status, out, said)
	}

	poll = second.get("/poll/news?timeout=60")
	second.await(1)
	first.stop()
	if body := ready(503); !strings.Contains(body, "hub: ") {
		t.Errorf("/readyz says %q", body)
	}
	if r := second.ask("POST", "/publish/news", "Content-Length: 0\r\n\r\n"); r.StatusCode != 503 {
		t.Errorf("publishing without NATS: %s %s", r.Status, r.body)
	}
	_, address, _ := strings.Cut(url, "//")
	first, _ = serve(address)
	ready(200)
	first.sees(`(hub: ready)`)
	first.publish("news", "four", 0)
	if r := <-poll; !strings.Contains(r.body, `"data":"four"`) {
		t.Errorf("the poll that waited meanwhile got %s %s", r.Status, r.body)
	}
	if r := first.ask("GET", "/poll/news?since="+fmt.Sprint(id)); !strings.Contains(r.body, `"data":"two"`) {
		t.Errorf("what was there before has become %s %s", r.Status, r.body)
	}
}

// TestHubWildcards: clients name many topics at once when the option says so, wherever the messages are.
func TestHubWildcards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"memory", nil},
		{"embedded", []string{"--hub", "embedded", "--hub-listen", "127.0.0.1:0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, nil, append([]string{"demo", "--bind", "127.0.0.1:0", "--test-routes", "--hub-wildcards"}, c.args...)...)
			if c.args != nil {
				p.sees(`(hub: ready)`)
			}
			poll := p.get("/poll/room.*?timeout=60")
			p.await(1)
			p.post("other", "none")
			p.post("room.1.typing", "none")
			id := p.publish("room.1", "one", 1).ID
			if r := <-poll; !strings.Contains(r.body, `"topic":"room.1","data":"one"`) {
				t.Errorf("a poll got %s %s", r.Status, r.body)
			}
			p.post("room.2", "two")
			if r := p.ask("GET", fmt.Sprint("/poll/room.%3E?since=", id)); !strings.Contains(r.body, `"topic":"room.2","data":"two"`) {
				t.Errorf("behind %d a poll got %s %s", id, r.Status, r.body)
			}
			if c.args == nil {
				return
			}
			url := p.sees(`(nats://[0-9.:]+)`)
			status, out, said := runToEnd(t, "tail", "--hub", url, "--hub-wildcards", "room.*", "--since", "0", "-n", "2")
			if status != 0 || out != "room.1\tone\nroom.2\ttwo\n" {
				t.Errorf("tail: %d, %q, %s", status, out, said)
			}
			status, _, said = runToEnd(t, "tail", "--hub", url, "--hub-wildcards", "room.>.1", "-n", "2")
			if status != 2 || !strings.Contains(said, "the wildcard > must be the last token") {
				t.Errorf("tail: %d, %s", status, said)
			}
		})
	}
}

// TestPublishAtTheEnd: a request that weir finishes when it ends may publish, where the messages outlive it; else it is told.
func TestPublishAtTheEnd(t *testing.T) {
	t.Parallel()
	engine := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--hub", "embedded", "--hub-listen", "127.0.0.1:0")
	url := engine.sees(`(nats://[0-9.:]+)`)
	for _, c := range []struct {
		name   string
		args   []string
		status int
	}{
		{"memory", nil, 503},
		{"embedded", []string{"--hub", "embedded"}, 503},
		{"embedded, with a directory", []string{"--hub", "embedded", "--hub-store", t.TempDir()}, 200},
		{"nats", []string{"--hub", url}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, nil, append([]string{"demo", "--bind", "127.0.0.1:0", "--test-routes"}, c.args...)...)
			if c.args != nil {
				p.sees(`(hub: ready)`)
			}
			poll := p.get("/poll/other?timeout=60")
			p.await(1)
			conn := dialTo(t, p.at[0])
			defer conn.Close()
			if _, err := io.WriteString(conn, "POST /publish/end HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") { // it is under way
				t.Fatalf("%q, %v", line, err)
			}
			ended := make(chan int, 1)
			go func() { ended <- p.stop() }()
			if r := <-poll; r.StatusCode != 503 {
				t.Errorf("who waited got %s", r.Status)
			}
			if _, err := io.WriteString(conn, "last"); err != nil {
				t.Fatal(err)
			}
			_, _ = r.ReadString('\n')
			answer, err := http.ReadResponse(r, nil)
			if err != nil || answer.StatusCode != c.status {
				t.Errorf("publishing gives %v, %v; want %d", answer, err, c.status)
			}
			_ = conn.Close()
			if status := <-ended; status != 0 {
				t.Errorf("it has ended with %d", status)
			}
			if c.name != "nats" {
				return
			}
			if _, out, said := runToEnd(t, "tail", "--hub", url, "end", "--since", "0", "-n", "1"); out != "last\n" {
				t.Errorf("tail: %q, %s", out, said)
			}
		})
	}
}

// TestTailEnds: by a signal, and when nobody reads.
func TestTailEnds(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--hub", "embedded", "--hub-listen", "127.0.0.1:0")
	url := p.sees(`(nats://[0-9.:]+)`)
	p.sees(`(hub: ready)`)
	for range 3 {
		p.post("news", "one")
	}
	for _, c := range []struct {
		name string
		end  func(tail *exec.Cmd, out *os.File)
		by   syscall.Signal
	}{
		{"interrupted", func(tail *exec.Cmd, _ *os.File) { _ = tail.Process.Signal(syscall.SIGINT) }, syscall.SIGINT},
		{"nobody reads", func(_ *exec.Cmd, out *os.File) {
			_ = out.Close()
			p.post("news", "unread")
		}, syscall.SIGPIPE},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			tail := exec.Command(binary, "tail", "--hub", url, "news", "--since", "0")
			tail.Stdout = w
			if err := tail.Start(); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			timer := time.AfterFunc(patience, func() { _ = tail.Process.Kill() })
			defer timer.Stop()
			if _, err := r.Read(make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			c.end(tail, r)
			_ = tail.Wait()
			if status := tail.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != c.by {
				t.Errorf("it has ended by %v", tail.ProcessState)
			}
		})
	}
}

// post publishes, whoever waits.
func (p *process) post(topic, message string) {
	p.t.Helper()
	r := p.ask("POST", "/publish/"+topic, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(message), message))
	var answer published
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		p.t.Fatalf("publish: %s %s", r.Status, r.body)
	}
}

// TestHubOptions: what is wrong is told in a line, with the option.
func TestHubOptions(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"demo --hub redis", 2, "--hub must be memory, embedded or nats://"},
		{"demo --hub nats://u:secret@", 2, "names no host"},
		{"demo --hub nats://127.0.0.1 --hub-stream a.b", 2, "--hub-stream"},
		{"demo --hub nats://127.0.0.1 --hub-cert x", 2, "--hub-key"},
		{"demo --hub nats://127.0.0.1 --hub-creds none.creds", 1, "--hub-creds"},
		{"demo --hub nats://127.0.0.1 --hub-ca " + text, 1, "--hub-ca"},
		{"demo --hub-max-messages 0", 2, "--hub-max-messages"},
		{"demo --hub-creds x", 2, "--hub nats://"},
		{"demo --hub embedded --hub-listen x", 2, "--hub-listen"},
		{"demo --hub embedded --hub-listen " + l.Addr().String(), 1, "--hub embedded: the server does not start"},
		{"demo --hub embedded --hub-routes 127.0.0.1:1", 2, "--hub-cluster-listen"},
		{"demo --hub embedded --hub-cluster-listen 127.0.0.1:0", 2, "--hub-store"},
		{"demo --hub embedded --hub-store " + t.TempDir() + " --hub-cluster-listen :secret@:x", 2, "--hub-cluster-listen"},
		{"demo --hub embedded --hub-store " + text, 1, "--hub-store"},
		{"demo --hub embedded --hub-ca " + text, 2, "--hub-cluster-listen"},
		{"demo --hub embedded --hub-store " + t.TempDir() + " --hub-cluster-listen 127.0.0.1:0 --hub-ca " + text, 2, "--hub-cert"},
		{"publish news one", 2, "--hub"},
		{"publish --hub nats://127.0.0.1:1 --timeout 50ms news one", 1, "--hub: hub: NATS is not available: not connected"},
		{"publish --hub nats://127.0.0.1:1 --timeout 50ms a\x01 one", 2, "topic"},
		{"tail --hub nats://127.0.0.1:1 --timeout 50ms news", 1, "--hub: hub: NATS is not available: not connected"},
		{"publish --hub nats://127.0.0.1:1 news " + strings.Repeat("x", 65537), 2, "65536 octets"},
		{"tail --hub nats://127.0.0.1:1 news --since x", 2, "--since"},
	} {
		args := strings.Fields(c.args)
		if args[0] == "demo" {
			args = append(args, "--bind", "127.0.0.1:0")
		}
		status, _, said := runToEnd(t, args...)
		lines := strings.Split(strings.TrimSpace(said), "\n")
		if last := lines[len(lines)-1]; status != c.status || !strings.HasPrefix(last, "weir: ") || !strings.Contains(last, c.says) || strings.Contains(said, "secret") {
			t.Errorf("weir %s: %d\n%s", c.args, status, said)
		}
	}
}
