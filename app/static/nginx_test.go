package static_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app/static"
)

// nginxConfig has nginx serve a directory as weir's options have it. If-Modified-Since is compared as RFC 9110 has it; gzip_static is
// in Debian's nginx-light.
const nginxConfig = `
daemon off; master_process off; worker_processes 1; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 64; }
http {
	access_log off; if_modified_since before; gzip_static on; gzip_vary on; server_tokens off; absolute_redirect off;
	default_type application/octet-stream;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi; scgi_temp_path %[1]s/scgi; uwsgi_temp_path %[1]s/uwsgi;
	server { listen %[2]s; location /s/ { alias %[3]s/; } }
}
`

// startNginx serves a directory below /s/.
func startNginx(t *testing.T, dir string) *served {
	t.Helper()
	own := t.TempDir()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	_ = probe.Close()
	config := filepath.Join(own, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, own, address, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // not in everybody's PATH
	}
	command := exec.Command(path, "-p", own, "-c", config)
	log := &record{}
	command.Stderr = log
	if err := command.Start(); err != nil {
		t.Fatalf("nginx (it is Debian's package nginx-light): %v", err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	s := &served{t: t, address: address, log: log}
	s.eventually("nginx listens", func() bool {
		select {
		case <-ended:
			t.Fatalf("nginx has ended: %s", log)
		default:
		}
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return s
}

// TestNginx asks weir and nginx the same. Where they differ, the row says why weir's answer is as it is.
func TestNginx(t *testing.T) {
	dir := files(t)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	other, own := startNginx(t, dir), site(t, dir, static.Options{Dotfiles: true, FollowSymlinks: true})
	before, after := "Mon, 06 May 2024 07:08:08 GMT", "Mon, 06 May 2024 07:08:10 GMT"
	for _, c := range []struct {
		method, target, ask string
		why                 string // they differ
	}{
		{"GET", "a.txt", "", ""},
		{"HEAD", "a.txt", "", ""},
		{"GET", "empty.css", "", ""},
		{"GET", "none", "", ""},
		{"GET", "page/", "", ""},
		{"GET", "page", "", ""},
		{"GET", "page?x=y", "", ""},
		{"GET", "bare/", "", "nginx has 403 for a directory without an index, and says so that it exists"},
		{"GET", "../outside", "", ""},
		{"GET", "%2e%2e/outside", "", ""},
		{"GET", "page/../a.txt", "", "dots are not resolved: browsers do that, and who does not has something in mind"},
		{"GET", "%00", "", "nginx has 400"},
		{"POST", "a.txt", "Content-Length: 0", ""},
		{"DELETE", "a.txt", "", ""},

		{"GET", "a.txt", "Range: bytes=0-0", ""},
		{"GET", "a.txt", "Range: bytes=3-", ""},
		{"GET", "a.txt", "Range: bytes=-3", ""},
		{"GET", "a.txt", "Range: bytes=-100", ""},
		{"GET", "a.txt", "Range: bytes=8-100", ""},
		{"GET", "a.txt", "Range: bytes=10-", ""},
		{"GET", "a.txt", "Range: bytes=-0", ""},
		{"GET", "a.txt", "Range: BYTES=0-0", ""},
		{"GET", "a.txt", "Range: bytes= 0 - 1", "a range has no spaces in it (RFC 9110 14.1.2), so it is malformed and ignored"},
		{"GET", "a.txt", "Range: bytes=4-2", "malformed: ignored instead of 416"},
		{"GET", "a.txt", "Range: bytes=x", "malformed: ignored instead of 416"},
		{"GET", "a.txt", "Range: lines=0-1", ""},
		{"GET", "a.txt", "Range: bytes=0-1,4-5", ""},
		{"GET", "a.txt", "Range: bytes=4-5,0-1", ""},
		{"GET", "a.txt", "Range: bytes=0-1,1-2", "ranges that touch are joined"},
		{"GET", "a.txt", "Range: bytes=0-1,20-", ""},
		{"GET", "a.txt", "Range: bytes=20-,30-", ""},
		{"GET", "a.txt", "Range: bytes=0-9,0-9", ""},
		{"GET", "empty.css", "Range: bytes=0-", "no octet of nothing can be had (RFC 9110 14.1.2), nginx answers 200"},
		{"HEAD", "a.txt", "Range: bytes=0-0", "Range is for GET (RFC 9110 14.2), nginx answers 206"},

		{"GET", "a.txt", "If-Modified-Since: " + pastDate, ""},
		{"GET", "a.txt", "If-Modified-Since: " + after, ""},
		{"GET", "a.txt", "If-Modified-Since: " + before, ""},
		{"GET", "a.txt", "If-Modified-Since: never", ""},
		{"GET", "a.txt", "If-Modified-Since: Monday, 06-May-24 07:08:09 GMT", ""},
		{"GET", "a.txt", "If-Unmodified-Since: " + pastDate, ""},
		{"GET", "a.txt", "If-Unmodified-Since: " + before, ""},
		{"GET", "a.txt", "If-Unmodified-Since: never", "what is no date does not count (RFC 9110 13.1.4)"},
		{"GET", "a.txt", "If-None-Match: ETAG", ""},
		{"GET", "a.txt", "If-None-Match: W/ETAG", ""},
		{"GET", "a.txt", `If-None-Match: "x", ETAG`, ""},
		{"GET", "a.txt", `If-None-Match: "x"`, ""},
		{"GET", "a.txt", "If-None-Match: *", ""},
		{"GET", "a.txt", `If-None-Match: "x"|If-Modified-Since: ` + pastDate, ""},
		{"GET", "a.txt", "If-None-Match: ETAG|If-Modified-Since: " + before, "If-None-Match stands alone (RFC 9110 13.1.3), nginx wants both to hold"},
		{"GET", "a.txt", "If-Match: ETAG", ""},
		{"GET", "a.txt", "If-Match: W/ETAG", ""},
		{"GET", "a.txt", "If-Match: *", ""},
		{"GET", "a.txt", `If-Match: "x"`, ""},
		{"GET", "a.txt", "If-Match: ETAG|If-Unmodified-Since: " + before, "If-Match stands alone (RFC 9110 13.1.4), nginx looks at both"},
		{"GET", "a.txt", "If-Match: ETAG|If-None-Match: ETAG", ""},
		{"HEAD", "a.txt", "If-None-Match: ETAG", ""},
		{"GET", "a.txt", "If-Range: ETAG|Range: bytes=0-0", ""},
		{"GET", "a.txt", `If-Range: "x"|Range: bytes=0-0`, ""},
		{"GET", "a.txt", "If-Range: W/ETAG|Range: bytes=0-0", ""},
		{"GET", "a.txt", "If-Range: " + pastDate + "|Range: bytes=0-0", ""},
		{"GET", "a.txt", "If-Range: " + after + "|Range: bytes=0-0", ""},
		{"GET", "a.txt", "If-Range: " + before + "|Range: bytes=0-0", ""},
		{"GET", "a.txt", "If-None-Match: ETAG|Range: bytes=0-0", ""},
		{"GET", "a.txt", "If-Match: \"x\"|Range: bytes=0-0", ""},
		{"GET", "none", "If-None-Match: *", ""},
		{"GET", "page", "If-Match: \"x\"", ""},

		{"GET", "large.bin", "Accept-Encoding: gzip", "nginx has no ranges of compressed siblings, and does not offer them"},
		{"GET", "large.bin", "Accept-Encoding: gzip;q=0", ""},
		{"GET", "large.bin", "Accept-Encoding: br, gzip;q=0.1", "nginx has no ranges of compressed siblings, and does not offer them"},
		{"GET", "large.bin", "Accept-Encoding: identity", ""},
		{"GET", "large.bin", "Accept-Encoding: gzip|Range: bytes=10-19", "nginx has no ranges of compressed siblings, and does not offer them"},
		{"GET", "large.bin", "Range: bytes=100000-3999999", ""},
	} {
		t.Run(c.method+" "+c.target+" "+c.ask, func(t *testing.T) {
			var answers []string
			for _, s := range []*served{other, own} {
				path := "/s/" + c.target
				ask := c.ask
				if strings.Contains(ask, "ETAG") {
					ask = strings.ReplaceAll(ask, "ETAG", s.ask("HEAD", path).Header.Get("ETag"))
				}
				answers = append(answers, summary(s.ask(c.method, path, split(ask)...)))
			}
			if (answers[0] != answers[1]) != (c.why != "") {
				t.Errorf("nginx: %s\nweir:  %s\n%s", answers[0], answers[1], c.why)
			}
		})
	}
}

// summary is what two servers should have in common. Texts of errors and the number of an ETag are their own.
func summary(r *reply) string {
	s := fmt.Sprint(r.StatusCode)
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if kind == "multipart/byteranges" {
		// Only its parts: the boundary is random.
		for line := range strings.Lines(string(r.content)) {
			if strings.HasPrefix(line, "Content-Range") {
				s += " " + strings.TrimSpace(line)
			}
		}
		return s + " " + kind
	}
	names := []string{"Content-Range", "Location"}
	if r.StatusCode < 300 {
		names = append(names, "Last-Modified", "Content-Length", "Content-Encoding", "Vary")
		if r.StatusCode == 200 { // nginx leaves it out of others
			names = append(names, "Accept-Ranges")
		}
		s += fmt.Sprintf(" %.20q", r.content)
	}
	for _, name := range names {
		s += " " + strings.Join(r.Header.Values(name), "|") + ";"
	}
	return s + fmt.Sprint(" ", r.Header.Get("ETag") != "")
}
