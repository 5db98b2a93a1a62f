// Command techempower answers the tests plaintext and json of TechEmpower's framework benchmarks.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

var (
	hello     = []byte("Hello, World!")
	plainText = []app.Header{{Name: "Content-Type", Value: "text/plain"}}
	jsonText  = []app.Header{{Name: "Content-Type", Value: "application/json"}}
)

type message struct {
	Message string `json:"message"`
}

func answer(environ *app.Environ, start app.StartResponse) app.Body {
	switch string(environ.Path()) {
	case "/plaintext":
		start("200 OK", plainText)
		return environ.Bytes(hello)
	case "/json":
		text, err := json.Marshal(message{"Hello, World!"})
		if err != nil {
			panic(err)
		}
		start("200 OK", jsonText)
		return environ.Bytes(text)
	}
	start("404 Not Found", plainText)
	return environ.Bytes([]byte("there is /plaintext and /json\n"))
}

func main() {
	address := "0.0.0.0:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	s, err := server.New(server.Config{Application: answer, Bind: []string{address}, Inline: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Serve(context.Background()); err != nil {
		log.Fatal(err)
	}
}
