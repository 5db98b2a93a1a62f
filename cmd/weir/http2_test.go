package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tool runs a client that nobody here wrote, and returns what it prints, errors too.
func tool(t *testing.T, input []byte, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing: install Debian's packages curl and nghttp2-client", name)
	}
	cmd := exec.Command("timeout", append([]string{"30", name}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// h2c asks by HTTP/2 without TLS, with curl.
func (p *process) h2c(path string, args ...string) string {
	p.t.Helper()
	return tool(p.t, nil, "curl", append([]string{"-sS", "--http2-prior-knowledge", p.url(path)}, args...)...)
}

func (p *process) url(path string) string { return "http://" + p.at[0] + path }

// TestRunHTTP2Clients: curl, nghttp and h2load with the demo.
func TestRunHTTP2Clients(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	p := start(t, nil, "demo", "--h2c", "-b", "127.0.0.1:0", "--access-log", log)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<15)
	file := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, got, want string }{
		{"curl", p.h2c("/plaintext", "-w", " %{http_version} %{response_code}"), `^Hello, World! 2 200$`},
		{"head", p.h2c("/plaintext", "-I"), `(?s)^HTTP/2 200.*server: weir.*content-length: 13`},
		{"an unknown page", p.h2c("/nothing", "-o", "/dev/null", "-w", "%{response_code}"), `^404$`},
		{"environ", p.h2c("/environ?a=b"), `"SERVER_PROTOCOL": "HTTP/2.0"`},
		{"content", p.h2c("/echo", "--data-binary", "@"+file), "^" + string(content[:1000]) + ".*"},
		{"content without a length", string(tool(t, content, "curl", "-sS", "--http2-prior-knowledge", "-T", "-", p.url("/echo"), "-o", "/dev/null", "-w", "%{size_download}")), fmt.Sprintf("^%d$", len(content))},
		{"a large answer", p.h2c("/bytes?n=50000000", "-o", "/dev/null", "-w", "%{size_download}"), `^50000000$`},
		{"stream", p.h2c("/stream?chunks=3&ms=1"), `^chunk 1 of 3\nchunk 2 of 3\nchunk 3 of 3\n$`},
		{"HTTP/1.1 beside", tool(t, nil, "curl", "-sS", "--http1.1", p.url("/plaintext"), "-w", " %{http_version}"), `^Hello, World! 1.1$`},
		{"nghttp", tool(t, nil, "nghttp", "-ns", "--no-dep", p.url("/plaintext"), p.url("/json"), p.url("/bytes?n=3000000")), `(?s) 200 .* 200 .* 200 `},
		{"nghttp, small windows", tool(t, nil, "nghttp", "-ns", "-w", "10", "-W", "10", p.url("/bytes?n=1000000")), ` 200 +976K `},
		{"h2load", tool(t, nil, "h2load", "-n", "3000", "-c", "5", "-m", "100", p.url("/plaintext")), `3000 succeeded, 0 failed, 0 errored`},
		{"h2load with content", tool(t, nil, "h2load", "-n", "200", "-c", "2", "-m", "10", "-d", file, p.url("/echo")), `200 succeeded, 0 failed, 0 errored`},
	} {
		if !regexp.MustCompile(test.want).MatchString(test.got) {
			t.Errorf("%s: got %.2000s", test.name, test.got)
		}
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(`"GET /plaintext HTTP/2.0" 200 13 "-" "h2load`)); n != 3000 {
		t.Errorf("the access log has %d lines of h2load", n)
	}
}

// TestRunHTTP2Python: Python's applications are called as ever, when nobody has come by HTTP/1.1 before too.
func TestRunHTTP2Python(t *testing.T) {
	t.Parallel()
	dir := applications(t)
	p := start(t, nil, "run", "app:app", "--h2c", "-b", "127.0.0.1:0", "-w", "2", "--chdir", dir)
	content := strings.Repeat("content ", 100_000)
	for _, test := range []struct{ name, got, want string }{
		{"hello", p.h2c("/", "-w", " %{http_version}"), `^Hello, World! 2$`},
		{"environ", p.h2c("/environ?a=b"), `(?s)HTTP_HOST.*127\.0\.0\.1.*SERVER_PROTOCOL.*HTTP/2.0`},
		{"content", tool(t, []byte(content), "curl", "-sS", "--http2-prior-knowledge", "--data-binary", "@-", p.url("/echo")),
			fmt.Sprintf("^%d %x %d None$", len(content), sha256.Sum256([]byte(content)), len(content))},
		{"content without a length", tool(t, []byte(content), "curl", "-sS", "--http2-prior-knowledge", "-T", "-", p.url("/echo")),
			fmt.Sprintf("^%d %x", len(content), sha256.Sum256([]byte(content)))},
		{"short content", p.h2c("/echo", "-d", "x=y"), "^3 [0-9a-f]+ 3 None$"},
		{"stream", p.h2c("/stream?3,0.01"), `.`},
		{"raise", p.h2c("/raise", "-o", "/dev/null", "-w", "%{response_code}"), `^500$`},
		{"h2load", tool(t, nil, "h2load", "-n", "1000", "-c", "4", "-m", "20", p.url("/")), `1000 succeeded, 0 failed, 0 errored`},
		{"h2load, both protocols known", tool(t, nil, "h2load", "--h1", "-n", "100", "-c", "4", p.url("/")), `100 succeeded`},
		{"h2load again", tool(t, nil, "h2load", "-n", "1000", "-c", "4", "-m", "20", p.url("/")), `1000 succeeded, 0 failed, 0 errored`},
	} {
		if !regexp.MustCompile(test.want).MatchString(test.got) {
			t.Errorf("%s: got %.2000s", test.name, test.got)
		}
	}
	held := make(chan string)
	go func() { held <- p.h2c("/hold?"+url.PathEscape(`{"topics": "topic"}`), "--max-time", "25") }()
	for told := ""; ; { // until somebody waits for it
		p.h2c("/publish?message")
		select {
		case told = <-held:
		case <-time.After(20 * time.Millisecond):
			continue
		}
		if !strings.Contains(told, "message") {
			t.Errorf("the client that waited got %q", told)
		}
		break
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestRunHTTP2Hub: the demo's long-polls and event streams, by HTTP/2.
func TestRunHTTP2Hub(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--h2c", "-b", "127.0.0.1:0")
	address := p.at[0]
	if _, _, err := net.SplitHostPort(address); err != nil {
		t.Fatal(err)
	}
	events := exec.Command("timeout", "30", "curl", "-sSN", "--http2-prior-knowledge", p.url("/events/news"))
	out, err := events.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Process.Kill(); _ = events.Wait() }()
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				p.h2c("/publish/news", "-d", "message")
			}
		}
	}()
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "data: message") {
		n, err := out.Read(buf)
		got.Write(buf[:n])
		if err == io.EOF {
			t.Errorf("the event stream has ended: %q", got.String())
			break
		}
	}
	close(stop)
	<-stopped
	if status := p.stop(); status != 0 { // the stream is ended
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestRunHTTP2ALPN: curl, openssl and h2load are offered HTTP/2 with HTTPS.
func TestRunHTTP2ALPN(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0"}, a.flags()...)...)
	only := start(t, nil, append([]string{"demo", "--no-http2", "-b", "127.0.0.1:0"}, a.flags()...)...)
	address := func(p *process) string { return strings.TrimPrefix(p.at[0], "https://") }
	curl := func(p *process, args ...string) string {
		return tool(t, nil, "curl", append([]string{"-sS", "--cacert", a.cert, "-w", " %{http_version}", "https://" + address(p) + "/plaintext"}, args...)...)
	}
	for _, test := range []struct{ name, got, want string }{
		{"curl", curl(p), `^Hello, World! 2$`},
		{"curl with HTTP/1.1", curl(p, "--http1.1"), `^Hello, World! 1.1$`},
		{"curl and --no-http2", curl(only), `^Hello, World! 1.1$`},
		{"openssl", tool(t, nil, "openssl", "s_client", "-connect", address(p), "-alpn", "h2,http/1.1"), `ALPN protocol: h2`},
		{"openssl, the server chooses", tool(t, nil, "openssl", "s_client", "-connect", address(p), "-alpn", "http/1.1,h2"), `ALPN protocol: h2`},
		{"openssl and --no-http2", tool(t, nil, "openssl", "s_client", "-connect", address(only), "-alpn", "h2,http/1.1"), `ALPN protocol: http/1.1`},
		{"h2load", tool(t, nil, "h2load", "-n", "500", "-c", "3", "-m", "20", "https://"+address(p)+"/plaintext"), `(?s)protocol: h2.*500 succeeded, 0 failed, 0 errored`},
	} {
		if !regexp.MustCompile(test.want).MatchString(test.got) {
			t.Errorf("%s: got %.3000s", test.name, test.got)
		}
	}
	for _, p := range []*process{p, only} {
		if status := p.stop(); status != 0 {
			t.Errorf("exit %d: %s", status, p.stderr.String())
		}
	}
}
