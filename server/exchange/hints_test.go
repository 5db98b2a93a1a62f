package exchange_test

import (
	"testing"

	"github.com/weirhttp/weir/app"
)

func (s *source) EarlyHints(headers []app.Header) error { return s.hinter.EarlyHints(headers) }

// TestEarlyHints: interim responses leave in front of the head, from wherever they are sent, and are refused behind it.
func TestEarlyHints(t *testing.T) {
	hints := func(t *testing.T, e *app.Environ, wrong bool) {
		t.Helper()
		if err := e.EarlyHints([]app.Header{header("A", "1")}); (err != nil) != wrong {
			t.Errorf("hints: %v", err)
		}
	}
	ways := map[string]func(app.Application) app.Application{
		"loop":      func(a app.Application) app.Application { return a },
		"goroutine": app.Blocking,
	}
	for _, c := range []struct {
		name        string
		application func(t *testing.T) app.Application
		want        string
	}{
		{"before start", func(t *testing.T) app.Application {
			return func(e *app.Environ, start app.StartResponse) app.Body {
				hints(t, e, false)
				hints(t, e, false)
				start("200 OK", nil)
				return app.String("x")
			}
		}, "hints [{A 1}]; hints [{A 1}]; head 200 OK; chunk x; finish true"},
		{"behind start, and behind the head", func(t *testing.T) app.Application {
			return func(e *app.Environ, start app.StartResponse) app.Body {
				write := start("200 OK", nil)
				hints(t, e, false)
				_, _ = write(nil)
				hints(t, e, true)
				return app.String("x")
			}
		}, "hints [{A 1}]; head 200 OK; chunk x; finish true"},
		{"in Next", func(t *testing.T) app.Application {
			return func(e *app.Environ, start app.StartResponse) app.Body {
				start("200 OK", nil)
				return app.Seq(func(yield func([]byte) bool) {
					hints(t, e, false)
					yield([]byte("x"))
					hints(t, e, true)
				})
			}
		}, "hints [{A 1}]; head 200 OK; chunk x; finish true"},
		{"a failure behind them", func(t *testing.T) app.Application {
			return func(e *app.Environ, start app.StartResponse) app.Body {
				hints(t, e, false)
				return nil
			}
		}, "hints [{A 1}]; head 500 Internal Server Error; chunk Internal Server Erro; finish true"},
	} {
		for way, wrap := range ways {
			t.Run(c.name+", "+way, func(t *testing.T) {
				r := newRun("GET")
				r.source.hinter = &r.exchange
				r.start(wrap(c.application(t))).finish(t)
				if got := withoutFlush(r.journal.String()); got != c.want {
					t.Errorf("calls are %s\nwant      %s", got, c.want)
				}
			})
		}
	}
	t.Run("gone", func(t *testing.T) {
		r := newRun("GET")
		r.source.hinter = &r.exchange
		r.exchange.Begin(r, r.source, r.input)
		r.exchange.Gone()
		if err := r.exchange.Environ.EarlyHints(nil); err != app.ErrGone {
			t.Error(err)
		}
	})
	t.Run("goes while they are on their way", func(t *testing.T) {
		r := newRun("GET")
		r.source.hinter = &r.exchange
		given := make(chan bool)
		r.start(app.Blocking(func(e *app.Environ, start app.StartResponse) app.Body {
			hints(t, e, false)
			close(given)
			return nil
		}))
		<-given
		r.exchange.Gone()
		for r.exec.step() {
		}
		if got := r.journal.String(); got != "" {
			t.Errorf("calls are %s", got)
		}
	})
}

// TestDeferredEarlyHints: they do not begin the response.
func TestDeferredEarlyHints(t *testing.T) {
	hint := []app.Header{header("A", "1")}
	for _, c := range []struct {
		name   string
		script func(t *testing.T, p *parking, d app.Deferred)
		want   string
	}{
		{"in front of an answer", func(t *testing.T, _ *parking, d app.Deferred) {
			if err := d.EarlyHints(hint); err != nil {
				t.Error(err)
			}
			if err := d.Answer(&app.Response{Status: "200 OK"}); err != nil {
				t.Error(err)
			}
			if err := d.EarlyHints(hint); err != app.ErrGone {
				t.Error(err)
			}
		}, "hints [{A 1}]; head 200 OK; finish true"},
		{"around Start", func(t *testing.T, _ *parking, d app.Deferred) {
			_ = d.EarlyHints(hint)
			_ = d.Start("200 OK", nil)
			_ = d.EarlyHints(hint)
			_, _ = d.Write([]byte("x"))
			if err := d.EarlyHints(hint); err == nil || err == app.ErrGone {
				t.Error(err)
			}
			_ = d.Close()
		}, "hints [{A 1}]; hints [{A 1}]; head 200 OK; chunk x; finish true"},
		{"deadline", func(t *testing.T, p *parking, d app.Deferred) {
			d.SetDeadline(1, &app.Response{Status: "503 Late"})
			_ = d.EarlyHints(hint)
			p.d.Expire()
			if err := d.EarlyHints(hint); err != app.ErrGone {
				t.Error(err)
			}
		}, "head 503 Late; finish true"},
		{"gone", func(t *testing.T, p *parking, d app.Deferred) {
			_ = d.EarlyHints(hint)
			p.d.Gone()
			if err := d.EarlyHints(hint); err != app.ErrGone {
				t.Error(err)
			}
		}, ""},
		{"wrong", func(t *testing.T, _ *parking, d app.Deferred) {
			if d.EarlyHints([]app.Header{header("Connection", "close")}) == nil {
				t.Error("no error")
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, p, d := deferringTo(t, "GET")
			c.script(t, p, d)
			for r.exec.step() {
			}
			if got := r.journal.String(); got != c.want {
				t.Errorf("calls are %s\nwant      %s", got, c.want)
			}
		})
	}
}
