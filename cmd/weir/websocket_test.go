package main

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// socket opens a WebSocket.
func (p *process) socket(target string) io.ReadWriter {
	p.t.Helper()
	c := p.dial()
	if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	in := bufio.NewReaderSize(c, 512)
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != 101 {
		p.t.Fatal(r, err)
	}
	return struct {
		io.Reader
		io.Writer
	}{in, c}
}

// TestWebSockets: the demo's echo, and its topics, over a WebSocket; SIGTERM ends them.
func TestWebSockets(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes")
	echo := p.socket("/websocket")
	if err := wsutil.WriteClientText(echo, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if text, err := wsutil.ReadServerText(echo); err != nil || string(text) != "hello" {
		t.Fatalf("%q %v", text, err)
	}
	news := p.socket("/socket/news")
	if _, err := wsutil.ReadServerText(news); err != nil { // its position
		t.Fatal(err)
	}
	p.publish("news", "it rains", 1)
	if text, err := wsutil.ReadServerText(news); err != nil || len(text) == 0 {
		t.Fatalf("%q %v", text, err)
	}
	ended := make(chan int)
	go func() { ended <- p.stop() }()
	for _, c := range []io.ReadWriter{echo, news} {
		f, err := ws.ReadFrame(c)
		if err != nil || f.Header.OpCode != ws.OpClose {
			t.Fatal(f, err)
		}
		if code, _ := ws.ParseCloseFrameData(f.Payload); code != ws.StatusGoingAway {
			t.Errorf("closed with %d", code)
		}
		if err := wsutil.WriteClientMessage(c, ws.OpClose, f.Payload); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		_ = c.(struct {
			io.Reader
			io.Writer
		}).Writer.(io.Closer).Close()
	}
	if status := <-ended; status != 0 {
		t.Errorf("exit %d: %s", status, p.stderr.String())
	}
}
