package exchange_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirhttp/weir/app"
)

// openFile returns an open file with that content.
func openFile(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func withoutFlush(journal string) string { return strings.ReplaceAll(journal, "flush; ", "") }

func isClosed(f *os.File) bool {
	_, err := f.Stat()
	return errors.Is(err, os.ErrClosed)
}

// TestDeferredFile: content stays in order around files, one is passed on after the other, and what becomes of a response becomes
// of its files.
func TestDeferredFile(t *testing.T) {
	length := func(n string) []app.Header { return []app.Header{header("Content-Length", n)} }
	started := func(t *testing.T, d app.Deferred, headers ...app.Header) {
		t.Helper()
		if err := d.Start("200 OK", headers); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		method  string
		script  func(t *testing.T, d app.Deferred, file func(content string) *os.File)
		resume  int // how often the client has taken a file
		short   bool
		gone    bool // the client leaves then
		journal string
		content string
		open    int // files that are not closed
		log     string
	}{
		{"alone", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d, length("3")...)
			if err := errors.Join(d.SendFile(file("0123456"), 2, 3), d.Close()); err != nil {
				t.Error(err)
			}
		}, 1, false, false, "head 200 OK; file 2+3; finish true", "234", 0, ""},
		{"not taken yet", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.SendFile(file("two"), 0, 3), d.Close())
		}, 0, false, false, "head 200 OK; file 0+3", "one", 2, ""},
		{"in order", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			for _, s := range []string{"a", "b", "c"} {
				_, _ = d.Write([]byte(s))
				_, _ = d.Write([]byte(s))
				if err := d.SendFile(file("file "+s), 0, 6); err != nil {
					t.Error(err)
				}
			}
			if n, err := d.Write([]byte("end")); n != 27 || err != nil {
				t.Errorf("unsent %d, %v", n, err)
			}
			_ = d.Close()
		}, 3, false, false, "head 200 OK; chunk aa; file 0+6; chunk bb; file 0+6; chunk cc; file 0+6; chunk end; finish true",
			"aafile abbfile bccfile cend", 0, ""},
		{"nothing of it", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			_ = errors.Join(d.SendFile(file("one"), 0, 0), d.Close())
		}, 0, false, false, "head 200 OK; finish true", "", 0, ""},
		{"HEAD", "HEAD", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d, length("3")...)
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.Close())
		}, 0, false, false, "head 200 OK; finish true", "", 0, ""},
		{"no content", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			_ = errors.Join(d.Start("304 Not Modified", nil), d.SendFile(file("one"), 0, 3), d.Close())
		}, 0, false, false, "head 304 Not Modified; finish true", "", 0, ""},
		{"more than declared", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d, length("4")...)
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.SendFile(file("two"), 0, 3), d.SendFile(file("three"), 0, 5), d.Close())
		}, 2, false, false, "head 200 OK; file 0+3; file 0+1; finish true", "onet", 0, "longer than the Content-Length"},
		{"less than declared", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d, length("4")...)
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.Close())
		}, 1, false, false, "head 200 OK; file 0+3; finish false", "one", 0, "shorter than the Content-Length"},
		{"shorter than it was", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.SendFile(file("two"), 0, 3))
			_, _ = d.Write([]byte("end"))
			_ = d.Close()
		}, 1, true, false, "head 200 OK; file 0+3; finish false", "one", 0, "shorter than what was to be sent"},
		{"abort", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			_, _ = d.Write([]byte("a"))
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.SendFile(file("two"), 0, 3))
			d.Abort(errors.New("on purpose"))
			if err := d.SendFile(file("three"), 0, 3); err != app.ErrGone {
				t.Error(err)
			}
		}, 0, false, false, "head 200 OK; chunk a; finish false", "a", 0, "on purpose"},
		{"abort before the head", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			if d.SendFile(file("one"), 0, 3) == nil {
				t.Error("a file begins the response")
			}
			d.Abort(nil)
		}, 0, false, false, "head 500 Internal Server Error; chunk Internal Server Erro; finish true", "500", 0, ""},
		{"client leaves", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			_ = errors.Join(d.SendFile(file("one"), 0, 3), d.SendFile(file("two"), 0, 3))
		}, 0, false, true, "head 200 OK; file 0+3", "one", 0, ""},
		{"after the end", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			_ = d.Close()
			if err := d.SendFile(file("one"), 0, 3); err != app.ErrGone {
				t.Error(err)
			}
		}, 0, false, false, "head 200 OK; finish true", "", 0, ""},
		{"no such part", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			if d.SendFile(file("one"), -1, 3) == nil || d.SendFile(file("one"), 0, -1) == nil {
				t.Error("no error")
			}
			_ = d.Close()
		}, 0, false, false, "head 200 OK; finish true", "", 0, ""},
		{"no file", "GET", func(t *testing.T, d app.Deferred, file func(string) *os.File) {
			started(t, d)
			path := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			fifo, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if d.SendFile(fifo, 0, 3) == nil {
				t.Error("a fifo is sent")
			}
			newExecutor().runUntil(t, "the fifo to be closed", func() bool { return isClosed(fifo) })
			_ = d.Close()
		}, 0, false, false, "head 200 OK; finish true", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, p, d := deferringTo(t, c.method)
			var files []*os.File
			c.script(t, d, func(content string) *os.File {
				f := openFile(t, content)
				files = append(files, f)
				return f
			})
			drain := func() {
				for r.exec.step() {
				}
			}
			drain()
			for range c.resume {
				p.short = c.short
				p.d.Resume()
				drain()
			}
			if c.gone {
				p.d.Gone()
			}
			if journal := withoutFlush(r.journal.String()); journal != c.journal {
				t.Errorf("calls are %s\nwant      %s", journal, c.journal)
			}
			if content := r.content.String(); content != c.content && !strings.HasPrefix(c.journal, "head 500") {
				t.Errorf("content is %q", content)
			}
			if !strings.Contains(r.logs.String(), c.log) || c.log == "" && r.logs.String() != "" && !strings.HasPrefix(c.journal, "head 500") {
				t.Errorf("logged: %s", &r.logs)
			}
			r.exec.runUntil(t, "files to be closed", func() bool {
				open := 0
				for _, f := range files {
					if !isClosed(f) {
						open++
					}
				}
				return open == c.open
			})
		})
	}
}

// TestDeferredFileAbortMidway: the rest of a file that is being sent is given up, and so is what is behind it.
func TestDeferredFileAbortMidway(t *testing.T) {
	r, _, d := deferringTo(t, "GET")
	one, two := openFile(t, "one"), openFile(t, "two")
	_ = d.Start("200 OK", nil)
	_ = errors.Join(d.SendFile(one, 0, 3), d.SendFile(two, 0, 3))
	r.exec.step()
	if got := r.journal.String(); got != "head 200 OK; file 0+3" || isClosed(one) || isClosed(two) {
		t.Fatalf("calls are %s", got)
	}
	_, _ = d.Write([]byte("end"))
	d.Abort(nil)
	for r.exec.step() {
	}
	if got := r.journal.String(); got != "head 200 OK; file 0+3; finish false" {
		t.Errorf("calls are %s", got)
	}
	r.exec.runUntil(t, "files to be closed", func() bool { return isClosed(one) && isClosed(two) })
}

// TestDeferredFileIsTakenSlowly: a file counts as unsent until the client has it, and the watcher is told then.
func TestDeferredFileIsTakenSlowly(t *testing.T) {
	r, p, d := deferringTo(t, "GET")
	w := &watcher{journal: r.journal}
	d.Watch(w)
	const size = 200_000
	_ = d.Start("200 OK", nil)
	if err := d.SendFile(openFile(t, string(bytes.Repeat([]byte("x"), size))), 0, size); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Write([]byte("end")); n <= 64<<10 || err != nil {
		t.Errorf("%d unsent, %v", n, err)
	}
	p.wire.unsent = 64<<10 + 1 // what a connection says of a file
	for r.exec.step() {
	}
	if n, _ := d.Write([]byte(".")); n <= 64<<10 {
		t.Errorf("%d unsent while the file is being sent", n)
	}
	if strings.Contains(r.journal.String(), "drained") {
		t.Errorf("calls are %s", r.journal)
	}
	p.wire.unsent = 0
	p.d.Resume()
	for r.exec.step() {
	}
	if got := r.journal.String(); got != "head 200 OK; file 0+200000; chunk end.; drained" {
		t.Errorf("calls are %s", got)
	}
	_ = d.Close()
	for r.exec.step() {
	}
	if !r.whole {
		t.Errorf("calls are %s", r.journal)
	}
}

// watcher records what it is told.
type watcher struct{ journal *journal }

func (w *watcher) Left()    { w.journal.add("left") }
func (w *watcher) Drained() { w.journal.add("drained") }

// TestFileShort: a body's file that ends early cuts the response off.
func TestFileShort(t *testing.T) {
	file := openFile(t, "one")
	b, err := app.FileBody(file, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	r := newRun("GET").start(answering(b, "200 OK"))
	r.short = true
	r.resume()
	if got := r.journal.String(); got != "head 200 OK; file 0+3; finish false" || !isClosed(file) {
		t.Errorf("calls are %s", got)
	}
	if !strings.Contains(r.logs.String(), "shorter than what was to be sent") {
		t.Errorf("logged: %s", &r.logs)
	}
}

// fileBody is a body whose file others send.
type fileBody struct {
	sizedBody
	file app.File
}

func (b fileBody) File() (app.File, int64) { return b.file, 2 }

// TestFileFromGoroutine: the file of a body that comes from a goroutine is left to the wire, and the goroutine ends. The body is closed once, when the
// client has the file or is gone.
func TestFileFromGoroutine(t *testing.T) {
	for _, c := range []struct {
		name    string
		end     func(r *run)
		journal string
		whole   bool
		log     string
	}{
		{"sent", func(r *run) { r.exchange.Resume() }, "head 200 OK; file 2+5; finish true", true, ""},
		{"short", func(r *run) { r.short = true; r.exchange.Resume() }, "head 200 OK; file 2+5; finish false", false, "shorter than what was to be sent"},
		{"gone", func(r *run) { r.exchange.Gone() }, "head 200 OK; file 2+5", false, ""},
		{"close fails", func(r *run) { r.exchange.Resume() }, "head 200 OK; file 2+5; finish true", true, "no more disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := &journal{} // of the body, which is closed on another goroutine
			b := &body{journal: calls}
			if c.name == "close fails" {
				b.closes = func() error { return errors.New("no more disk") }
			}
			file := fileBody{sizedBody{b, 5}, openFile(t, "0123456789")}
			r := newRun("GET").start(app.Blocking(answering(file, "200 OK")))
			r.exec.runUntil(t, "the file to be passed on", func() bool { return strings.Contains(r.journal.String(), "file") })
			if b.closedTimes() != 0 {
				t.Error("closed while it is sent")
			}
			c.end(r)
			r.exec.runUntil(t, "Close", func() bool { return b.closedTimes() > 0 && strings.Contains(r.logs.String(), c.log) })
			r.exchange.Gone()
			if got := withoutFlush(r.journal.String()); got != c.journal || r.whole != c.whole || calls.String() != "close" {
				t.Errorf("wire: %s; body: %s", got, calls)
			}
			if c.log == "" && r.logs.String() != "" {
				t.Errorf("log: %s", r.logs.String())
			}
		})
	}
}
