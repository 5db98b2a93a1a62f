package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// peak is the most memory that a process had resident so far, in octets.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatal("no VmHWM")
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
	file := filepath.Join(t.TempDir(), "file")
	for name, args := range map[string][]string{"spooled": nil, "streamed": {"--stream-bodies"}} {
		t.Run(name, func(t *testing.T) {
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
