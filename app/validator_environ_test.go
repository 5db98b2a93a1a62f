package app_test

import (
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

func TestValidatorEnviron(t *testing.T) {
	set := func(key string, value any) func(*app.Environ) {
		return func(e *app.Environ) { e.Set(key, value) }
	}
	remove := func(key string) func(*app.Environ) {
		return func(e *app.Environ) { e.Delete(key) }
	}
	both := func(script, path string) func(*app.Environ) {
		return func(e *app.Environ) { e.Set("SCRIPT_NAME", script); e.Set("PATH_INFO", path) }
	}
	for _, test := range []struct {
		name   string
		change func(*app.Environ)
		rule   string // "" when nothing is broken
	}{
		{"as it comes", func(*app.Environ) {}, ""},
		{"mounted", both("/app", "/x"), ""},
		{"mounted, at its root", both("/app", ""), ""},
		{"no query", remove("QUERY_STRING"), ""},
		{"unknown method", set("REQUEST_METHOD", "BREW"), ""},
		{"length", set("CONTENT_LENGTH", "0"), ""},
		{"empty length", set("CONTENT_LENGTH", ""), ""},
		{"https", set("wsgi.url_scheme", "https"), ""},
		{"extension", set("server.thing", 42), ""},

		{"no method", remove("REQUEST_METHOD"), "REQUEST_METHOD is not empty"},
		{"empty method", set("REQUEST_METHOD", ""), "REQUEST_METHOD is not empty"},
		{"no name", remove("SERVER_NAME"), "SERVER_NAME is not empty"},
		{"no port", set("SERVER_PORT", ""), "SERVER_PORT is not empty"},
		{"no protocol", remove("SERVER_PROTOCOL"), "SERVER_PROTOCOL is not empty"},
		{"port as number", set("SERVER_PORT", 80), "a CGI variable is a string: SERVER_PORT"},
		{"variable as object", set("HTTP_X", []byte("x")), "a CGI variable is a string: HTTP_X"},
		{"root script", both("/", "/x"), "SCRIPT_NAME is not /"},
		{"relative script", both("app", "/x"), "SCRIPT_NAME is empty or begins with /"},
		{"relative path", both("", "x"), "PATH_INFO is empty or begins with /"},
		{"no path at all", both("", ""), "one of SCRIPT_NAME and PATH_INFO"},
		{"type as HTTP_", set("HTTP_CONTENT_TYPE", "x"), "no HTTP_ key: HTTP_CONTENT_TYPE"},
		{"length as HTTP_", set("HTTP_CONTENT_LENGTH", "1"), "no HTTP_ key: HTTP_CONTENT_LENGTH"},
		{"length that is none", set("CONTENT_LENGTH", "-1"), "CONTENT_LENGTH is a decimal number"},
		{"length with more", set("CONTENT_LENGTH", "1 "), "CONTENT_LENGTH is a decimal number"},
		{"version", set("wsgi.version", app.Version{Major: 2}), "wsgi.version is (1, 0)"},
		{"no version", remove("wsgi.version"), "wsgi.version is (1, 0)"},
		{"scheme", set("wsgi.url_scheme", "ftp"), "wsgi.url_scheme is http or https"},
		{"no scheme", remove("wsgi.url_scheme"), "wsgi.url_scheme is http or https"},
		{"no multithread", remove("wsgi.multithread"), "wsgi.multithread is a bool"},
		{"multiprocess", set("wsgi.multiprocess", "yes"), "wsgi.multiprocess is a bool"},
		{"run_once", set("wsgi.run_once", 1), "wsgi.run_once is a bool"},
		{"no input", remove("wsgi.input"), "wsgi.input is an Input"},
		{"input", set("wsgi.input", strings.NewReader("")), "wsgi.input is an Input"},
		{"no errors", remove("wsgi.errors"), "wsgi.errors is an io.Writer"},
		{"errors", set("wsgi.errors", "stderr"), "wsgi.errors is an io.Writer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := get("/path", "Host: example.com")
			test.change(e)
			side := app.ServerSide
			if test.rule == "" {
				side = ""
			}
			expect(t, side, test.rule, func() { new(server).run(app.Validator(hello), e) })
		})
	}
}
