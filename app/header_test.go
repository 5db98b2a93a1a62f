package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

func TestCheckStatus(t *testing.T) {
	for status, want := range map[string]int{
		"200 OK":                  200,
		"404 Not Found":           404,
		"299 ":                    299,
		"999 Whatever it takes":   999,
		"200 \tOK":                200,
		"200 Schön":               200,
		"200  OK":                 200,
		"":                        0,
		"200":                     0,
		"200OK":                   0,
		"20 OK":                   0,
		"2000 OK":                 0,
		"099 Low":                 0,
		"2x0 OK":                  0,
		"-20 OK":                  0,
		"+20 OK":                  0,
		" 200 OK":                 0,
		"200\tOK":                 0,
		"200 OK\r\nSet-Cookie: x": 0,
		"200 OK\n":                0,
		"200 \x00":                0,
		"200 \x7f":                0,
	} {
		code, wrong := app.CheckStatus(status)
		if code != want || (wrong == "") != (want != 0) {
			t.Errorf("CheckStatus(%q) = %d, %q; want %d", status, code, wrong, want)
		}
	}
}

func TestCheckHeader(t *testing.T) {
	tests := []struct {
		name, value string
		wrong       string // part of what is said, "" when the field is right
	}{
		{"Content-Type", "text/html; charset=utf-8", ""},
		{"x", "", ""},
		{"X-!#$%&'*+.^_`|~09", "any \t value \x80\xff", ""},
		{"", "x", "empty"},
		{"X Y", "x", "token"},
		{"X:", "x", "token"},
		{"X\r\n", "x", "token"},
		{"Ä", "x", "token"},
		{"X", "a\r\nY: b", "control"},
		{"X", "a\nb", "control"},
		{"X", "a\x00b", "control"},
		{"X", "\x7f", "control"},
		{"Connection", "close", "hop-by-hop"},
		{"keep-alive", "x", "hop-by-hop"},
		{"Proxy-Authenticate", "x", "hop-by-hop"},
		{"PROXY-AUTHORIZATION", "x", "hop-by-hop"},
		{"te", "x", "hop-by-hop"},
		{"Trailer", "x", "hop-by-hop"},
		{"Trailers", "x", "hop-by-hop"},
		{"transfer-encoding", "chunked", "hop-by-hop"},
		{"Upgrade", "x", "hop-by-hop"},
		{"Content-Encoding", "gzip", ""},
		{"Connections", "x", ""},
	}
	for _, test := range tests {
		wrong := app.CheckHeader(app.Header{Name: test.name, Value: test.value})
		if (wrong == "") != (test.wrong == "") || !strings.Contains(wrong, test.wrong) {
			t.Errorf("%q: %q is told %q, want %q", test.name, test.value, wrong, test.wrong)
		}
	}
}

func TestStartResponseError(t *testing.T) {
	cause := errors.New("cause")
	plain, wrapped := &app.StartResponseError{Reason: "reason"}, &app.StartResponseError{Reason: "reason", Cause: cause}
	if plain.Error() != "start_response: reason" || wrapped.Error() != "start_response: reason: cause" {
		t.Errorf("%v, %v", plain, wrapped)
	}
	if !errors.Is(wrapped, cause) || errors.Is(plain, cause) {
		t.Error("Unwrap")
	}
}
