package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// client runs a program that is a client, and returns what it prints and its exit status.
func client(t *testing.T, stdin io.Reader, name string, args ...string) (output string, status int) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("there is no %s: install Debian's package %s", name, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = stdin
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// curl asks the server for a path, by the name localhost.
func (p *process) curl(a *authority, path string, args ...string) (output string, status int) {
	p.t.Helper()
	args = append([]string{"-sS", "--noproxy", "*", "--cacert", a.cert, "--connect-to", "localhost:443:" + p.at[0], "https://localhost" + path}, args...)
	return client(p.t, nil, "curl", args...)
}

// openssl connects with s_client.
func (p *process) openssl(stdin string, args ...string) (output string, status int) {
	p.t.Helper()
	return client(p.t, strings.NewReader(stdin), "openssl", append([]string{"s_client", "-connect", p.at[0]}, args...)...)
}

// environ is what /environ shows.
func environ(t *testing.T, output string) (keys map[string]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(output), &keys); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return keys
}

func TestTLS(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	p := start(t, nil, append([]string{"demo", "--no-http2", "-b", "127.0.0.1:0"}, a.flags()...)...)
	if !strings.Contains(p.line, " at https://127.0.0.1:") {
		t.Error(p.line)
	}
	for _, tt := range []struct{ most, protocol, cipher string }{
		{"1.2", "TLSv1.2", "ECDHE-ECDSA-"},
		{"1.3", "TLSv1.3", "TLS_"},
	} {
		out, status := p.curl(a, "/environ", "--tls-max", tt.most)
		if status != 0 {
			t.Fatal(out)
		}
		keys := environ(t, out)
		if keys["wsgi.url_scheme"] != "https" || keys["HTTPS"] != "on" || keys["SSL_PROTOCOL"] != tt.protocol || !strings.HasPrefix(keys["SSL_CIPHER"], tt.cipher) ||
			keys["SSL_TLS_SNI"] != "localhost" || keys["SSL_CLIENT_VERIFY"] != "NONE" || keys["REMOTE_ADDR"] != "127.0.0.1" || keys["SERVER_PROTOCOL"] != "HTTP/1.1" {
			t.Error(out)
		}
	}
	file := filepath.Join(t.TempDir(), "content")
	content := bytes.Repeat([]byte("0123456789abcdef!"), 1<<20)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := p.curl(a, "/echo", "--data-binary", "@"+file, "-H", "Content-Type: x/y"); status != 0 || out != string(content) {
		t.Errorf("exit %d, %d octets came back of %d", status, len(out), len(content))
	}
	if out, status := p.curl(a, "/echo", "-H", "Transfer-Encoding: chunked", "--limit-rate", "64M", "--data-binary", "@"+file); status != 0 || out != string(content) {
		t.Errorf("chunked: exit %d, %d octets came back of %d", status, len(out), len(content))
	}
	if out, status := p.curl(a, "/bytes?n=3000000", "--limit-rate", "6M", "-o", os.DevNull, "-w", "%{size_download}"); out != "3000000" {
		t.Errorf("slow client: exit %d, %s octets", status, out)
	}
	if out, _ := client(t, nil, "curl", "-sS", "--noproxy", "*", "-w", "%{http_code}", "http://"+p.at[0]+"/"); !strings.Contains(out, "this port speaks HTTPS") || !strings.HasSuffix(out, "400") {
		t.Errorf("plain HTTP: %s", out)
	}
	if out, _ := p.openssl("", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"); !strings.Contains(out, "alert protocol version") {
		t.Errorf("TLS 1.1: %s", out)
	}
	if out, _ := p.openssl("GET /plaintext HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "-quiet", "-alpn", "h2,http/1.1"); !strings.Contains(out, "Hello, World!") {
		t.Errorf("openssl: %s", out)
	}
	if out, _ := p.openssl("", "-alpn", "h2,http/1.1"); !strings.Contains(out, "ALPN protocol: http/1.1") {
		t.Errorf("ALPN: %s", out)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestTLSKeyUpdate: a client may ask for new keys in the middle; the server has something to say by itself then.
func TestTLSKeyUpdate(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0"}, a.flags()...)...)
	cmd := exec.Command("openssl", "s_client", "-connect", p.at[0], "-crlf")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	say := func(text, answer string, times int) {
		t.Helper()
		_, _ = io.WriteString(in, text)
		until(t, "the answer "+answer, func() bool { return strings.Count(out.String(), answer) >= times })
	}
	say("", "Verify return code", 1)
	for i := range 3 {
		say("K\n", "KEYUPDATE", i+1)
		say("GET /plaintext HTTP/1.1\nHost: x\n\n", "Hello, World!", i+1)
	}
}

func TestTLSMin(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0", "--tls-min", "1.3"}, a.flags()...)...)
	if out, status := p.curl(a, "/plaintext", "--tls-max", "1.2"); status == 0 || !strings.Contains(out, "protocol version") {
		t.Errorf("TLS 1.2: exit %d, %s", status, out)
	}
	if out, status := p.curl(a, "/plaintext"); status != 0 || out != "Hello, World!" {
		t.Errorf("TLS 1.3: exit %d, %s", status, out)
	}
}

// TestTLSReload: certificates are chosen by name, and read again when their files change; what cannot be used is not.
func TestTLSReload(t *testing.T) {
	t.Parallel()
	one, two := certificate(t, "one.test"), certificate(t, "two.test")
	p := start(t, nil, append(append([]string{"demo", "-b", "127.0.0.1:0"}, one.flags()...), two.flags()...)...)
	subject := func(name string) string {
		out, _ := p.openssl("", "-servername", name)
		_, out, _ = strings.Cut(out, "subject=")
		out, _, _ = strings.Cut(out, "\n")
		return out
	}
	for name, want := range map[string]string{"one.test": "CN = one.test", "two.test": "CN = two.test", "three.test": "CN = one.test"} {
		if got := subject(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: one.roots, ServerName: "one.test"}}
	defer transport.CloseIdleConnections()
	kept := func() {
		t.Helper()
		response, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + p.at[0] + "/plaintext")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		_ = response.Body.Close()
		if got := response.TLS.PeerCertificates[0].Subject.OrganizationalUnit; len(got) > 0 {
			t.Errorf("the connection is a new one: %v", got)
		}
	}
	kept()
	replace := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err == nil {
			if err = os.WriteFile(to+".new", text, 0o600); err == nil {
				err = os.Rename(to+".new", to)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fresh := certificate(t, "one.test", func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"fresh"} })
	replace(fresh.cert, one.cert) // its key is not there yet
	const complaint = "the key is not that of the certificate"
	until(t, "the wrong pair is noticed", func() bool {
		if got := subject("one.test"); strings.Contains(got, "fresh") {
			t.Fatal("a certificate without its key is shown")
		}
		return strings.Contains(p.stderr.String(), complaint)
	})
	kept()
	time.Sleep(2 * time.Second) // two more looks: nothing has changed
	subject("one.test")
	if n := strings.Count(p.stderr.String(), complaint); n != 1 {
		t.Errorf("that was logged %d times", n)
	}
	replace(fresh.key, one.key)
	until(t, "the new certificate", func() bool { return strings.Contains(subject("one.test"), "fresh") })
	if got := subject("two.test"); !strings.Contains(got, "CN = two.test") {
		t.Error(got)
	}
	kept()
}

// TestTLSClientCertificates: who has to show one, and what the application is told.
func TestTLSClientCertificates(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	clients := certificate(t, "clients")
	good, strange := issue(t, clients, "alice"), certificate(t, "mallory")
	args := append([]string{"demo", "-b", "127.0.0.1:0", "--ca-certs", clients.cert}, a.flags()...)
	with := func(c *authority) []string { return []string{"--cert", c.cert, "--key", c.key} }
	for _, tt := range []struct {
		reqs                string
		none, good, strange string // SSL_CLIENT_VERIFY; "": refused
	}{
		{"", "", "SUCCESS", ""},
		{"required", "", "SUCCESS", ""},
		{"2", "", "SUCCESS", ""},
		{"optional", "NONE", "SUCCESS", ""},
		{"0", "NONE", "NONE", "NONE"},
	} {
		t.Run("--cert-reqs "+tt.reqs, func(t *testing.T) {
			args := args
			if tt.reqs != "" {
				args = append(args, "--cert-reqs", tt.reqs)
			}
			p := start(t, nil, args...)
			for _, c := range []struct {
				want string
				args []string
			}{{tt.none, nil}, {tt.good, with(good)}, {tt.strange, with(strange)}} {
				for _, version := range []string{"1.2", "1.3"} {
					out, status := p.curl(a, "/environ", append(c.args, "--tls-max", version)...)
					if c.want == "" {
						if status == 0 {
							t.Errorf("TLS %s: %v is let in", version, c.args)
						}
						continue
					}
					if status != 0 {
						t.Errorf("TLS %s: %v: %s", version, c.args, out)
						continue
					}
					keys := environ(t, out)
					if keys["SSL_CLIENT_VERIFY"] != c.want {
						t.Errorf("TLS %s: %v: SSL_CLIENT_VERIFY %q, want %q", version, c.args, keys["SSL_CLIENT_VERIFY"], c.want)
					}
					if c.want != "SUCCESS" {
						continue
					}
					text, err := os.ReadFile(good.cert)
					if err != nil {
						t.Fatal(err)
					}
					for key, want := range map[string]string{
						"SSL_CLIENT_S_DN":     "CN=alice,O=Weir",
						"SSL_CLIENT_S_DN_CN":  "alice",
						"SSL_CLIENT_I_DN":     "CN=clients,O=Weir",
						"SSL_CLIENT_M_SERIAL": fmt.Sprintf("%X", good.certificate.SerialNumber),
						"SSL_CLIENT_CERT":     string(text),
					} {
						if keys[key] != want {
							t.Errorf("%s: %q, want %q", key, keys[key], want)
						}
					}
				}
			}
		})
	}
}

// TestTLSMistakes: each has its line, which names the option.
func TestTLSMistakes(t *testing.T) {
	t.Parallel()
	a, other := certificate(t, "localhost"), certificate(t, "other")
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked.pem")
	writePEM(t, locked, "ENCRYPTED PRIVATE KEY", []byte("x"))
	both := filepath.Join(dir, "both.pem")
	cert, _ := os.ReadFile(a.cert)
	key, _ := os.ReadFile(a.key)
	if err := os.WriteFile(both, append(cert, key...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--keyfile", a.key}, 2, "--keyfile needs the --certfile"},
		{[]string{"--ca-certs", a.cert}, 2, "--ca-certs needs --certfile"},
		{append(a.flags(), "--cert-reqs", "required"), 2, "--cert-reqs required needs --ca-certs"},
		{append(a.flags(), "--cert-reqs", "perhaps"), 2, "--cert-reqs"},
		{append(a.flags(), "--tls-min", "1.1"), 2, "--tls-min"},
		{append(a.flags(), "--handshake-timeout", "0"), 2, "--handshake-timeout must be more than 0"},
		{append(a.flags(), "--max-handshakes", "0"), 2, "--max-handshakes must be 1 or more"},
		{append(a.flags(), "--protocol", "fastcgi"), 2, "--certfile and --acme are for HTTP, which no --bind speaks"},
		{append(a.flags(), "--certfile", a.cert), 2, "give a --keyfile for each --certfile"},
		{[]string{"--certfile", a.cert}, 1, "--keyfile " + a.cert + ": it has no private key"},
		{[]string{"--certfile", "/nowhere/c", "--keyfile", a.key}, 1, "--certfile /nowhere/c: no such file"},
		{[]string{"--certfile", a.cert, "--keyfile", "/nowhere/k"}, 1, "--keyfile /nowhere/k: no such file"},
		{[]string{"--certfile", dir, "--keyfile", a.key}, 1, "--certfile " + dir + ": is a directory"},
		{[]string{"--certfile", text, "--keyfile", a.key}, 1, "--certfile " + text + ": there is no certificate in it"},
		{[]string{"--certfile", a.cert, "--keyfile", text}, 1, "--keyfile " + text + ": there is no private key in it"},
		{[]string{"--certfile", a.cert, "--keyfile", locked}, 1, "the key is encrypted; decrypt it with"},
		{[]string{"--certfile", a.cert, "--keyfile", other.key}, 1, "--keyfile " + other.key + ": the key is not that of the certificate in " + a.cert},
		{append(a.flags(), "--ca-certs", text), 1, "--ca-certs " + text + ": there is no certificate in it"},
		{append(a.flags(), "--ca-certs", "/nowhere/ca"), 1, "--ca-certs /nowhere/ca: no such file"},
	} {
		status, _, stderr := runToEnd(t, append([]string{"demo", "-b", "127.0.0.1:0"}, tt.args...)...)
		if status != tt.status || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "weir: ") != 1 {
			t.Errorf("%q: exit %d, want %d\n%s\nwant %s", tt.args, status, tt.status, stderr, tt.want)
		}
	}
	p := start(t, nil, "demo", "-b", "127.0.0.1:0", "--certfile", both)
	if out, _ := p.curl(a, "/plaintext"); out != "Hello, World!" {
		t.Error("certificate and key in one file: ", out)
	}
}

func TestTLSExpired(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	})
	p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0"}, a.flags()...)...)
	if out, status := p.curl(a, "/plaintext"); status == 0 || !strings.Contains(out, "expired") {
		t.Errorf("exit %d: %s", status, out)
	}
	if log := p.stderr.String(); !strings.Contains(log, "the certificate has expired") || !strings.Contains(log, a.cert) {
		t.Error(log)
	}
}

// TestRunTLS: Python's applications are told.
func TestRunTLS(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	clients := certificate(t, "clients")
	alice := issue(t, clients, "alice")
	args := append([]string{"run", "app:app", "-b", "127.0.0.1:0", "-w", "1", "--chdir", applications(t), "--ca-certs", clients.cert, "--cert-reqs", "optional"}, a.flags()...)
	p := start(t, nil, args...)
	for range 6 { // with the keys of the environ, and without
		out, _ := p.curl(a, "/environ")
		for _, want := range []string{"wsgi.url_scheme=https", "HTTPS=on", "SSL_PROTOCOL=TLSv1.3", "SSL_CLIENT_VERIFY=NONE"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
		out, _ = p.curl(a, "/environ", "--cert", alice.cert, "--key", alice.key)
		for _, want := range []string{"wsgi.url_scheme=https", "SSL_CLIENT_VERIFY=SUCCESS", "SSL_CLIENT_S_DN=CN=alice,O=Weir", "SSL_CLIENT_CERT=-----BEGIN CERTIFICATE-----"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestTLSTogether: the PROXY protocol comes before TLS; files and WebSockets are behind it, as behind no TLS.
func TestTLSTogether(t *testing.T) {
	t.Parallel()
	a := certificate(t, "localhost")
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef!"), 100_000)
	if err := os.WriteFile(filepath.Join(dir, "file"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"demo", "-b", "127.0.0.1:0", "-b", "127.0.0.1:0", "--static", "/files=" + dir}, a.flags()...)
	p := start(t, nil, args...)
	for _, version := range []string{"--http1.1", "--http2"} {
		if out, status := p.curl(a, "/files/file", version); status != 0 || out != string(content) {
			t.Errorf("%s: exit %d, %d octets of %d", version, status, len(out), len(content))
		}
		if out, status := p.curl(a, "/files/file", version, "-r", "17-33"); status != 0 || out != string(content[17:34]) {
			t.Errorf("%s: exit %d, %q", version, status, out)
		}
	}
	dialer := ws.Dialer{TLSConfig: &tls.Config{RootCAs: a.roots, ServerName: "localhost"}, Timeout: patience}
	c, _, _, err := dialer.Dial(context.Background(), "wss://"+p.at[0]+"/websocket")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	for _, size := range []int{5, 50_000} {
		message := content[:size]
		if err := wsutil.WriteClientText(c, message); err != nil {
			t.Fatal(err)
		}
		if got, err := wsutil.ReadServerText(c); err != nil || !bytes.Equal(got, message) {
			t.Errorf("%d octets came back of %d, %v", len(got), size, err)
		}
	}
	_ = c.Close() // or the end waits for it
	if status := p.stop(); status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}

	p = start(t, nil, append(args, "--proxy-protocol", "all")...)
	raw := p.dial()
	if _, err := io.WriteString(raw, "PROXY TCP4 192.0.2.7 192.0.2.1 4321 443\r\n"); err != nil {
		t.Fatal(err)
	}
	encrypted := tls.Client(raw, &tls.Config{RootCAs: a.roots, ServerName: "localhost"})
	if _, err := io.WriteString(encrypted, "GET /environ HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(encrypted)
	if err != nil || !strings.Contains(string(out), `"REMOTE_ADDR": "192.0.2.7"`) || !strings.Contains(string(out), `"SSL_PROTOCOL": "TLSv1.3"`) {
		t.Errorf("%s, %v", out, err)
	}
	for _, version := range []string{"--http1.1", "--http2"} {
		if out, status := p.curl(a, "/environ", "--haproxy-protocol", version); status != 0 || environ(t, out)["wsgi.url_scheme"] != "https" {
			t.Errorf("%s: exit %d, %s", version, status, out)
		}
	}
}

// TestRunTLSMistake: a file that is missing is told before Python is started.
func TestRunTLSMistake(t *testing.T) {
	t.Parallel()
	status, _, stderr := runToEnd(t, "run", "app:app", "-b", "127.0.0.1:0", "--chdir", applications(t), "--certfile", "/nowhere/c")
	if status != 1 || !strings.Contains(stderr, "--certfile /nowhere/c: no such file") || strings.Contains(stderr, "workers are ready") {
		t.Errorf("exit %d: %s", status, stderr)
	}
}
