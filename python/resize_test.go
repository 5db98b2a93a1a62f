package python_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
)

// TestResizeWhileItEnds: a worker that is not wanted any more before it could serve is no failure.
func TestResizeWhileItEnds(t *testing.T) {
	h := host(t, python.Options{})
	if n := h.Resize(1); n != 2 {
		t.Errorf("there will be %d workers", n)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if text := h.log.String(); strings.Contains(text, "cannot serve") {
		t.Errorf("the log has\n%s", text)
	}
}

// TestResizeInVain: a place whose worker cannot serve is given up, and that is told.
func TestResizeInVain(t *testing.T) {
	dir := t.TempDir()
	module := filepath.Join(dir, "once.py")
	if err := os.WriteFile(module, []byte("def app(environ, start): return []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := host(t, python.Options{App: "once:app", Chdir: dir})
	if err := os.Remove(module); err != nil {
		t.Fatal(err)
	}
	h.Resize(1)
	for deadline := time.Now().Add(patience); !strings.Contains(h.log.String(), "cannot serve, and is left out"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has\n%s", h.log.String())
		}
	}
	for deadline := time.Now().Add(patience); h.Resize(0) != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there are %d places", h.Resize(0))
		}
	}
}
