package deploy_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// installed is a folder with the units, in which the program is the one that the test has built.
func installed(t *testing.T) (service, socket string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"weir.service", "weir.socket"} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(string(text), "/usr/local/bin/weir", binary)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "weir.service"), filepath.Join(dir, "weir.socket")
}

// TestUnits: systemd understands every line of the units, and finds little that the service could do beyond what it needs.
func TestUnits(t *testing.T) {
	service, socket := installed(t)
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", service, socket).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	const exposure = "20" // 2.0 of 10
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+exposure, service).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnitPeriods: systemd waits for what weir may take to end, requests first and workers after them, and the options are weir's.
func TestUnitPeriods(t *testing.T) {
	text, err := os.ReadFile("weir.service")
	if err != nil {
		t.Fatal(err)
	}
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindSubmatch(text)
		if m == nil {
			t.Fatalf("the unit has no %s", pattern)
		}
		return string(m[1])
	}
	period := func(pattern string) time.Duration {
		d, err := time.ParseDuration(find(pattern))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	graceful, stop := period(`--graceful-timeout (\S+)`), period(`(?m)^TimeoutStopSec=(\S+)`)
	if stop <= 2*graceful {
		t.Errorf("weir may take twice %v, and systemd waits %v", graceful, stop)
	}
	page, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```toml\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("docs/deploy.md has no weir.toml")
	}
	dir := t.TempDir() // in the place of the site's, for weir config looks whether it is there
	path := filepath.Join(dir, "weir.toml")
	if err := os.WriteFile(path, bytes.ReplaceAll(example[1], []byte("/srv/mysite"), []byte(dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	options := strings.Fields(strings.ReplaceAll(find(`(?m)^ExecStart=\S+ (.*)`), "/etc/weir/weir.toml", path))
	if out, err := exec.Command(binary, append([]string{"config"}, options...)...).CombinedOutput(); err != nil || !strings.Contains(string(out), "mysite") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSocketActivation: systemd's own program passes the socket, and starts weir when the first client comes.
func TestSocketActivation(t *testing.T) {
	at := vacant(t)
	p := start(t, "systemd-socket-activate", "--listen="+at, "--fdname=http", binary, "demo")
	p.until("the socket", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	response, err := http.Get("http://" + at + "/plaintext")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 {
		t.Error(response.Status)
	}
	p.until("the log", func() bool {
		return strings.Contains(p.out.String(), "sockets that systemd has passed take the place of --bind")
	})
}
