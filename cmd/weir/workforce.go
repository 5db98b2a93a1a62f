package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/python"
)

// workforce are the Python workers that weir runs, whoever supervises them at the moment: workers with other options have a supervisor of
// their own. Its methods are safe for use by any goroutine.
type workforce struct {
	current atomic.Pointer[python.Supervisor]

	mu      sync.Mutex
	ended   bool           // guarded by mu
	retired sync.WaitGroup // those before current, while they end; added to under mu
	cut     context.CancelFunc
	limit   context.Context // of the retired
}

func newWorkforce() *workforce {
	w := &workforce{}
	w.limit, w.cut = context.WithCancel(context.Background())
	return w
}

// application is an app.Application.
func (w *workforce) application(environ *app.Environ, start app.StartResponse) app.Body {
	return w.current.Load().Application(environ, start)
}

// appoint has requests go to s from now on. The supervisor before it answers those that it has, for at most graceful.
func (w *workforce) appoint(s *python.Supervisor, graceful time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		_ = s.Close()
		return
	}
	before := w.current.Swap(s)
	if before == nil {
		return
	}
	w.retired.Go(func() {
		ctx, cancel := context.WithTimeout(w.limit, graceful)
		defer cancel()
		if err := before.Retire(ctx); err != nil && w.limit.Err() == nil {
			slog.Error("workers with the options of before have not finished their requests in time and are killed", "graceful timeout", graceful)
		}
	})
}

// shutdown ends all workers, those that have not finished when ctx ends too.
func (w *workforce) shutdown(ctx context.Context) error {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	defer w.cut()
	stop := context.AfterFunc(ctx, w.cut)
	defer stop()
	defer w.retired.Wait()
	if s := w.current.Load(); s != nil {
		return s.Shutdown(ctx)
	}
	return nil
}

// resize has so many workers more, or fewer. It returns how many there will be.
func (w *workforce) resize(by int) int { return w.current.Load().Resize(by) }
