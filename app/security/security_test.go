package security_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/security"
)

func TestFields(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		options security.Options
		url     string
		want    []string
	}{
		"usual": {security.Options{}, "/", []string{"Cross-Origin-Opener-Policy: same-origin", "Referrer-Policy: strict-origin-when-cross-origin",
			"X-Content-Type-Options: nosniff", "X-Frame-Options: SAMEORIGIN"}},
		"less":         {security.Options{Frame: "-", Opener: "-", Referrer: "-"}, "/", []string{"X-Content-Type-Options: nosniff"}},
		"hsts on http": {security.Options{HSTS: year, Frame: "-", Opener: "-", Referrer: "-"}, "/", []string{"X-Content-Type-Options: nosniff"}},
		"hsts on https": {security.Options{HSTS: year, Subdomains: true, Preload: true, Frame: "-", Opener: "-", Referrer: "-"}, "https://example.com/",
			[]string{"Strict-Transport-Security: max-age=31536000; includeSubDomains; preload", "X-Content-Type-Options: nosniff"}},
		"policies": {security.Options{Content: "default-src 'self'", Permissions: "camera=()", Frame: "deny", Opener: "-", Referrer: "no-referrer"}, "/",
			[]string{"Content-Security-Policy: default-src 'self'", "Permissions-Policy: camera=()", "Referrer-Policy: no-referrer",
				"X-Content-Type-Options: nosniff", "X-Frame-Options: deny"}},
		"reports only": {security.Options{Content: "default-src 'self'", ReportOnly: true, Frame: "-", Opener: "-", Referrer: "-"}, "/",
			[]string{"Content-Security-Policy-Report-Only: default-src 'self'", "X-Content-Type-Options: nosniff"}},
	} {
		t.Run(name, func(t *testing.T) {
			for way, inner := range map[string]app.Application{
				"answer": func(_ *app.Environ, start app.StartResponse) app.Body { start("204 No Content", nil); return nil },
				"deferred": func(environ *app.Environ, _ app.StartResponse) app.Body {
					_ = environ.Defer().Answer(&app.Response{Status: "204 No Content"})
					return nil
				},
			} {
				application, err := security.New(app.Validator(inner), c.options)
				if err != nil {
					t.Fatal(err)
				}
				r, _ := http.NewRequest("GET", c.url, nil)
				var got []string
				for field, values := range apptest.New(t, application).Do(r).Header {
					got = append(got, field+": "+strings.Join(values, "|"))
				}
				slices.Sort(got)
				if !slices.Equal(got, c.want) {
					t.Errorf("%s: %q, want %q", way, got, c.want)
				}
			}
		})
	}
}

func TestOwn(t *testing.T) {
	application, err := security.New(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("204 No Content", []app.Header{{Name: "x-frame-options", Value: "DENY"}})
		return nil
	}, security.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := apptest.New(t, application).Get("/").Header.Values("X-Frame-Options"); len(got) != 1 || got[0] != "DENY" {
		t.Errorf("%q", got)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]security.Options{
		"Options.Frame":      {Frame: "ALLOW-FROM x"},
		"Options.Content":    {Content: "default-src\r\nX: y"},
		"Options.Subdomains": {Subdomains: true},
		"Options.HSTS":       {HSTS: time.Millisecond},
		"Options.Preload":    {HSTS: time.Hour, Subdomains: true, Preload: true},
	} {
		if _, err := security.New(nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
