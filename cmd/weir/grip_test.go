package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestGripKey: the key is not among what weir config prints.
func TestGripKey(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := runToEnd(t, "config", "run", "app:app", "--grip", "--grip-key", "hush", "--admin", "127.0.0.1:0")
	if status != 0 || strings.Contains(stdout, "hush") || !strings.Contains(stdout, "# grip-key") {
		t.Errorf("exit %d, %s\n%s", status, stderr, stdout)
	}
}

// TestGripPublish: what publishes is at the address for operators, and not where the application is.
func TestGripPublish(t *testing.T) {
	t.Parallel()
	at := "unix:" + filepath.Join(t.TempDir(), "admin")
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--grip", "--grip-key", "hush", "--grip-require-token", "--admin", at)
	if r := askAt(t, at, "POST", "/publish/"); r.StatusCode != 403 {
		t.Errorf("without a token: %s %q", r.Status, r.body)
	}
	if r := askAt(t, at, "GET", "/publish"); r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s %q", r.Status, r.body)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
