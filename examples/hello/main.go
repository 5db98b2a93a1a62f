// hello is the smallest application: curl http://127.0.0.1:8000/
package main

import (
	"log"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

func hello(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
	return app.String("Hello from " + environ.Get("PATH_INFO") + "\n")
}

func main() {
	if err := server.MakeServer("127.0.0.1", 8000, hello).ServeForever(); err != nil {
		log.Fatal(err)
	}
}
