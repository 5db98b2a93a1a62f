package watch_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/python/watch"
)

const patience = 30 * time.Second

// watched is a Watcher that runs, and what it tells.
type watched struct {
	t        *testing.T
	dir      string
	changing chan struct{}
	changed  chan string
	log      record
}

type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func run(t *testing.T, dir string, o watch.Options) *watched {
	t.Helper()
	w := &watched{t: t, dir: dir, changing: make(chan struct{}, 100), changed: make(chan string, 100)}
	o.Logger = slog.New(slog.NewTextHandler(&w.log, nil))
	watcher, err := watch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Run(func() { w.changing <- struct{}{} }, func(file string) { w.changed <- file })
	}()
	t.Cleanup(func() {
		if err := watcher.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return w
}

// wait waits for a change, and returns the file that it names.
func (w *watched) wait() string {
	w.t.Helper()
	select {
	case <-w.changing:
	case <-time.After(patience):
		w.t.Fatal("no change was told")
	}
	select {
	case file := <-w.changed:
		return file
	case <-time.After(patience):
		w.t.Fatal("the change has no end")
	}
	return ""
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// project makes a directory with the files that tests change.
func project(t *testing.T) string {
	dir := t.TempDir()
	w := &watched{t: t, dir: dir}
	for _, name := range []string{
		"app.py", "pages/view.py", "notes.txt", "settings.toml", "templates/deep/page.html", ".git/hook.py", ".venv/lib/a.py", "env/pyvenv.cfg", "env/lib/b.py",
		"node_modules/c.py", "__pycache__/app.py", "empty/none.txt", "old/code.py",
	} {
		w.write(name, "1")
	}
	return dir
}

// TestChanges: each change is told, or not. After one that is not, another follows that is told: it is told alone.
func TestChanges(t *testing.T) {
	at := func(w *watched, name string) string { return filepath.Join(w.dir, name) }
	for name, c := range map[string]struct {
		change func(w *watched)
		want   string // how the path begins; "": it does not count
	}{
		"a file is written":   {func(w *watched) { w.write("app.py", "2") }, "app.py"},
		"a file further down": {func(w *watched) { w.write("pages/view.py", "2") }, "pages/view.py"},
		"a new file":          {func(w *watched) { w.write("pages/new.py", "") }, "pages/new.py"},
		"a file is removed":   {func(w *watched) { w.must(os.Remove(at(w, "app.py"))) }, "app.py"},
		"a file is touched":   {func(w *watched) { now := time.Now(); w.must(os.Chtimes(at(w, "app.py"), now, now)) }, "app.py"},
		"a file is replaced": {func(w *watched) {
			w.write(".app.py.swp", "2")
			w.must(os.Rename(at(w, ".app.py.swp"), at(w, "app.py")))
		}, "app.py"},
		"a directory comes":         {func(w *watched) { w.must(os.Rename(at(w, "old"), at(w, "young"))) }, "old"},
		"a directory goes":          {func(w *watched) { w.must(os.RemoveAll(at(w, "old"))) }, "old/code.py"},
		"an extra file":             {func(w *watched) { w.write("settings.toml", "2") }, "settings.toml"},
		"an extra directory":        {func(w *watched) { w.write("templates/deep/page.html", "2") }, "templates/deep/page.html"},
		"new in an extra directory": {func(w *watched) { w.write("templates/new/other.html", "2") }, "templates/new"},
		"another file":              {func(w *watched) { w.write("notes.txt", "2") }, ""},
		"a hidden directory":        {func(w *watched) { w.write(".git/hook.py", "2") }, ""},
		"a hidden virtualenv":       {func(w *watched) { w.write(".venv/lib/a.py", "2") }, ""},
		"a virtualenv":              {func(w *watched) { w.write("env/lib/b.py", "2") }, ""},
		"node_modules":              {func(w *watched) { w.write("node_modules/c.py", "2") }, ""},
		"__pycache__":               {func(w *watched) { w.write("__pycache__/app.py", "2") }, ""},
		"a new __pycache__":         {func(w *watched) { w.write("pages/__pycache__/view.py", "2") }, ""},
		"an empty directory":        {func(w *watched) { w.must(os.Mkdir(at(w, "more"), 0o700)) }, ""},
		"an editor's lock":          {func(w *watched) { w.must(os.Symlink("nowhere", at(w, ".#app.py"))) }, ""},
		"an editor's copy":          {func(w *watched) { w.write("app.py~", "2") }, ""},
		"permissions": {func(w *watched) {
			then := time.Now().Add(-time.Hour)
			w.must(os.Chtimes(at(w, "app.py"), then, then))
			w.must(os.Chmod(at(w, "app.py"), 0o644))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t)
			w := run(t, dir, watch.Options{Dirs: []string{dir}, Files: []string{filepath.Join(dir, "settings.toml"), filepath.Join(dir, "templates"), filepath.Join(dir, "not-yet.json")}})
			c.change(w)
			want := c.want
			if want == "" {
				want = "not-yet.json"
				w.write(want, "now")
			}
			if got := w.wait(); !strings.HasPrefix(got, filepath.Join(dir, want)) {
				t.Errorf("%s was told of, want %s", got, want)
			}
		})
	}
}

// TestNewDirectories: what comes in a directory that was made later is told too.
func TestNewDirectories(t *testing.T) {
	dir := project(t)
	w := run(t, dir, watch.Options{Dirs: []string{dir}})
	w.must(os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o700))
	for i := range 3 { // the first may be found with the directory, or by itself
		w.write("a/b/c/new.py", fmt.Sprint(i))
		w.wait()
	}
}

// TestSavesTogether: what is saved in one go is told once.
func TestSavesTogether(t *testing.T) {
	dir := project(t)
	w := run(t, dir, watch.Options{Dirs: []string{dir}})
	for i := range 50 {
		w.write(fmt.Sprintf("pages/view%d.py", i), "")
	}
	w.wait()
	if n := len(w.changed); n > 25 { // one more each time that the machine pauses
		t.Errorf("it was told %d times more", n)
	}
}

// TestCompiled: what Python has compiled of a file that changes is removed, and nothing else.
func TestCompiled(t *testing.T) {
	dir := project(t)
	w := run(t, dir, watch.Options{Dirs: []string{dir}})
	for _, name := range []string{"app.cpython-311.pyc", "app.cpython-313.opt-1.pyc", "apple.cpython-311.pyc"} {
		w.write("__pycache__/"+name, "compiled")
	}
	w.write("app.py", "2")
	w.wait()
	left, err := filepath.Glob(filepath.Join(dir, "__pycache__", "*.pyc"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "apple.cpython-311.pyc" {
		t.Errorf("%v are left, %v", left, err)
	}
}

// TestBound: directories beyond the bound are left out, the nearest stay, and that is logged.
func TestBound(t *testing.T) {
	dir := project(t)
	w := run(t, dir, watch.Options{Dirs: []string{dir}, MostDirs: 2})
	if !strings.Contains(w.log.String(), "too many directories") {
		t.Errorf("log is %q", w.log.String())
	}
	w.write("app.py", "2")
	if got := w.wait(); got != filepath.Join(dir, "app.py") {
		t.Errorf("%s was told of", got)
	}
}

// TestCannotWatch: what is not there is an error.
func TestCannotWatch(t *testing.T) {
	dir := t.TempDir()
	for _, o := range []watch.Options{{Dirs: []string{dir + "/none"}}, {Files: []string{dir + "/none/file"}}} {
		if w, err := watch.New(o); err == nil || !strings.Contains(err.Error(), "none") {
			t.Errorf("%+v: %v", o, err)
			if w != nil {
				_ = w.Close()
			}
		}
	}
}
