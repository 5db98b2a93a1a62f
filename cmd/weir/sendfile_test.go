package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sendfileApp names files: of its own accord, and as Flask does.
const sendfileApp = `
import flask

site = flask.Flask(__name__)
site.use_x_sendfile = True

@site.route("/flask")
def by_flask():
    return flask.send_file(flask.request.args["path"], mimetype="image/x-own", max_age=7)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/flask":
        return site(environ, start_response)
    field, _, value = environ["QUERY_STRING"].partition("=")
    start_response("200 OK", [(field, value), ("Content-Type", "text/x-own")])
    if environ["PATH_INFO"] == "/pieces":
        return iter([b"secret ", b"content"])
    return [b"secret content"]
`

// TestSendfile: what Python's applications name is sent by weir, to curl too.
func TestSendfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := strings.Repeat("0123456789abcdef", 1<<16)
	for name, text := range map[string]string{"app.py": sendfileApp, "files/large": content, "outside": "outside"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := dir + "/files"
	p := start(t, nil, "run", "app:app", "--chdir", dir, "--python", "/usr/bin/python3", "-b", "127.0.0.1:0", "-w", "1",
		"--sendfile-root", files, "--sendfile-root", "/protected="+files)
	for _, c := range []struct {
		target, rest string
		status       int
		kind, body   string
	}{
		{"/?X-Sendfile=" + files + "/large", "", 200, "text/x-own", content},
		{"/pieces?X-Sendfile=" + files + "/large", "", 200, "text/x-own", content},
		{"/?X-Accel-Redirect=/protected/large", "", 200, "text/x-own", content},
		{"/flask?path=" + files + "/large", "", 200, "image/x-own", content},
		{"/flask?path=" + files + "/large", "Range: bytes=16-31\r\n\r\n", 206, "image/x-own", "0123456789abcdef"},
		{"/?X-Sendfile=" + files + "/large", "Range: bytes=16-31\r\n\r\n", 206, "text/x-own", "0123456789abcdef"},
		{"/?X-Sendfile=" + files + "/large", "If-Match: \"x\"\r\n\r\n", 412, "", ""},
		{"/?X-Sendfile=" + dir + "/outside", "", 500, "text/plain; charset=utf-8", "Internal Server Error\n"},
		{"/pieces?X-Sendfile=" + dir + "/outside", "", 500, "text/plain; charset=utf-8", "Internal Server Error\n"},
		{"/?X-Accel-Redirect=/protected/none", "", 404, "text/plain; charset=utf-8", "Not Found\n"},
		{"/?X-Other=x", "", 200, "text/x-own", "secret content"},
	} {
		r := p.ask("GET", c.target, c.rest)
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != c.kind || r.body != c.body {
			t.Errorf("%s: %s, %q, %.50q (%d octets)", c.target, r.Status, r.Header.Get("Content-Type"), r.body, len(r.body))
		}
		if r.Header.Get("X-Sendfile")+r.Header.Get("X-Accel-Redirect") != "" {
			t.Errorf("%s: %v", c.target, r.Header)
		}
	}
	out := filepath.Join(dir, "out")
	if err := os.WriteFile(out, []byte(content[:1000]), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("curl", "-sS", "-C", "-", "-o", out, "http://"+p.at[0]+"/flask?path="+files+"/large").CombinedOutput(); err != nil {
		t.Errorf("curl: %v: %s", err, text)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != content {
		t.Errorf("curl has %d octets: %v", len(got), err)
	}
	if status := p.stop(); status != 0 || strings.Count(p.stderr.String(), "is not sent") != 3 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}

// TestSendfileErrors: one line that names the option.
func TestSendfileErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status      int
		value, want string
	}{
		{2, "", "--sendfile-root must be"},
		{2, "/x=", "--sendfile-root must be"},
		{2, "x=/tmp", "does not begin with a slash"},
		{1, "/does/not/exist", "--sendfile-root: open /does/not/exist"},
	} {
		status, stdout, stderr := runToEnd(t, "demo", "-b", "127.0.0.1:0", "--sendfile-root="+c.value)
		if status != c.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, %q, %q", c.value, status, stdout, stderr)
		}
	}
}
