package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUpgradeEmbeddedHub: two processes cannot have one directory of messages. The successor says so and ends, and the old weir goes on, with its
// clients and its messages.
func TestUpgradeEmbeddedHub(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	args := []string{"demo", "-b", "127.0.0.1:0", "--hub", "embedded", "--hub-store", store}
	l := startLine(t, binary, args...)
	l.logs(1, "hub: ready")
	post := func(l *line, message string) {
		t.Helper()
		if r := askAt(t, l.at[0], "POST", "/publish/news", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(message), message)); r.StatusCode != 200 {
			t.Fatalf("publishing gives %s %q", r.Status, r.body)
		}
	}
	has := func(l *line, messages ...string) {
		t.Helper()
		since := "0"
		for _, message := range messages {
			r := l.ask(0, "/poll/news?timeout=0&since="+since)
			if !strings.Contains(r.body, fmt.Sprintf(`"data":%q`, message)) {
				t.Fatalf("behind %s there is %s %q, want %s", since, r.Status, r.body, message)
			}
			since = strings.TrimPrefix(r.body[:strings.Index(r.body, ",")], `{"id":`)
		}
	}
	post(l, "one")
	poll := make(chan reply, 1)
	go func() { poll <- l.ask(0, "/poll/other?timeout=60") }()
	for n := 1; n <= 2; n++ {
		l.signal(syscall.SIGUSR2)
		l.logs(n, "it has ended: exit status 1")
		l.logs(n, "weir: --hub-store: "+store+" is used by another process\n")
	}
	if len(l.pids()) != 1 {
		t.Errorf("%d have served", len(l.pids()))
	}
	post(l, "two")
	has(l, "one", "two")
	if r := askAt(t, l.at[0], "POST", "/publish/other", "Content-Length: 4\r\n\r\nnews"); r.StatusCode != 200 {
		t.Errorf("publishing gives %s", r.Status)
	}
	if r := <-poll; !strings.Contains(r.body, `"data":"news"`) {
		t.Errorf("who waited meanwhile got %s %q", r.Status, r.body)
	}
	l.end()
	again := startLine(t, binary, args...)
	again.logs(1, "hub: ready")
	has(again, "one", "two")
	again.end()
}

// TestUpgradeEmbeddedMemory: without a directory each process has messages of its own, as with --hub memory.
func TestUpgradeEmbeddedMemory(t *testing.T) {
	t.Parallel()
	l := startLine(t, binary, "demo", "-b", "127.0.0.1:0", "--hub", "embedded")
	l.logs(1, "hub: ready")
	l.upgrade()
	l.logs(2, "hub: ready")
	l.until("a message to be taken", func() bool { // the old one may have the connection: it says 503
		return askAt(t, l.at[0], "POST", "/publish/news", "Content-Length: 3\r\n\r\none").StatusCode == 200
	})
	l.end()
}
