package python_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
)

// TestEnd: a worker that is replaced, or ends with weir, finishes what its threads are at; an executor that has nothing to do takes no time.
func TestEnd(t *testing.T) {
	for _, options := range []python.Options{
		{}, {Class: python.Threads, Threads: 4}, {Class: python.Gevent, Python: "/usr/bin/python3"}, {Preload: true},
	} {
		t.Run(fmt.Sprint(options.Class, options.Preload), func(t *testing.T) {
			h := host(t, options)
			done := filepath.Join(t.TempDir(), "done")
			exists := func() bool { _, err := os.Stat(done); return err == nil }
			pid := h.get("/thread?0.5," + done).body
			h.get("/executor")
			h.Replace()
			h.eventually("another worker serves", func() bool { return h.get("/pid").body != pid })
			h.eventually("the old one is gone", func() bool { return h.Stats().Leaving == 0 })
			if !exists() {
				t.Error("its thread was cut off")
			}

			_ = os.Remove(done)
			h.get("/thread?0.5," + done)
			h.get("/executor")
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := h.Shutdown(ctx); err != nil || !exists() {
				t.Errorf("%v; the thread has ended: %v", err, exists())
			}
			if died := h.Stats().Died; died != 0 {
				t.Errorf("%d have died", died)
			}
		})
	}
}

// TestEndless: a thread without end keeps a worker for GracefulTimeout, and Shutdown until its context ends.
func TestEndless(t *testing.T) {
	h := host(t, python.Options{GracefulTimeout: 300 * time.Millisecond})
	pid := h.get("/thread?3600,never").body
	h.Replace()
	h.eventually("another worker serves", func() bool { return h.get("/pid").body != pid })
	h.eventually("the old one is killed", func() bool { return h.Stats().Leaving == 0 })
	if !strings.Contains(h.log.String(), "a thread of the application goes on that is no daemon") {
		t.Error("that is not logged")
	}
	h.get("/thread?3600,never")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := h.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("%v", err)
	}
}
