package mount_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/mount"
	"github.com/weirhttp/weir/app/nethttp"
)

// named answers with its name and the paths of the environ.
func named(name string) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
		return app.String(name + "|" + environ.Get("SCRIPT_NAME") + "|" + environ.Get("PATH_INFO"))
	}
}

func mounted(t *testing.T, points ...mount.Point) *apptest.Client {
	t.Helper()
	application, err := mount.New(points...)
	if err != nil {
		t.Fatal(err)
	}
	return apptest.New(t, application)
}

func TestPaths(t *testing.T) {
	client := mounted(t,
		mount.Point{Prefix: "/shop", Application: app.Validator(named("shop"))},
		mount.Point{Prefix: "/shop/cart/", Application: app.Validator(named("cart"))},
		mount.Point{Prefix: "/café", Application: app.Validator(named("café"))},
		mount.Point{Prefix: "/a b", Application: app.Validator(named("space"))})
	for target, want := range map[string]string{
		"/shop":                 "shop|/shop|",
		"/shop/":                "shop|/shop|/",
		"/shop?query":           "shop|/shop|",
		"/shop/a%20b":           "shop|/shop|/a b",
		"/shop//a":              "shop|/shop|//a",
		"/%73hop/a":             "shop|/shop|/a",
		"/shop%2Fcart%2Fa":      "cart|/shop/cart|/a",
		"/shop/cart":            "cart|/shop/cart|",
		"/shop/cart/a/b":        "cart|/shop/cart|/a/b",
		"/shop/carts":           "shop|/shop|/carts",
		"/caf%C3%A9/au%2Flait":  "café|/café|/au/lait",
		"/a%20b/c":              "space|/a b|/c",
		"/shopping":             "404",
		"/":                     "404",
		"//shop":                "404",
		"/SHOP":                 "404",
		"/shop/../shop/cart":    "shop|/shop|/../shop/cart",
		"/other/%2e%2e/shop":    "404",
		"/shop/%00":             "shop|/shop|/\x00",
		"http://any.host/shop/": "shop|/shop|/",
	} {
		res := client.Get(target)
		if got := res.String(); got != want && !(res.Code == 404 && want == "404") {
			t.Errorf("%s: %s %q, want %q", target, res.Status, got, want)
		}
	}
}

func TestHosts(t *testing.T) {
	hosts := []mount.Point{
		{Host: "Example.com", Application: named("exact")},
		{Host: "*.example.com", Application: named("wild")},
		{Host: "*.b.example.com", Application: named("wilder")},
		{Host: "a.example.com.", Prefix: "/a", Application: named("named")},
		{Host: "[2001:db8::1]", Application: named("six")},
	}
	for _, c := range []struct {
		host, path string
		any        bool // there is a point for any host, too
		want       string
	}{
		{"example.com", "/", false, "exact"},
		{"EXAMPLE.com:8080", "/", false, "exact"},
		{"example.com.", "/", false, "exact"},
		{"c.example.com", "/", false, "wild"},
		{"d.c.example.com", "/", false, "wild"},
		{"c.b.example.com", "/", false, "wilder"},
		{"b.example.com", "/", false, "wild"},
		{"a.example.com", "/a", false, "named"},
		{"a.example.com", "/b", false, "404"},
		{"a.example.com", "/b", true, "404"},
		{"[2001:db8::1]:443", "/", false, "six"},
		{"[2001:db8::2]:443", "/", false, "421"},
		{"example.org", "/", false, "421"},
		{"example.org", "/", true, "any"},
		{"com", "/", false, "421"},
		{".example.com", "/", false, "421"},
		{"badexample.com", "/", false, "421"},
		{"badexample.com", "/", true, "any"},
	} {
		points := hosts
		if c.any {
			points = append(points[:len(points):len(points)], mount.Point{Application: named("any")})
		}
		r, _ := http.NewRequest("GET", c.path, nil)
		r.Host = c.host
		res := mounted(t, points...).Do(r)
		got, _, _ := strings.Cut(res.String(), "|")
		if res.Code != 200 {
			got = res.Status[:3]
		}
		if got != c.want {
			t.Errorf("%s%s (%v): %s, want %s", c.host, c.path, c.any, got, c.want)
		}
	}
}

// TestNested: a mounted application may mount others, and a handler finds its path without the prefixes.
func TestNested(t *testing.T) {
	inner, err := mount.New(
		mount.Point{Prefix: "/b", Application: named("b")},
		mount.Point{Prefix: "/handler", Application: nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Path + " " + r.URL.EscapedPath()))
		}))})
	if err != nil {
		t.Fatal(err)
	}
	client := mounted(t, mount.Point{Prefix: "/a", Application: inner}, mount.Point{Application: named("rest")})
	for target, want := range map[string]string{
		"/a/b/c":             "b|/a/b|/c",
		"/b":                 "rest||/b",
		"/a/handler/x%2Fy/z": "/x/y/z /x%2Fy/z",
	} {
		if got := client.Get(target).String(); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestPoints(t *testing.T) {
	a := named("a")
	for want, points := range map[string][]mount.Point{
		"Point.Prefix must begin with /":     {{Prefix: "shop", Application: a}},
		"Point.Application is missing":       {{Prefix: "/shop"}},
		"two points at \"/shop/\"":           {{Prefix: "/shop", Application: a}, {Prefix: "/shop/", Application: a}},
		"without a port, not \"a.b:80\"":     {{Host: "a.b:80", Application: a}},
		"not \"a.*.b\"":                      {{Host: "a.*.b", Application: a}},
		"*.example.com, not \"*b\"":          {{Host: "*b", Application: a}},
		"*.example.com, not \".b\"":          {{Host: ".b", Application: a}},
		"two points at \"a.b/\"":             {{Host: "a.b", Application: a}, {Host: "A.b.", Application: a}},
		"without a port, not \"http://a.b\"": {{Host: "http://a.b", Application: a}},
	} {
		if _, err := mount.New(points...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
