package app_test

import (
	"testing"

	"github.com/weirhttp/weir/app"
)

// layer is a Deferred that middleware has put in front of another one.
type layer struct {
	app.Deferred
	name string
}

type deferringSource struct{ *fakeSource }

func (deferringSource) Defer() app.Deferred { return layer{name: "server's"} }

// TestWrapDefer: the inner middleware is the first that the application meets, and nothing is left for the next request.
func TestWrapDefer(t *testing.T) {
	e := new(app.Environ)
	for _, layers := range [][]string{{"outer", "middle", "inner"}, {"other"}, nil} {
		e.Reset(deferringSource{newSource("GET", "/")}, app.NewMemory(nil), gateway())
		want := "server's"
		for _, name := range layers {
			e.WrapDefer(func(d app.Deferred) app.Deferred { return layer{d, name} })
			want = name + ", " + want
		}
		got := ""
		for d := e.Defer(); d != nil; d = d.(layer).Deferred {
			if got != "" {
				got += ", "
			}
			got += d.(layer).name
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
