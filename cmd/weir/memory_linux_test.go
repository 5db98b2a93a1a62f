package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"
)

// peak is the most memory that a process had resident so far, in octets.
func peak(t *testing.T, pid int) int64 { return memoryOf(t, pid, "VmHWM") }

// resident is the resident memory of the process in octets.
func (p *process) resident() int64 {
	p.t.Helper()
	return memoryOf(p.t, p.cmd.Process.Pid, "VmRSS")
}

// memoryOf is a figure of a process in octets, from Linux's /proc.
func memoryOf(t *testing.T, pid int, name string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(name + `:\s*(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatal("no ", name)
	}
	kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return kib << 10
}

// zeros reads as octets without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRunMemory: neither the server nor a worker keeps what passes through them, whichever way.
func TestRunMemory(t *testing.T) {
	const (
		small = 4 << 20 // each way is gone once before memory is looked at
		large = 128 << 20
		bar   = 8 << 20
	)
	dir := applications(t)
	for name, args := range map[string][]string{"spooled": nil, "streamed": {"--stream-bodies"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "file")
			p := start(t, nil, append([]string{"run", "app:app", "-b", "127.0.0.1:0", "-w", "1", "--limit-request-body", "0", "--chdir", dir}, args...)...)
			worker, err := strconv.Atoi(p.ask("GET", "/pid").body)
			if err != nil {
				t.Fatal(err)
			}
			send := func(method, target string, size int64, content io.Reader) (n int64, answer string) {
				request, err := http.NewRequest(method, "http://"+p.at[0]+target, content)
				if err != nil {
					t.Fatal(err)
				}
				request.ContentLength = size
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if content != nil {
					text, err := io.ReadAll(response.Body)
					if err != nil {
						t.Error(err)
					}
					return 0, string(text)
				}
				if n, err = io.Copy(io.Discard, response.Body); err != nil {
					t.Error(err)
				}
				return n, ""
			}
			ways := []struct {
				name string
				pass func(size int64)
			}{
				{"download", func(size int64) {
					if n, _ := send("GET", fmt.Sprint("/stream?", size>>16), 0, nil); n != size {
						t.Errorf("%d octets", n)
					}
				}},
				{"file", func(size int64) {
					if err := os.WriteFile(file, nil, 0o600); err != nil {
						t.Fatal(err)
					}
					if err := os.Truncate(file, size); err != nil {
						t.Fatal(err)
					}
					if n, _ := send("GET", "/file?"+file, 0, nil); n != size {
						t.Errorf("%d octets", n)
					}
				}},
				{"upload", func(size int64) {
					if _, s := send("POST", "/echo", size, io.LimitReader(zeros{}, size)); !strings.HasPrefix(s, fmt.Sprint(size, " ")) {
						t.Error(s)
					}
				}},
				{"chunked upload", func(size int64) {
					if _, s := send("POST", "/echo", -1, io.LimitReader(zeros{}, size)); !strings.HasPrefix(s, fmt.Sprint(size, " ")) {
						t.Error(s)
					}
				}},
			}
			for _, way := range ways {
				way.pass(small)
			}
			server := p.cmd.Process.Pid
			for _, way := range ways {
				before := [2]int64{peak(t, server), peak(t, worker)}
				way.pass(large)
				for i, pid := range []int{server, worker} {
					if grown := peak(t, pid) - before[i]; grown > bar {
						t.Errorf("%s: %s has grown by %d KiB", way.name, [2]string{"the server", "the worker"}[i], grown>>10)
					}
				}
			}
			if status := p.stop(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
		})
	}
}

// TestBytesMemory: a large response costs no memory, whether the client reads or not.
func TestBytesMemory(t *testing.T) {
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
	p.ask("GET", "/bytes?n=1000000")
	before := p.resident()
	const n = 268435456
	for range 4 {
		c := p.dial()
		if _, err := io.WriteString(c, "GET /bytes?n=268435456 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.ContentLength != n {
			t.Fatal(response, err)
		}
		if _, err := io.CopyN(io.Discard, response.Body, 20<<20); err != nil {
			t.Fatal(err)
		}
	}
	if grown := p.resident() - before; grown > 64<<20 {
		t.Errorf("it grew by %d MiB", grown>>20)
	}
}

// TestWebSocketMemory: what a socket costs that is idle, in memory of the process, after it had a message; and one that waits for a topic.
func TestWebSocketMemory(t *testing.T) {
	const (
		n   = 3000
		bar = 4 << 10
	)
	for target, talk := range map[string]func(c io.ReadWriter) error{
		"/websocket": func(c io.ReadWriter) error {
			if err := wsutil.WriteClientBinary(c, make([]byte, 1000)); err != nil {
				return err
			}
			_, err := wsutil.ReadServerBinary(c)
			return err
		},
		"/socket/news": func(c io.ReadWriter) error {
			_, err := wsutil.ReadServerText(c)
			return err
		},
	} {
		t.Run(target, func(t *testing.T) {
			p := start(t, nil, "demo", "--bind", "127.0.0.1:0")
			open := func(n int) {
				for range n {
					if err := talk(p.socket(target)); err != nil {
						t.Fatal(err)
					}
				}
			}
			open(500) // pools and the heap have their size
			before := p.resident()
			open(n)
			each := (p.resident() - before) / n
			t.Logf("%d octets each", each)
			if each > bar {
				t.Errorf("an idle socket takes %d octets, want %d at most", each, bar)
			}
		})
	}
}
