package server_test

import (
	"errors"
	"testing"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1:80", ":80", "[::]:80", "example.org:80", "unix:a", "unix:/a:b", "fd://3", "http:127.0.0.1:80", "uwsgi:unix:/a", "scgi:fd://3", "uwsgi:3031",
	} {
		if err := server.CheckAddress(address); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []string{"", "80", "*:80", "fd:3", "fd://a", "unix:", "http://127.0.0.1:80", "uwsgi://127.0.0.1:80", "https://a:80/"} {
		var wrong *loop.AddressError
		if err := server.CheckAddress(address); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"127.0.0.1:80", "localhost:80", true},
		{"127.0.0.1:80", "uwsgi:127.0.0.1:80", true},
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"0.0.0.0:80", "example.org:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"0.0.0.0:80", "[::]:80", true},
		{"0.0.0.0:80", ":80", true},
		{"[::]:80", "127.0.0.1:80", true},
		{"[::]:80", "[::1]:80", true},
		{"[::1]:80", "127.0.0.1:80", false},
		{"unix:a", "unix:a", true},
		{"unix:a", "scgi:unix:a", true},
		{"unix:a", "unix:b", false},
		{"unix:a", "127.0.0.1:80", false},
		{"fd://3", "fd://3", true},
		{"fd://3", "fd://4", false},
	} {
		if got := server.Overlap(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
		if got := server.Overlap(c.b, c.a); got != c.want {
			t.Errorf("%s and %s: %v", c.b, c.a, got)
		}
	}
}
