// An API and a site behind the middleware that comes with weir: names for requests, security headers, CORS, limits, a deadline, compression, and a
// page for panics.
//
//	go run ./examples/middleware
//	curl -i --compressed http://127.0.0.1:8000/
//	curl -i -H 'Origin: https://example.com' http://127.0.0.1:8000/api/time
package main

import (
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/compress"
	"github.com/weirhttp/weir/app/cors"
	"github.com/weirhttp/weir/app/limit"
	"github.com/weirhttp/weir/app/mount"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/app/recovery"
	"github.com/weirhttp/weir/app/requestid"
	"github.com/weirhttp/weir/app/security"
	"github.com/weirhttp/weir/app/timeout"
	"github.com/weirhttp/weir/server"
)

// site is an application of weir's own kind.
func site(environ *app.Environ, start app.StartResponse) app.Body {
	switch string(environ.Path()) {
	case "/panic":
		panic("as was asked")
	case "/wait": // longer than the deadline
		environ.Defer()
		return nil
	}
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/html; charset=utf-8"}})
	return app.String(strings.Repeat("<p>Hello</p>\n", 500))
}

// api is a handler of net/http.
func api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /time", func(w http.ResponseWriter, r *http.Request) {
		environ, _ := nethttp.FromContext(r.Context())
		log.Print("request ", requestid.Of(environ))
		_, _ = w.Write([]byte(time.Now().Format(time.RFC3339)))
	})
	return mux
}

// application puts it all together. What is written last is outermost.
func application() app.Application {
	shared := must(cors.New(nethttp.Application(api()), cors.Options{Origins: []string{"https://example.com"}}))
	limited := must(limit.Rate(shared, limit.RateOptions{PerSecond: 0.1, Burst: 20, Status: "429 Too Many Requests"}))

	a := must(mount.New(mount.Point{Prefix: "/api", Application: limited}, mount.Point{Application: site}))
	a = must(timeout.New(a, timeout.Options{After: 200 * time.Millisecond}))
	a = must(limit.Concurrency(a, limit.ConcurrencyOptions{Max: 1000}))
	a = must(recovery.New(a, recovery.Options{}))
	a = must(compress.New(a, compress.Options{}))
	a = must(security.New(a, security.Options{HSTS: 365 * 24 * time.Hour, Content: "default-src 'self'"}))
	return requestid.New(a, requestid.Options{})
}

func must(a app.Application, err error) app.Application {
	if err != nil {
		log.Fatal(err)
	}
	return a
}

func main() {
	if err := server.MakeServer("127.0.0.1", 8000, application()).ServeForever(); err != nil {
		log.Fatal(err)
	}
}
