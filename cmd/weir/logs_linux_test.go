package main

import (
	"strings"
	"testing"
	"time"
)

// TestAccessLogFullDisk: the server goes on, and says so once.
func TestAccessLogFullDisk(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--access-log", "/dev/full")
	for range 2 {
		p.ask("GET", "/plaintext")
		time.Sleep(700 * time.Millisecond) // until it was written, or not
	}
	if r := p.ask("GET", "/plaintext"); r.body != "Hello, World!" {
		t.Errorf("got %q", r.body)
	}
	if status := p.stop(); status != 0 || strings.Count(p.stderr.String(), "no space left") != 1 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
