package python_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/weirhttp/weir/python"
)

// TestContentIsTakenBack: content arrives in order, although pieces are taken back that the worker has not read while it reads those behind them.
func TestContentIsTakenBack(t *testing.T) {
	for _, options := range []python.Options{
		{Workers: 2}, {Class: python.Threads, Threads: 4}, {Class: python.Gevent, Python: "/usr/bin/python3"},
	} {
		t.Run(string(options.Class), func(t *testing.T) {
			h := host(t, options)
			ctx, cancel := context.WithCancel(context.Background())
			var hammer, uploads sync.WaitGroup
			hammer.Go(func() {
				for ctx.Err() == nil {
					h.TakeBack()
				}
			})
			for range 3 {
				uploads.Go(func() {
					data := make([]byte, 1<<20)
					for range 4 {
						_, _ = rand.Read(data)
						want := fmt.Sprintf("%d %x %d None", len(data), sha256.Sum256(data), len(data))
						r, err := h.try("POST", "/echo", struct{ io.Reader }{bytes.NewReader(data)}, nil) // in chunks, so that it comes in pieces
						if err != nil || r.code != 200 || r.body != want {
							t.Errorf("%d %q, %v; want %q", r.code, r.body, err, want)
						}
					}
				})
			}
			uploads.Wait()
			cancel()
			hammer.Wait()
		})
	}
}
