package app_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// Middleware that adds a field to every response: of start, and of answers that come later.
func ExampleFilterHead() {
	powered := func(application app.Application) app.Application {
		return func(environ *app.Environ, start app.StartResponse) app.Body {
			return application(environ, app.FilterHead(environ, start, func(h *app.Head) {
				h.SetDefault("X-Powered-By", "weir")
			}))
		}
	}
	application := powered(func(environ *app.Environ, start app.StartResponse) app.Body {
		_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Content: []byte("later")})
		return nil
	})

	w := httptest.NewRecorder()
	nethttp.Handler(application).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Header().Get("X-Powered-By"), w.Body)
	// Output: weir later
}
