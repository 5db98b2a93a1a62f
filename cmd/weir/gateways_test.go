package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRunBehindNginx: a Flask application behind uwsgi_pass, with the path and the scheme that nginx has told.
func TestRunBehindNginx(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"uwsgi", "fastcgi", "scgi"} {
		t.Run(protocol, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			p := start(t, nil, "run", "flask_gateway:app", "--chdir", dir, "--python", "/usr/bin/python3", "-w", "1", "--bind", protocol+":unix:"+socket)
			if want := protocol + ":unix:" + socket; p.at[0] != want {
				t.Errorf("it serves at %s, want %s", p.at[0], want)
			}
			base := nginxBefore(t, fmt.Sprintf(`
				include /etc/nginx/%[1]s_params;
				%[1]s_param HTTPS on;
				%[1]s_param X_ADMIN "made up";
				%[1]s_param UWSGI_FILE /tmp/x.py;
				%[1]s_pass unix:%[2]s;`, protocol, socket))
			client := &http.Client{Timeout: patience}
			r, err := client.Post(base+"/caf%C3%A9/x?q=1", "text/plain", strings.NewReader(strings.Repeat("0123456789", 50_000)))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			want := "POST /caf\u00e9/x 1 https 500000 made up None 127.0.0.1 /caf%C3%A9/x?q=1"
			if err != nil || r.StatusCode != 201 || string(body) != want || r.Header.Get("X-From") != "flask" {
				t.Errorf("%d %q, %v\nwant %q", r.StatusCode, body, err, want)
			}
			client.CloseIdleConnections()
			if status := p.stop(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
		})
	}
}

// nginxBefore runs nginx with one location, and returns the base of its URLs.
func nginxBefore(t *testing.T, location string) (base string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // not in everybody's PATH
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("there is no nginx: install Debian's package nginx-light")
	}
	ln, err := net.Listen("tcp", ownHost()+":0") // the port stays free until nginx has it
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr info;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; location / { %[3]s } }
}
`, dir, address, location)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", dir, "-e", "stderr", "-c", path)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		killer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		killer.Stop()
		if t.Failed() {
			t.Logf("nginx said:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatal("nginx does not listen")
		}
	}
}

// TestProtocolFlag: what is no protocol is refused.
func TestProtocolFlag(t *testing.T) {
	t.Parallel()
	status, _, stderr := runToEnd(t, "demo", "--protocol", "gopher")
	if status != 2 || !strings.Contains(stderr, "--protocol") {
		t.Errorf("exit %d: %s", status, stderr)
	}
}
