package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// curl runs curl, and returns the head and the body of what it prints with --include.
func curl(t *testing.T, args ...string) (head, body string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("there is no curl: install Debian's package curl")
	}
	var stderr bytes.Buffer
	cmd := exec.Command("curl", append([]string{"--silent", "--show-error", "--include", "--max-time", "30"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %q: %v: %s", args, err, stderr.String())
	}
	head, body, _ = strings.Cut(string(out), "\r\n\r\n")
	return head, body
}

// decoded is body without its coding.
func decoded(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(body))
	case "zstd":
		r, err = zstd.NewReader(strings.NewReader(body), zstd.WithDecoderConcurrency(1))
	case "br":
		r = brotli.NewReader(strings.NewReader(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestRunCompressed: curl gets from applications of either kind what it gets without compression, in each coding, whichever way they answer.
func TestRunCompressed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(applications(t), "app.py")
	for _, served := range []struct {
		args  []string
		paths []string
	}{
		{[]string{"demo"}, []string{"/", "/environ?" + strings.Repeat("a", 2000), "/stream?chunks=20&ms=1"}},
		{[]string{"run", "app:app", "--chdir", applications(t)}, []string{"/environ?" + strings.Repeat("a", 2000), "/file?" + file, "/stream?50,0.001"}},
	} {
		t.Run(served.args[0], func(t *testing.T) {
			plain := start(t, nil, append(served.args, "-b", "127.0.0.1:0")...)
			p := start(t, nil, append(served.args, "-b", "127.0.0.1:0", "--compress", "--request-id")...)
			for _, path := range served.paths {
				_, want := curl(t, "http://"+plain.at[0]+path)
				for _, coding := range []string{"gzip", "zstd", "br"} {
					head, body := curl(t, "--raw", "--header", "Accept-Encoding: "+coding, "--http1.0", "http://"+p.at[0]+path)
					if !strings.Contains(head, "Content-Encoding: "+coding) || !strings.Contains(head, "Vary: Accept-Encoding") || !strings.Contains(head, "X-Request-ID: ") {
						t.Errorf("%s as %s: %s", path, coding, head)
						continue
					}
					if got := decoded(t, coding, body); !same(got, want, p, plain) {
						t.Errorf("%s as %s: %d octets, want %d", path, coding, len(got), len(want))
					}
				}
				head, got := curl(t, "--compressed", "http://"+p.at[0]+path)
				if !strings.Contains(head, "Content-Encoding: ") || !same(got, want, p, plain) {
					t.Errorf("%s: %d octets, want %d, behind %s", path, len(got), len(want), head)
				}
				if head, got = curl(t, "http://"+p.at[0]+path); strings.Contains(head, "Content-Encoding") || !same(got, want, p, plain) {
					t.Errorf("%s: %d octets for a client that asks for no coding, behind %s", path, len(got), head)
				}
			}
			if status := p.stop(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
		})
	}
}

// same tells whether two servers have answered the same. /environ tells of the request, too: its length and its end will do.
func same(got, want string, p, plain *process) bool {
	if strings.Contains(want, "REQUEST_METHOD") {
		return strings.Contains(got, strings.Repeat("a", 2000))
	}
	return got == want
}

// TestRunRequestID: a Python application finds the name of the request that its client gets.
func TestRunRequestID(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "run", "app:app", "--chdir", applications(t), "-b", "127.0.0.1:0", "--request-id")
	for _, sent := range []string{"", "X-Request-ID: from-a-proxy\r\n", "X-Request-ID: \"no name\"\r\n"} {
		r := p.ask("GET", "/environ", sent)
		id := r.Header.Get("X-Request-ID")
		if strings.Contains(sent, "from-a-proxy") != (id == "from-a-proxy") || id == "" {
			t.Errorf("%q is answered with %q", sent, id)
		}
		if !strings.Contains(r.body, "HTTP_X_REQUEST_ID") || strings.Count(r.body, id) != 1 {
			t.Errorf("%q: no %q in %s", sent, id, r.body)
		}
	}
}

// TestCompressedEvents: an event stream is not held back.
func TestCompressedEvents(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "-b", "127.0.0.1:0", "--compress")
	c := exec.Command("curl", "--silent", "--no-buffer", "--compressed", "--max-time", "30", "http://"+p.at[0]+"/events/news")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal("curl is needed, install Debian's package curl:", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	buf := make([]byte, 4096)
	n, err := out.Read(buf) // what a stream begins with: the client waits from here on
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		seen := string(buf[:n])
		message := fmt.Sprintf("message %d", i)
		p.ask("POST", "/publish/news", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(message), message))
		for !strings.Contains(seen, message) {
			if n, err = out.Read(buf); err != nil {
				t.Fatalf("%v behind %q", err, seen)
			}
			seen += string(buf[:n])
		}
	}
}
