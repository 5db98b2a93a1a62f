package requestid_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/requestid"
)

func TestRequestID(t *testing.T) {
	const (
		trace  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		future = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"
		of     = "4bf92f3577b34da6a3ce929d0e0e4736"
		random = "^[0-9a-f]{32}$"
	)
	for name, c := range map[string]struct {
		id, trace string
		always    bool
		want      string // a pattern
		traced    bool
	}{
		"none":              {"", "", false, random, false},
		"taken":             {"abc-1.2:3/4+5=6@7_8", "", false, `^abc-1\.2:3/4\+5=6@7_8$`, false},
		"longest":           {strings.Repeat("a", 128), "", false, "^a{128}$", false},
		"too long":          {strings.Repeat("a", 129), "", false, random, false},
		"wrong octets":      {`a"b`, "", false, random, false},
		"not ASCII":         {"\xe4", "", false, random, false},
		"always":            {"abc", "", true, random, false},
		"of a trace":        {"", trace, false, "^" + of + "$", true},
		"beside a trace":    {"abc", trace, false, "^abc$", true},
		"always, traced":    {"abc", trace, true, random, true},
		"a later version":   {"", future, false, "^" + of + "$", true},
		"version ff":        {"", "ff" + trace[2:], false, random, false},
		"too much":          {"", trace + "-more", false, random, false},
		"too little":        {"", trace[:54], false, random, false},
		"capitals":          {"", strings.ToUpper(trace), false, random, false},
		"no trace":          {"", strings.Replace(trace, of, strings.Repeat("0", 32), 1), false, random, false},
		"no parent":         {"", strings.Replace(trace, "00f067aa0ba902b7", strings.Repeat("0", 16), 1), false, random, false},
		"a wrong separator": {"", strings.Replace(trace, "-", "_", 2), false, random, false},
	} {
		t.Run(name, func(t *testing.T) {
			application := func(environ *app.Environ, start app.StartResponse) app.Body {
				id := requestid.Of(environ)
				if key := environ.Get("HTTP_X_REQUEST_ID"); key != id || !regexp.MustCompile(c.want).MatchString(id) {
					t.Errorf("%q and %q in the environ, want %s", id, key, c.want)
				}
				if _, traced := environ.Lookup("HTTP_TRACEPARENT"); traced != c.traced {
					t.Errorf("a traceparent in the environ: %v", traced)
				}
				if _, kept := environ.Lookup("HTTP_TRACESTATE"); kept != (c.traced || c.trace == "") {
					t.Errorf("a tracestate in the environ: %v", kept)
				}
				_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Headers: []app.Header{{Name: "Content-Type", Value: "text/plain"}}, Content: []byte(id)})
				return nil
			}
			r, _ := http.NewRequest("GET", "/", nil)
			r.Header.Set("Tracestate", "a=b")
			if c.id != "" {
				r.Header.Set("X-Request-ID", c.id)
			}
			if c.trace != "" {
				r.Header.Set("Traceparent", c.trace)
			}
			res := apptest.New(t, requestid.New(app.Validator(application), requestid.Options{Always: c.always})).Do(r)
			if got := res.Header.Values("X-Request-Id"); len(got) != 1 || got[0] != res.String() {
				t.Errorf("X-Request-ID: %q, the application had %q", got, res)
			}
			if got := res.Header.Get("Traceparent"); (got == c.trace) != c.traced && c.trace != "" {
				t.Errorf("Traceparent: %q", got)
			}
		})
	}
}

// TestUnlike: each request has a name of its own, and one that the application sends stays.
func TestUnlike(t *testing.T) {
	seen := make(map[string]bool)
	client := apptest.New(t, requestid.New(func(environ *app.Environ, start app.StartResponse) app.Body {
		var headers []app.Header
		if environ.Get("PATH_INFO") == "/own" {
			headers = append(headers, app.Header{Name: "x-request-id", Value: "own"})
		}
		start("204 No Content", headers)
		return nil
	}, requestid.Options{}))
	for range 1000 {
		seen[client.Get("/").Header.Get("X-Request-Id")] = true
	}
	if len(seen) != 1000 {
		t.Errorf("1000 requests had %d names", len(seen))
	}
	if got := client.Get("/own").Header.Values("X-Request-Id"); len(got) != 1 || got[0] != "own" {
		t.Errorf("X-Request-ID: %q", got)
	}
}
