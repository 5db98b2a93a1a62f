package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/acme/pebble"
)

// TestACME: with nothing but --acme and its few options, curl trusts the server after a moment; and at once after a restart, because what
// was obtained is kept.
func TestACME(t *testing.T) {
	port := pebble.Port(t)
	ca := pebble.Start(t, port, pebble.Port(t))
	t.Setenv("SSL_CERT_FILE", ca.CertFile) // by which the authority itself is trusted
	dir := filepath.Join(t.TempDir(), "acme")
	bind := fmt.Sprintf("127.0.0.1:%d", port)
	flags := []string{"demo", "--bind", bind, "--acme", "a.example", "--acme", "b.example", "--acme-agree", "--acme-email", "me@a.example",
		"--acme-ca", ca.Directory, "--acme-dir", dir}
	curl := func(name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		at := fmt.Sprintf("%s:%d", name, port)
		out, err := exec.CommandContext(ctx, "curl", "-sS", "--cacert", ca.RootFile, "--resolve", at+":127.0.0.1", "https://"+at+"/plaintext").CombinedOutput()
		if err != nil || string(out) != "Hello, World!" {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	for _, round := range []string{"first", "again"} {
		p := start(t, nil, flags...)
		if !strings.Contains(p.line, "https://"+bind) {
			t.Errorf("%s: %q", round, p.line)
		}
		for _, name := range []string{"a.example", "b.example"} {
			var err error
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
				if err = curl(name); err == nil || time.Now().After(deadline) {
					break
				}
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", round, name, err)
			}
		}
		if status := p.stop(); status != 0 {
			t.Errorf("%s: status %d", round, status)
		}
		ca.Stop()
	}
	keys, err := filepath.Glob(filepath.Join(dir, "certificates", "*", "a.example", "a.example.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	if info, err := os.Stat(keys[0]); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
}

// TestACMEWrongFlags: a line each, which names the option.
func TestACMEWrongFlags(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]struct {
		status int
		word   string
	}{
		"--acme a.example":                                           {2, "--acme-agree"},
		"--acme *.example --acme-agree":                              {2, "--acme: "},
		"--acme-agree":                                               {2, "--acme-agree needs --acme"},
		"--acme-email me@a.example":                                  {2, "--acme-email needs --acme"},
		"--acme a.example --acme-agree --acme-email me":              {2, "--acme-email: "},
		"--acme a.example --acme-agree --acme-ca http://a.example":   {2, "--acme-ca: "},
		"--acme a.example --acme-agree --acme-dir " + file:           {1, "--acme-dir: "},
		"--acme a.example --acme-agree --certfile x":                 {2, "--certfile"},
		"--acme a.example --acme-agree --acme-dir D --keyfile x.pem": {2, "--keyfile"},
	} {
		line = strings.Replace(line, " D ", " "+t.TempDir()+" ", 1)
		status, _, stderr := runToEnd(t, append([]string{"demo", "--bind", "127.0.0.1:0"}, strings.Fields(line)...)...)
		last := stderr[strings.LastIndexByte(strings.TrimSuffix(stderr, "\n"), '\n')+1:]
		if status != want.status || !strings.Contains(last, want.word) || status == 2 && last != stderr {
			t.Errorf("%s: status %d, %q", line, status, stderr)
		}
	}
}

func TestACMEPort(t *testing.T) {
	for _, c := range []struct {
		addresses []string
		want      int
	}{
		{nil, 443}, {[]string{"unix:/run/weir.sock"}, 443}, {[]string{"127.0.0.1:8443"}, 8443},
		{[]string{"unix:/x", "[::]:8443", "0.0.0.0:443"}, 443}, {[]string{"[::]:8443", "0.0.0.0:9000"}, 8443},
	} {
		if got := acmePort(c.addresses); got != c.want {
			t.Errorf("%q: %d, want %d", c.addresses, got, c.want)
		}
	}
}
