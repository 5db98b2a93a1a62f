package app_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

// hinted is a source that can send interim responses.
type hinted struct {
	*fakeSource
	sent []string
}

func (h *hinted) EarlyHints(headers []app.Header) error {
	h.sent = append(h.sent, fmt.Sprint(headers))
	return nil
}

func newHinted() (*hinted, *app.Environ) {
	h := &hinted{fakeSource: newSource("GET", "/")}
	e := new(app.Environ)
	e.Reset(h, app.NewMemory(nil), gateway())
	return h, e
}

var link = []app.Header{{Name: "Link", Value: "</a.css>; rel=preload"}}

// TestEarlyHints: fields are judged as those of start_response, and go to the server, or to what middleware has put in its place.
func TestEarlyHints(t *testing.T) {
	h, e := newHinted()
	for wrong, field := range map[string]app.Header{
		"not a token":       {Name: "a b"},
		"empty":             {},
		"control character": {Name: "a", Value: "b\r\nc: d"},
		"hop-by-hop":        {Name: "Transfer-Encoding", Value: "chunked"},
	} {
		if err := e.EarlyHints([]app.Header{link[0], field}); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v: %v", field, err)
		}
	}
	if len(h.sent) > 0 {
		t.Errorf("sent %v", h.sent)
	}
	v, _ := e.Value("wsgi.early_hints")
	give, ok := v.(func([]app.Header) error)
	if !ok {
		t.Fatalf("wsgi.early_hints is a %T", v)
	}
	for _, f := range []func([]app.Header) error{e.EarlyHints, give} {
		if err := f(link); err != nil {
			t.Error(err)
		}
	}
	e.Set("wsgi.early_hints", func(headers []app.Header) error {
		return give(append(headers, app.Header{Name: "X-Middleware"}))
	})
	if err := e.EarlyHints(link); err != nil {
		t.Error(err)
	}
	e.Delete("wsgi.early_hints")
	if err := e.EarlyHints(link); err != nil {
		t.Error(err)
	}
	one := "{Link </a.css>; rel=preload}"
	if got, want := fmt.Sprint(h.sent), fmt.Sprintf("[[%s] [%s] [%s {X-Middleware }]]", one, one, one); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	if err := get("/").EarlyHints(link); err != nil {
		t.Errorf("where a server cannot send any: %v", err)
	}
}

// TestValidatorEarlyHints: what is refused there is a breach under the validator, and so is what comes too late.
func TestValidatorEarlyHints(t *testing.T) {
	hints := func(name string) app.Application {
		return func(e *app.Environ, start app.StartResponse) app.Body {
			_ = e.EarlyHints([]app.Header{{Name: name, Value: "x"}})
			return hello(e, start)
		}
	}
	late := func(e *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plain)
		return app.Seq(func(yield func([]byte) bool) {
			_ = e.EarlyHints(link)
			yield([]byte("x"))
			_ = e.EarlyHints(link)
		})
	}
	for _, test := range []struct {
		name        string
		application app.Application
		side, rule  string
		sent        int
	}{
		{"good", hints("Link"), "", "", 1},
		{"no token", hints("a b"), app.ApplicationSide, "a header is a field", 0},
		{"the server's", hints("Connection"), app.ApplicationSide, "hop-by-hop", 0},
		{"status", hints("Status"), app.ApplicationSide, "the status is no header", 0},
		{"late", late, app.ApplicationSide, "before the head", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, e := newHinted()
			expect(t, test.side, test.rule, func() { new(server).run(app.Validator(test.application), e) })
			if len(h.sent) != test.sent {
				t.Errorf("sent %v", h.sent)
			}
		})
	}
	e := get("/")
	e.Set("wsgi.early_hints", io.Discard)
	expect(t, app.ServerSide, "wsgi.early_hints", func() { new(server).run(app.Validator(hello), e) })
}
