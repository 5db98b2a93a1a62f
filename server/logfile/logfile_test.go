package logfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/logfile"
)

func open(t *testing.T, path string) *logfile.File {
	t.Helper()
	f, err := logfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func text(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAppends: what was there stays.
func TestAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for i := range 2 {
		f := open(t, path)
		fmt.Fprintln(f, i)
		for range 2 {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := fmt.Fprintln(f, "late"); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a write behind the end: %v", err)
		}
	}
	if got := text(t, path); got != "0\n1\n" {
		t.Errorf("got %q", got)
	}
}

// TestRotation: a file is renamed again and again while it is written, and no line is lost or torn.
func TestRotation(t *testing.T) {
	const rotations, writers = 20, 4
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, path)
	stop := make(chan struct{})
	var lines [writers]int
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for {
				if _, err := fmt.Fprintf(f, "writer %d line %d\n", w, lines[w]); err != nil {
					t.Error(err)
					return
				}
				lines[w]++
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	all := ""
	for i := range rotations {
		moved := fmt.Sprint(path, ".", i)
		if err := errors.Join(os.Rename(path, moved), f.Reopen()); err != nil {
			t.Fatal(err)
		}
		all += text(t, moved)
	}
	close(stop)
	group.Wait()
	all += text(t, path)
	var next [writers]int
	for line := range strings.Lines(all) {
		var w, n int
		if _, err := fmt.Sscanf(line, "writer %d line %d\n", &w, &n); err != nil || n != next[w] {
			t.Fatalf("%q, want line %d of it: %v", line, next[w], err)
		}
		next[w]++
	}
	if next != lines {
		t.Errorf("%v lines, want %v", next, lines)
	}
}

// TestCannotReopen: the old file is used on.
func TestCannotReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log")
	f := open(t, path)
	moved := dir + ".moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := fmt.Fprintln(f, "still"); err != nil {
		t.Error(err)
	}
	if got := text(t, filepath.Join(moved, "log")); got != "still\n" {
		t.Errorf("got %q", got)
	}
}

// TestStream: a stream has no name to open again, and closing it leaves the stream open.
func TestStream(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	f, err := logfile.Stream(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Error(err)
	}
	fmt.Fprint(f, "a")
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.WriteString("b"); err != nil {
		t.Error(err)
	}
	buffer := make([]byte, 10)
	n, err := r.Read(buffer)
	if string(buffer[:n]) != "ab" || err != nil {
		t.Errorf("got %q, %v", buffer[:n], err)
	}
}

func TestCannotOpen(t *testing.T) {
	if _, err := logfile.Open(filepath.Join(t.TempDir(), "missing", "log")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestStuck: nobody waits for a reader that does not read.
func TestStuck(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil { // one that blocks, as standard streams are
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(ends[0]), "r"), os.NewFile(uintptr(ends[1]), "w")
	defer w.Close()
	f, err := logfile.Stream(w)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = f.Write(make([]byte, 1<<20)) // more than a pipe holds
	}()
	if _, err := r.Read(make([]byte, 1)); err != nil { // it is writing
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- f.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Close waits")
	}
	_ = r.Close()
	<-written // with an error
}
