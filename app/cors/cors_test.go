package cors_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/cors"
)

// answer answers in the call, deferred one later.
func answer(_ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "Vary", Value: "Cookie"}})
	return app.String("content")
}

func deferred(environ *app.Environ, _ app.StartResponse) app.Body {
	_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Headers: []app.Header{{Name: "Content-Type", Value: "text/plain"},
		{Name: "Vary", Value: "Cookie"}}, Content: []byte("content")})
	return nil
}

const (
	vary          = "Cookie, Origin"
	preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
)

func TestCORS(t *testing.T) {
	listed := cors.Options{Origins: []string{"https://example.com", "https://*.example.org:8443", "http://LOCALHOST:3000"}, Headers: []string{"X-Token"},
		Expose: []string{"X-Total"}, Credentials: true, MaxAge: 10 * time.Minute}
	anyone := cors.Options{Origins: []string{"*"}, Headers: []string{"*"}, MaxAge: -1}
	for name, c := range map[string]struct {
		options                  cors.Options
		origin, method, headers  string // method and headers of a preflight
		allowed                  string // Access-Control-Allow-Origin
		vary, credentials, extra string // extra: a field and its value
	}{
		"same origin":           {listed, "", "", "", "", vary, "", ""},
		"listed":                {listed, "https://example.com", "", "", "https://example.com", vary, "true", "Access-Control-Expose-Headers: X-Total"},
		"in capitals":           {listed, "http://localhost:3000", "", "", "http://localhost:3000", vary, "true", ""},
		"subdomain":             {listed, "https://a.b.example.org:8443", "", "", "https://a.b.example.org:8443", vary, "true", ""},
		"another scheme":        {listed, "http://example.com", "", "", "", vary, "", ""},
		"another port":          {listed, "https://example.com:8443", "", "", "", vary, "", ""},
		"no subdomain":          {listed, "https://example.org:8443", "", "", "", vary, "", ""},
		"dots":                  {listed, "https://..example.org:8443", "", "", "", vary, "", ""},
		"a suffix only":         {listed, "https://evilexample.org:8443", "", "", "", vary, "", ""},
		"the usual port":        {cors.Options{Origins: []string{"https://example.com:443"}}, "https://example.com", "", "", "https://example.com", vary, "", ""},
		"the usual port, below": {cors.Options{Origins: []string{"http://*.example.com:80"}}, "http://a.example.com", "", "", "http://a.example.com", vary, "", ""},
		"another one":           {cors.Options{Origins: []string{"http://example.com:443"}}, "http://example.com", "", "", "", vary, "", ""},
		"a path":                {listed, "https://evil.com/.example.org:8443", "", "", "", vary, "", ""},
		"a prefix only":         {listed, "https://example.com.evil.com", "", "", "", vary, "", ""},
		"null":                  {listed, "null", "", "", "", vary, "", ""},
		"null, listed":          {cors.Options{Origins: []string{"null"}}, "null", "", "", "null", vary, "", ""},
		"any":                   {anyone, "https://anywhere.com", "", "", "*", "Cookie", "", ""},
		"any, same origin":      {anyone, "", "", "", "*", "Cookie", "", ""},
		"preflight":             {listed, "https://example.com", "PUT", "x-token, Accept", "https://example.com", preflightVary, "true", "Access-Control-Max-Age: 600"},
		"preflight, methods":    {listed, "https://example.com", "GET", "", "https://example.com", preflightVary, "true", "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE"},
		"preflight, headers":    {listed, "https://example.com", "GET", "", "https://example.com", preflightVary, "true", "Access-Control-Allow-Headers: X-Token"},
		"preflight of others":   {listed, "https://evil.com", "PUT", "", "", preflightVary, "", ""},
		"preflight, method":     {listed, "https://example.com", "BREW", "", "", preflightVary, "", ""},
		"preflight, header":     {listed, "https://example.com", "PUT", "X-Token, X-Other", "", preflightVary, "", ""},
		"preflight for any":     {anyone, "https://anywhere.com", "PUT", "X-Whatever", "*", preflightVary, "", "Access-Control-Allow-Headers: *"},
		"preflight, not kept":   {anyone, "https://anywhere.com", "PUT", "", "*", preflightVary, "", "Access-Control-Max-Age: 0"},
		"preflight, two fields": {listed, "https://example.com", "PUT", "x-token,x-token", "https://example.com", preflightVary, "true", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for way, inner := range map[string]app.Application{"answer": answer, "deferred": deferred} {
				application, err := cors.New(app.Validator(inner), c.options)
				if err != nil {
					t.Fatal(err)
				}
				r, _ := http.NewRequest("GET", "/", nil)
				if c.method != "" {
					r.Method = "OPTIONS"
					r.Header.Set("Access-Control-Request-Method", c.method)
				}
				if c.headers != "" {
					r.Header.Set("Access-Control-Request-Headers", c.headers)
				}
				if c.origin != "" {
					r.Header.Set("Origin", c.origin)
				}
				res := apptest.New(t, application).Do(r)
				want := 200
				if c.method != "" {
					want = 204
				}
				if res.Code != want {
					t.Errorf("%s: %s", way, res.Status)
				}
				for field, want := range map[string]string{"Access-Control-Allow-Origin": c.allowed, "Vary": c.vary, "Access-Control-Allow-Credentials": c.credentials} {
					if got := strings.Join(res.Header.Values(field), "|"); got != want {
						t.Errorf("%s: %s: %q, want %q", way, field, got, want)
					}
				}
				if field, want, _ := strings.Cut(c.extra, ": "); res.Header.Get(field) != want {
					t.Errorf("%s: %s: %q, want %q", way, field, res.Header.Get(field), want)
				}
			}
		})
	}
}

// TestOwn: OPTIONS that are no preflight reach the application, and what it says about CORS stays.
func TestOwn(t *testing.T) {
	application, err := cors.New(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("204 No Content", []app.Header{{Name: "Access-Control-Allow-Origin", Value: "https://own.com"}, {Name: "Allow", Value: "GET"}})
		return nil
	}, cors.Options{Origins: []string{"https://example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "https://example.com")
	res := apptest.New(t, application).Do(r)
	if got := res.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "https://own.com" || res.Header.Get("Allow") != "GET" {
		t.Errorf("%q", res.Header)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]cors.Options{
		"Origins names none": {},
		"Origins must be such as https://example.com, https://*.example.com, null or *, not \"example.com\"": {Origins: []string{"example.com"}},
		"not \"https://example.com/path\"": {Origins: []string{"https://example.com/path"}},
		"not \"https://*.*.com\"":          {Origins: []string{"https://*.*.com"}},
		"not \"https://*\"":                {Origins: []string{"https://*"}},
		"Origins cannot be \"*\" with":     {Origins: []string{"*"}, Credentials: true},
		"Headers cannot be \"*\" with":     {Origins: []string{"https://a.b"}, Headers: []string{"*"}, Credentials: true},
		"Origins has \"*\"":                {Origins: []string{"*", "https://a.b"}},
		"Methods must be tokens":           {Origins: []string{"*"}, Methods: []string{"GET, PUT"}},
		"Expose must be tokens":            {Origins: []string{"*"}, Expose: []string{"X\r\n"}},
	} {
		if _, err := cors.New(answer, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
