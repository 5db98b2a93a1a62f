// chat is a chat in the browser, over a WebSocket, or long-polls where there is none: messages are kept and handed out by a hub.
//
//	go run ./examples/chat
//
// and open http://127.0.0.1:8000/ in two windows. http://127.0.0.1:8000/#tea is another room, http://127.0.0.1:8000/?polls does without WebSocket. --bind 0.0.0.0:8000 lets
// other machines in. A terminal takes part too:
//
//	curl -d '{"name":"curl","text":"hello"}' http://127.0.0.1:8000/publish/lobby
//	curl 'http://127.0.0.1:8000/poll/lobby?since=0'
//
// Anybody who reaches the server may read and write, under any name.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"strings"
	"syscall"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/server"
)

//go:embed chat.html
var page string

// chat returns the application. Rooms are topics of the hub.
func chat(rooms *hub.Hub) app.Application {
	poll, publish := rooms.Poll("/poll/"), rooms.Publisher("/publish/")
	socket := rooms.Sockets("/socket/", &websocket.Upgrader{Compress: true}, func(c websocket.Conn, topics []string, _ websocket.Kind, data []byte) {
		if _, _, err := rooms.Publish(topics[0], data); err != nil {
			_ = c.Close(websocket.CodeFailed, err.Error())
		}
	})
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		path := environ.Get("PATH_INFO")
		switch {
		case strings.HasPrefix(path, "/poll/"):
			return poll(environ, start)
		case strings.HasPrefix(path, "/socket/"):
			return socket(environ, start)
		case strings.HasPrefix(path, "/publish/"):
			return publish(environ, start)
		case path == "/":
			start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/html; charset=utf-8"}})
			return app.String(page)
		}
		start("404 Not Found", []app.Header{{Name: "Content-Type", Value: "text/plain"}})
		return app.String("the chat is at /\n")
	}
}

func main() {
	bind := flag.String("bind", "127.0.0.1:8000", "`address` to listen at; port 0: one that is free")
	flag.Parse()

	rooms := hub.New(hub.Options{})
	s, err := server.New(server.Config{Application: chat(rooms), Bind: []string{*bind}})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		stop()            // a second signal ends the process at once
		_ = rooms.Close() // or Serve would wait for the polls that it holds
	})
	fmt.Printf("chat at http://%s/\n", s.Addresses()[0])
	if err := s.Serve(ctx); err != nil {
		log.Fatal(err)
	}
}
