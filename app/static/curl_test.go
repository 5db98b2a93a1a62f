package static_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app/static"
)

// curl runs curl, and returns what it has written to a file and to its output.
func (s *served) curl(t *testing.T, already []byte, args ...string) (file []byte, output string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	if already != nil {
		if err := os.WriteFile(path, already, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args = append([]string{"-sS", "--max-time", "30", "--path-as-is", "-o", path}, args...)
	args[len(args)-1] = "http://" + s.address + args[len(args)-1]
	out, err := exec.Command("curl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v (it is Debian's package curl): %s\n%s", args, err, out, s.log)
	}
	file, _ = os.ReadFile(path)
	return file, string(out)
}

// TestCurl: a client of another hand resumes, asks for ranges and unpacks.
func TestCurl(t *testing.T) {
	dir := files(t)
	text := []byte(strings.Repeat("let x = 1;\n", 5000))
	write(t, filepath.Join(dir, "code.js"), text)
	if out, err := exec.Command("gzip", "-9k", filepath.Join(dir, "code.js")).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	packed, err := os.Stat(filepath.Join(dir, "code.js.gz"))
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, dir, static.Options{})
	etag := s.ask("HEAD", "/s/large.bin").Header.Get("ETag")
	status := []string{"-w", "%{http_code} %{size_download} %{content_type}"}
	for _, c := range []struct {
		name    string
		already []byte
		args    []string
		want    []byte
		output  string
	}{
		{"whole", nil, []string{"/s/large.bin"}, large, "200 6291456 application/octet-stream"},
		{"resumed", large[:1000000], []string{"-C", "-", "/s/large.bin"}, large, "206 5291456 application/octet-stream"},
		{"a range", nil, []string{"-r", "5-1000004", "/s/large.bin"}, large[5:1000005], "206 1000000 application/octet-stream"},
		{"the end", nil, []string{"-r", "-10", "/s/large.bin"}, large[len(large)-10:], "206 10 application/octet-stream"},
		{"compressed", nil, []string{"--compressed", "/s/code.js"}, text, fmt.Sprint("200 ", packed.Size(), " text/javascript")},
		{"not compressed", nil, []string{"/s/code.js"}, text, "200 55000 text/javascript; charset=utf-8"},
		{"not modified", nil, []string{"-H", "If-None-Match: " + etag, "/s/large.bin"}, nil, "304 0 "},
		{"by time", nil, []string{"-z", pastDate, "/s/a.txt"}, nil, "304 0 "},
		{"head", nil, []string{"-I", "/s/large.bin"}, nil, "200 0 application/octet-stream"},
		{"redirected", nil, []string{"-L", "/s/page"}, []byte("<p>index"), "200 8 text/html; charset=utf-8"},
		{"HTTP/1.0", nil, []string{"-0", "/s/large.bin"}, large, "200 6291456 application/octet-stream"},
		{"a way out", nil, []string{"/s/../outside"}, []byte("Not Found\n"), "404 10 text/plain; charset=utf-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, output := s.curl(t, c.already, append(status[:2:2], c.args...)...)
			if !strings.HasPrefix(output, c.output) {
				t.Errorf("curl says %q, want %q", output, c.output)
			}
			if c.name != "head" && !bytes.Equal(file, c.want) {
				t.Errorf("%d octets, want %d", len(file), len(c.want))
			}
		})
	}
}
