package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAdmin: operators ask on a listener of their own, which is there until the requests that run have ended.
func TestAdmin(t *testing.T) {
	t.Parallel()
	socket := "unix:" + filepath.Join(t.TempDir(), "admin")
	p := start(t, nil, "demo", "-b", "127.0.0.1:0", "--admin", socket)
	ready := func(status int, want string) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for {
			r := askAt(t, socket, "GET", "/readyz")
			if r.StatusCode == status && r.body == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d %q, want %d %q", r.StatusCode, r.body, status, want)
			}
		}
	}
	ready(200, "ok\n")
	if r := p.ask("GET", "/readyz"); r.StatusCode != 404 {
		t.Errorf("/readyz of the demo: %d", r.StatusCode)
	}
	slow := p.dial()
	if _, err := slow.Write([]byte("GET /bytes?n=10000000 HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil { // and is not read
		t.Fatal(err)
	}
	if _, err := slow.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ready(503, "draining\n")
	_ = slow.Close()
	if status := p.wait(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	if strings.Contains(p.stderr.String(), `"level":"WARN"`) {
		t.Errorf("it warned: %s", p.stderr.String())
	}
}

// TestAdminRun: an application that is still being imported is alive and not ready.
func TestAdminRun(t *testing.T) {
	t.Parallel()
	at := "unix:" + filepath.Join(t.TempDir(), "admin")
	p := start(t, nil, "app:app", "-b", "127.0.0.1:0", "-w1", "--chdir", applications(t), "--admin", at)
	if r := askAt(t, at, "GET", "/readyz"); r.StatusCode != 200 && r.body != "starting\n" {
		t.Errorf("%d %q", r.StatusCode, r.body)
	}
	for range 3 {
		p.ask("GET", "/")
	}
	deadline := time.Now().Add(patience)
	for _, want := range []string{
		`weir_requests_total{code="200"} 3`, "weir_python_workers 1", "weir_python_workers_busy 0", "weir_python_queue_wait_seconds_count 3",
		`weir_python_worker_resident_bytes{worker="0"}`, "weir_hub_topics 0", "weir_ready 1",
	} {
		for !strings.Contains(askAt(t, at, "GET", "/metrics").body, "\n"+want) {
			if time.Now().After(deadline) {
				t.Fatalf("no %s in\n%s", want, askAt(t, at, "GET", "/metrics").body)
			}
		}
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
