package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStaticErrors: one line that names the option; 2 for what is wrong in itself, 1 for a directory that is.
func TestStaticErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "--static must be /PREFIX=DIR", []string{"--static=" + dir}},
		{2, "--static must be /PREFIX=DIR", []string{"--static=/x="}},
		{2, "does not begin with a slash", []string{"--static=x=" + dir}},
		{2, "no plain path", []string{"--static=/a/../b=" + dir}},
		{2, "no plain path", []string{"--static=//a=" + dir}},
		{2, "twice", []string{"--static=/x=" + dir, "--static=/x/=" + dir}},
		{2, "--static-max-age", []string{"--static=/x=" + dir, "--static-max-age=-1"}},
		{2, "--static-max-age", []string{"--static=/x=" + dir, "--static-max-age=soon"}},
		{2, "--static-immutable", []string{"--static=/x=" + dir, "--static-immutable=("}},
		{2, "--static-max-age needs --static", []string{"--static-max-age=0"}},
		{2, "--static-immutable needs --static", []string{"--static-immutable=x", "--sendfile-root=" + dir}},
		{2, "--static-dotfiles needs --static", []string{"--static-dotfiles"}},
		{2, "--static-symlinks needs --static or --sendfile-root", []string{"--static-symlinks"}},
		{1, "--static: open " + dir + "/none", []string{"--static=/x=" + dir + "/none"}},
		{1, "--static: open " + file, []string{"--static=/x=" + file}},
	} {
		for _, command := range [][]string{{"demo", "-b", "127.0.0.1:0"}, {"run", "hello:app", "--chdir", "../../examples/wsgi", "-b", "127.0.0.1:0"}} {
			status, stdout, stderr := runToEnd(t, append(command, c.args...)...)
			if status != c.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "weir: ") || !strings.Contains(stderr, c.want) {
				t.Errorf("%s %q: exit %d, %q, %q; want %d and one line with %q", command[0], c.args, status, stdout, stderr, c.status, c.want)
			}
		}
	}
}

// TestStatic: the longest prefix counts, the flags reach the files, and what is below no prefix is the application's.
func TestStatic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"a/f.txt": "a", "b/f.txt": "b", "b/.dot": "dot", "b/x.1234.css": "css"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("f.txt", filepath.Join(dir, "b", "link")); err != nil {
		t.Fatal(err)
	}
	flags := []string{"-b", "127.0.0.1:0", "--static", "/s=" + dir + "/a", "--static", "/s/b/=" + dir + "/b",
		"--static-max-age", "1h", "--static-immutable", `\.\d+\.css$`, "--static-dotfiles", "--static-symlinks"}
	for _, command := range [][]string{{"demo"}, {"run", "hello:app", "--chdir", "../../examples/wsgi"}} {
		t.Run(command[0], func(t *testing.T) {
			p := start(t, nil, append(command, flags...)...)
			for _, c := range []struct{ target, content, caching string }{
				{"/s/f.txt", "a", "public, max-age=3600"},
				{"/s/b/f.txt", "b", "public, max-age=3600"},
				{"/s/b/.dot", "dot", "public, max-age=3600"},
				{"/s/b/link", "b", "public, max-age=3600"},
				{"/s/b/x.1234.css", "css", "public, max-age=31536000, immutable"},
			} {
				if r := p.ask("GET", c.target); r.StatusCode != 200 || r.body != c.content || r.Header.Get("Cache-Control") != c.caching {
					t.Errorf("%s: %s, %q, %v", c.target, r.Status, r.body, r.Header)
				}
			}
			if r := p.ask("GET", "/s/none"); r.StatusCode != 404 {
				t.Errorf("/s/none: %s", r.Status)
			}
			if r := p.ask("GET", "/"); r.StatusCode != 200 || r.Header.Get("ETag") != "" {
				t.Errorf("/: %s, %v", r.Status, r.Header)
			}
			if status := p.stop(); status != 0 {
				t.Errorf("exit %d: %s", status, p.stderr.String())
			}
		})
	}
}
