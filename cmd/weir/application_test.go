package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApplicationNames: what cannot be a name is told before Python is started, with what is meant.
func TestApplicationNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"sub", "pkg"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"h.py", "pkg.py", "sub/wsgi.py", "pkg/app.py"} {
		writeFile(t, filepath.Join(dir, file), "")
	}
	general := "write module:callable, module, or 'module:factory()'"
	for _, c := range []struct{ app, want string }{
		{":app", general},
		{"h:", general},
		{"h:app:x", general},
		{"h:make(1,", general},
		{"h:1", general},
		{"h app", general},
		{"1h:app", general},
		{"h.py", "not its file: h"},
		{"h.py:app", "not its file: h:app"},
		{"h.py:make('/x')", "not its file: h:make('/x')"},
		{"pkg/sub/wsgi.py", "not its file: pkg.sub.wsgi"},
		{"./sub/wsgi:app", "not its file: sub.wsgi:app"},
		{"/srv/site/wsgi.py:app", "not its file: wsgi:app --chdir /srv/site"},
		{"../wsgi.py", "not its file: wsgi --chdir .."},
		{"my-site.py", "not its file"},
		{"h.app", "h is a module, and no package: h:app"},
		{"sub.wsgi.app", "sub.wsgi is a module, and no package: sub.wsgi:app"},
		{"h", ""},
		{"h:app", ""},
		{"h:app.wsgi_app", ""},
		{"h:make()", ""},
		{"h:site.make(1, x={'a': 'b:c'})", ""},
		{"h: make (\n)", ""},
		{"größe:ä", ""},
		{"pkg.app", ""},
		{"sub.wsgi", ""},
		{"elsewhere.app", ""},
		{"", ""},
	} {
		f := applicationFlags{App: c.app, Chdir: dir}
		err := f.checkGiven()
		if c.want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.app, err, c.want)
		}
	}
}

// TestApplicationNameStatus: a name that cannot be one is a wrong command line, and not a failure that a restart may cure.
func TestApplicationNameStatus(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"run", "check", "config"} {
		if status, _, stderr := runToEnd(t, command, "site.py:app"); status != 2 || !strings.Contains(stderr, `application "site.py:app": a module is named, not its file: site:app`) {
			t.Errorf("%s: exit %d, %q", command, status, stderr)
		}
	}
}

func TestChdir(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dir, want string }{
		{"/no/such/dir", "weir: --chdir /no/such/dir: no such file or directory\n"},
		{"/dev/null", "weir: --chdir /dev/null: it is not a directory\n"},
	} {
		if status, _, stderr := runToEnd(t, "run", "a:b", "--chdir", c.dir); status != 1 || stderr != c.want {
			t.Errorf("exit %d, %q", status, stderr)
		}
	}
}
