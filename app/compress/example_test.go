package compress_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/compress"
	"github.com/weirhttp/weir/app/nethttp"
)

func Example() {
	page := func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/html; charset=utf-8"}})
		return app.String(strings.Repeat("<p>Hello</p>\n", 1000))
	}
	application, err := compress.New(page, compress.Options{
		Codings: []string{"br", "gzip"},
		MinSize: 512,
		Skip:    []string{"text/csv"},
	})
	if err != nil {
		panic(err)
	}

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate;q=0.5")
	w := httptest.NewRecorder()
	nethttp.Handler(application).ServeHTTP(w, r)
	fmt.Println(w.Header().Get("Content-Encoding"), w.Header().Get("Vary"), w.Body.Len() < 200)
	// Output: gzip Accept-Encoding true
}

func ExampleRequest() {
	upload := func(environ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
		return app.String(fmt.Sprintf("%d octets", environ.ContentLength()))
	}
	application, err := compress.Request(upload, compress.Limits{MaxSize: 1 << 20})
	if err != nil {
		panic(err)
	}

	r := httptest.NewRequest("POST", "/", strings.NewReader("no gzip"))
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	nethttp.Handler(application).ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 400
}
