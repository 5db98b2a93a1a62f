package registry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agnivade/levenshtein"

	"github.com/weirhttp/weir/bench/servers"
)

// TestErrors replays testdata: the first line of a file is a comment with what the message must have, parts between bars.
func TestErrors(t *testing.T) {
	names, err := filepath.Glob("testdata/wrong/*.toml")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		_, err = Load(nil, fstest.MapFS{"one.toml": {Data: text}}, ".")
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(first, "# "), " | ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in %q", name, part, err)
			}
		}
		if !strings.HasPrefix(err.Error(), "one.toml: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q is not one line with the name of the file", name, err)
		}
	}
}

// TestServers: the registry of this module is right, and what it builds is there.
func TestServers(t *testing.T) {
	entries, err := Load(nil, servers.Files, "../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, source := range []string{e.Find.Build, e.Find.Compile} {
			if _, err := os.Stat(e.path(source)); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
	}
	for _, want := range []string{"weir", "floor", "gnet", "gnet reuseport", "fasthttp", "hertz", "nethttp", "nginx"} {
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == want }) {
			t.Errorf("there is no %s", want)
		}
	}
}

const whole = `
name = "mine"
kind = "python"
[find]
program = "./serve.sh"
[start]
command = ["{binary}", "-b", "127.0.0.1:{port}", "-w", "{workers}", "--threads={loops}", "-c", "{dir}/conf"]
closing = ["--close"]
ready = "/ready"
within = "90s"
[[start.files]]
path = "conf"
text = "port {port} {\n}\n"
[version]
command = ["{binary}", "--version"]
[routes]
plaintext = "/"
`

func TestPlaceholders(t *testing.T) {
	e, err := Parse([]byte(whole), "/base")
	if err != nil {
		t.Fatal(err)
	}
	v := Values{Binary: "/bin/x", Port: 8000, Loops: 2, Workers: 3, Dir: "/tmp/d"}
	want := []string{"/bin/x", "-b", "127.0.0.1:8000", "-w", "3", "--threads=2", "-c", "/tmp/d/conf"}
	if got := e.Command(v, false); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := e.Command(v, true); !slices.Equal(got, append(want, "--close")) {
		t.Errorf("closing: got %q", got)
	}
	if got := e.Files(v); len(got) != 1 || got[0].Text != "port 8000 {\n}\n" {
		t.Errorf("files: got %+v", got)
	}
	if e.Family != "mine" || e.Within() != 90*time.Second || e.path(e.Find.Program) != "/base/serve.sh" {
		t.Errorf("got %+v", e)
	}
}

// TestLoad: a later folder replaces by name and adds the rest.
func TestLoad(t *testing.T) {
	file := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.Replace(whole, "mine", name, 1))}
	}
	entries, err := Load(nil, fstest.MapFS{"a.toml": file("a"), "b.toml": file("b")}, "/one")
	if err != nil {
		t.Fatal(err)
	}
	entries, err = Load(entries, fstest.MapFS{"x.toml": file("c"), "y.toml": file("a"), "z.txt": file("d")}, "/two")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name+e.base)
	}
	if want := []string{"a/two", "b/one", "c/two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := Load(nil, fstest.MapFS{"x.toml": file("a"), "y.toml": file("a")}, ""); err == nil || !strings.Contains(err.Error(), "x.toml") {
		t.Errorf("the same name twice: got %v", err)
	}
}

// TestPrepare: a program in the folder of the file, with its version; and one that is nowhere.
func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "serve.sh"), []byte("#!/bin/sh\necho mine 1.2\necho more\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	e, err := Parse([]byte(whole), dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Prepare(context.Background(), dir)
	if err != nil || p.Binary != filepath.Join(dir, "serve.sh") || p.VersionText != "mine 1.2" {
		t.Errorf("got %+v, %v", p, err)
	}
	e.Find = Find{Program: "weir-is-not-this", Package: "such"}
	if _, err := e.Prepare(context.Background(), dir); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "Debian's package is such") {
		t.Errorf("got %v", err)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"comand", "command", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"raedy", "ready", 2}} {
		if got := levenshtein.ComputeDistance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
