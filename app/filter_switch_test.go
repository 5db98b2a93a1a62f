package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/websocket"
)

// TestFilterSwitch: a connection that leaves HTTP does so under filters, which have nothing to see then.
func TestFilterSwitch(t *testing.T) {
	ended := make(chan bool, 1)
	seen := false
	see := func(*app.Head) { seen = true }
	address := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		return app.OnEnd(func(environ *app.Environ, start app.StartResponse) app.Body {
			return app.FilterContent(func(environ *app.Environ, start app.StartResponse) app.Body {
				return websocket.Upgrade(environ, app.FilterHead(environ, start, see), websocket.Funcs{
					OnMessage: func(c websocket.Conn, kind websocket.Kind, data []byte) { _, _ = c.Send(kind, data) },
				})
			}, environ, start, see)
		}, environ, start, func() { ended <- true })
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, "ws://"+address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if err := wsutil.WriteClientText(conn, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := wsutil.ReadServerText(conn); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	<-ended
	if seen {
		t.Error("a filter saw the head of a response")
	}
}
