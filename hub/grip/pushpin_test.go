package grip_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pushpin is a running Pushpin.
type pushpin struct {
	address, control string
	log              logged
}

// logged is what a program has printed.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startPushpin starts Debian's Pushpin in front of a server.
func startPushpin(t *testing.T, origin string) *pushpin {
	t.Helper()
	for _, program := range []string{"pushpin", "condure", "zurl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install Debian's packages pushpin, condure and zurl (.ci/packages programs)", err)
		}
	}
	dir, err := os.MkdirTemp("", "pushpin-") // short: paths of Unix sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port, control := freePort(t), freePort(t)
	template, err := os.ReadFile("testdata/pushpin.conf")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("DIR", dir, "PORT", port, "CONTROL", control, "KEY", key, "LEVEL", "2", "CLIENTS", "1000").Replace(string(template))
	for name, content := range map[string]string{"pushpin.conf": config, "routes": "* " + origin + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"run", "log"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := &pushpin{address: "127.0.0.1:" + port, control: "http://127.0.0.1:" + control}
	cmd := exec.Command("pushpin", "--config", filepath.Join(dir, "pushpin.conf"), "-m")
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(p.log.String())
		}
	})
	eventually(t, "Pushpin passes requests on, and takes messages", func() bool {
		return answers(p.address, "/plain") && answers(p.address, "/held") && answers(strings.TrimPrefix(p.control, "http://"), "/")
	})
	eventually(t, "Pushpin answers a request that it holds", func() bool {
		got := make(chan bool, 1)
		go func() { got <- answers(p.address, "/warm") }()
		for {
			select {
			case ok := <-got:
				return ok
			case <-time.After(50 * time.Millisecond):
				_ = party{control: p.control}.publish(`{"items":[{"channel":"warm","http-response":{"body":""}}]}`, "")
			}
		}
	})
	return p
}

// freePort is a port that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// answers tells whether a page is there.
func answers(address, path string) bool {
	c := http.Client{Timeout: 5 * time.Second}
	r, err := c.Get("http://" + address + path)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return err == nil && r.StatusCode == 200
}

// subscriptions is how often a request was held for a channel.
func (p *pushpin) subscriptions(channel string) int {
	return len(regexp.MustCompile(fmt.Sprintf(`subscribe \S+ channel=%s( retry)?\n`, regexp.QuoteMeta(channel))).FindAllString(p.log.String(), -1))
}
