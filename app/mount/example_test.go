package mount_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/cors"
	"github.com/weirhttp/weir/app/limit"
	"github.com/weirhttp/weir/app/mount"
	"github.com/weirhttp/weir/app/nethttp"
)

// A site of weir's own kind, and beside it an API that is a handler of net/http, which pages of another origin may use, with a limit for each client.
func Example() {
	site := func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
		return app.String("the site's " + environ.Get("PATH_INFO"))
	}
	api := nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "the API's ", r.URL.Path)
	}))
	shared, err := cors.New(api, cors.Options{Origins: []string{"https://example.com"}})
	if err != nil {
		panic(err)
	}
	limited, err := limit.Rate(shared, limit.RateOptions{PerSecond: 0.1, Burst: 1})
	if err != nil {
		panic(err)
	}
	application, err := mount.New(
		mount.Point{Prefix: "/api", Application: limited},
		mount.Point{Application: site})
	if err != nil {
		panic(err)
	}

	handler := nethttp.Handler(application)
	for _, path := range []string{"/about", "/api/users", "/api/users"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Origin", "https://example.com")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Printf("%d %q %q\n", w.Code, w.Header().Get("Access-Control-Allow-Origin"), w.Body)
	}
	// Output:
	// 200 "" "the site's /about"
	// 200 "https://example.com" "the API's /users"
	// 503 "" "Too many requests.\n"
}
