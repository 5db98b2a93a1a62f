package main

import (
	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
)

// echoes answers messages with themselves. It keeps nothing of a connection.
var echoes = websocket.Funcs{OnMessage: func(c websocket.Conn, kind websocket.Kind, data []byte) { _, _ = c.Send(kind, data) }}

var echoing = &websocket.Upgrader{Compress: true}

// webSocket is the demo's WebSocket without topics.
func webSocket(environ *app.Environ, start app.StartResponse) app.Body {
	return echoing.Upgrade(environ, start, echoes)
}
