package nethttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// failures are what Failed was told. They are taken with all, which waits for none.
type failures struct {
	mu   sync.Mutex
	list []error
}

func (f *failures) add(e *app.Environ, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Errorf("%s: %w", e.Path(), err))
}

func (f *failures) all() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.list...)
}

// onEachWire runs test with a server for each version of HTTP that net/http speaks. served is closed when the handler of
// the first request has returned.
func onEachWire(t *testing.T, application app.Application, test func(t *testing.T, s *wire)) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			s := &wire{served: make(chan struct{})}
			handler := &nethttp.ApplicationHandler{Application: app.Validator(application), Failed: s.add}
			once := sync.OnceFunc(func() { close(s.served) })
			s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer once()
				if r.Proto != version {
					t.Errorf("the request came with %s", r.Proto)
				}
				handler.ServeHTTP(w, r)
			}))
			s.EnableHTTP2 = version == "HTTP/2.0"
			s.StartTLS()
			defer s.Close()
			test(t, s)
		})
	}
}

type wire struct {
	*httptest.Server
	failures
	served chan struct{}
}

// do asks and writes down all of the answer.
func (s *wire) do(t *testing.T, method, target string) string {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		return "cut"
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	cut := ""
	if err != nil {
		cut = " cut"
	}
	return fmt.Sprintf("%d %s %q%s", res.StatusCode, or(res.Header, "Content-Type"), content, cut)
}

// watcher passes on what it is told.
type watcher struct{ left, drained chan bool }

func watch(d app.Deferred) watcher {
	w := watcher{make(chan bool, 2), make(chan bool, 100)}
	d.Watch(w)
	return w
}

func (w watcher) Left()    { w.left <- true }
func (w watcher) Drained() { w.drained <- true }

// told tells whether Left was called, when d has no functions left to run.
func (w watcher) told(d app.Deferred) bool {
	last := make(chan bool)
	d.Post(func() { close(last) })
	<-last
	return len(w.left) > 0
}
