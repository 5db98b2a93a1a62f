package python_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/python"
)

// TestSlowPath: nothing is put behind a request whose path is known for calls that take long, until they no longer do.
func TestSlowPath(t *testing.T) {
	for path, other := range map[string]string{"/sleep": "/spin", "/spin": "/sleep"} {
		t.Run(path, func(t *testing.T) {
			h := host(t, python.Options{})
			h.eventually("the path is slow", func() bool {
				h.get(path + "?0.05")
				return h.IsSlow(path)
			})
			h.eventually("the window is wide", func() bool {
				h.together(16, "/")
				return h.Stats().Workers[0].Window > 8
			})
			var group sync.WaitGroup
			ask := func(n int, target string, busy, waiting int) {
				group.Go(func() { h.together(n, target) })
				h.eventually(target+" waits", func() bool { return h.Stats().Workers[0].InFlight == busy && h.Stats().Waiting == waiting })
			}
			ask(1, other+"?2", 1, 0)
			ask(1, path+"?1", 1, 1)
			time.Sleep(2 * time.Millisecond) // or the next may overtake it
			ask(5, "/", 1, 6)
			before := h.Stats().TakenBack
			h.eventually("the worker has the slow one", func() bool { return h.Stats().Workers[0].InFlight == 1 && h.Stats().Waiting == 5 })
			if n := h.Stats().TakenBack - before; n != 0 {
				t.Errorf("%d requests were behind it and taken back", n)
			}
			group.Wait()
			h.eventually("the path is quick again", func() bool {
				h.get(path + "?0")
				return !h.IsSlow(path)
			})
		})
	}
}

// TestSlowPathIsExpected: requests of other paths go on coming together while calls of a slow path take long.
func TestSlowPathIsExpected(t *testing.T) {
	h := host(t, python.Options{Workers: 2})
	h.eventually("the path is slow", func() bool {
		h.get("/sleep?0.05")
		return h.IsSlow("/sleep")
	})
	h.eventually("requests come together", func() bool {
		h.get("/sleep?0.05")
		return h.Calm()
	})
}

// TestSlowPathBehindQuickOnes: of a call that keeps Python's lock the worker cannot tell, and replies of quick ones before it come with its own.
func TestSlowPathBehindQuickOnes(t *testing.T) {
	h := host(t, python.Options{})
	h.eventually("the path is slow", func() bool {
		var group sync.WaitGroup
		group.Go(func() { h.together(8, "/") })
		group.Go(func() { h.together(1, "/spin?0.05") })
		group.Wait()
		return h.IsSlow("/spin")
	})
	if h.IsSlow("/") {
		t.Error("what was answered with it counts as slow")
	}
}

// TestSlowPathsAreForgotten when 64 calls have been quick.
func TestSlowPathsAreForgotten(t *testing.T) {
	h := host(t, python.Options{})
	h.Note("/a", true)
	h.Note("/b", true)
	for range 64 {
		h.Note("/a", false)
	}
	if n := h.SlowPaths(); n != 1 {
		t.Errorf("%d paths are remembered, want the one that had no quick calls", n)
	}
}

// TestSlowPathsAreBounded: in number and in length.
func TestSlowPathsAreBounded(t *testing.T) {
	h := host(t, python.Options{})
	h.Note("/"+strings.Repeat("a", 1024), true)
	if n := h.SlowPaths(); n != 0 {
		t.Errorf("%d paths are remembered, want none that is so long", n)
	}
	learn := func(path string) {
		for range 7 {
			h.Note(path, true)
		}
	}
	for i := range 2000 {
		h.Note("/once/"+strconv.Itoa(i), true)
	}
	for i := range 1024 {
		learn("/" + strconv.Itoa(i))
	}
	if n := h.SlowPaths(); n != 1024 || !h.IsSlow("/0") || !h.IsSlow("/1023") {
		t.Errorf("%d paths are remembered, want the 1024 that are slow", n)
	}
	learn("/late")
	if n := h.SlowPaths(); n != 1024 || !h.IsSlow("/late") {
		t.Errorf("%d paths are remembered, want the new one in the place of another", n)
	}
}
