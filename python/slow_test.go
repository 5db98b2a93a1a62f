package python_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weirhttp/weir/python"
)

// TestSlowPath: nothing is put behind a request whose path is known for calls that take long; when they no longer do, it is forgotten.
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
			ask(1, other+"?0.5", 1, 0)
			ask(1, path+"?1", 1, 1)
			ask(5, "/", 1, 6)
			before := h.Stats().TakenBack
			h.eventually("the worker has the slow one", func() bool { return h.Stats().Workers[0].InFlight == 1 && h.Stats().Waiting == 5 })
			if n := h.Stats().TakenBack - before; n != 0 {
				t.Errorf("%d requests were behind it and taken back", n)
			}
			group.Wait()
			h.eventually("the paths are forgotten", func() bool {
				h.get(path + "?0")
				h.get(other + "?0")
				return h.SlowPaths() == 0
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

// TestSlowPathsAreBounded: in number and in length.
func TestSlowPathsAreBounded(t *testing.T) {
	h := host(t, python.Options{})
	h.NoteLong("/" + strings.Repeat("a", 1024))
	if n := h.SlowPaths(); n != 0 {
		t.Errorf("%d paths are remembered, want none that is so long", n)
	}
	learn := func(path string) {
		for range 7 {
			h.NoteLong(path)
		}
	}
	for i := range 2000 {
		h.NoteLong("/once/" + strconv.Itoa(i))
	}
	for i := range 1024 {
		learn("/" + strconv.Itoa(i))
	}
	learn("/late")
	if n := h.SlowPaths(); n != 1024 || !h.IsSlow("/0") || !h.IsSlow("/1023") || h.IsSlow("/late") {
		t.Errorf("%d paths are remembered, want the first 1024 that are slow", n)
	}
}
