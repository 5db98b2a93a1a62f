package server_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// fcgiRecord is a record of FastCGI.
func fcgiRecord(kind, id byte, content string) string {
	return string([]byte{1, kind, 0, id, byte(len(content) >> 8), byte(len(content)), 0, 0}) + content
}

// fcgiGet is a request for path, on a connection that is kept.
func fcgiGet(id byte, path string) string {
	params := "\x0e\x03REQUEST_METHODGET" + "\x0b" + string(rune(len(path))) + "REQUEST_URI" + path
	return fcgiRecord(1, id, "\x00\x01\x01\x00\x00\x00\x00\x00") + fcgiRecord(4, id, params) + fcgiRecord(4, id, "") + fcgiRecord(5, id, "")
}

// fcgiEnd reads up to the end of the request, and returns the content of the response.
func fcgiEnd(t *testing.T, c net.Conn, id byte) (content string) {
	t.Helper()
	var stdout []byte
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("behind %q: %v", stdout, err)
		}
		body := make([]byte, int(head[4])<<8|int(head[5])+int(head[6]))
		if _, err := io.ReadFull(c, body); err != nil {
			t.Fatal(err)
		}
		switch {
		case head[3] != id:
			t.Fatalf("a record is for the request %d, want %d", head[3], id)
		case head[1] == 6:
			stdout = append(stdout, body...)
		case head[1] == 3:
			_, after, _ := bytes.Cut(stdout, []byte("\r\n\r\n"))
			return string(after)
		}
	}
}

// TestGatewayHandOver: an application that blocks does not stop the loop, and its connection goes on behind it, whatever came meanwhile.
func TestGatewayHandOver(t *testing.T) {
	before := runtime.NumGoroutine()
	release := make(chan struct{})
	parked, left := make(chan struct{}, 1), make(chan struct{}, 1)
	s := serve(t, server.Config{
		Protocol: server.FastCGI, Loops: 1,
		Application: func(environ *app.Environ, start app.StartResponse) app.Body {
			switch path := environ.Get("PATH_INFO"); path {
			case "/block":
				<-release
			case "/block/park":
				<-release
				d := environ.Defer()
				go func() {
					<-d.Done()
					left <- struct{}{}
				}()
				parked <- struct{}{}
				return nil
			}
			start("200 OK", nil)
			return app.String(environ.Get("PATH_INFO"))
		},
	})
	a, b, c := s.dial(), s.dial(), s.dial()
	send := func(c net.Conn, what string) {
		t.Helper()
		if _, err := io.WriteString(c, what); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(c net.Conn, id byte, want string) {
		t.Helper()
		if got := fcgiEnd(t, c, id); got != want {
			t.Errorf("request %d is answered %q, want %q", id, got, want)
		}
	}
	send(a, fcgiGet(1, "/block"))
	send(c, fcgiGet(5, "/block/park"))
	send(b, fcgiGet(2, "/one")+fcgiGet(3, "/two")) // one behind the other
	expect(b, 2, "/one")
	expect(b, 3, "/two")
	// While it blocks: a second request is refused, and values are told.
	send(a, fcgiGet(9, "/more"))
	refusal := make([]byte, 16)
	if _, err := io.ReadFull(a, refusal); err != nil || string(refusal) != fcgiRecord(3, 9, "\x00\x00\x00\x00\x01\x00\x00\x00") {
		t.Errorf("%q, %v", refusal, err)
	}
	close(release)
	expect(a, 1, "/block")
	send(a, fcgiGet(4, "/three"))
	expect(a, 4, "/three")
	<-parked
	send(c, fcgiRecord(2, 5, ""))
	expect(c, 5, "")
	select {
	case <-left:
	case <-time.After(patience):
		t.Error("a deferred answer is not told of the abort")
	}
	send(c, fcgiGet(6, "/four"))
	expect(c, 6, "/four")
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	noGoroutinesLeft(t, before)
}

// TestGatewayShutdown: connections without a request are closed at the end, and one with a request behind it.
func TestGatewayShutdown(t *testing.T) {
	answer := make(chan app.Deferred, 1)
	var log logged
	s := serve(t, server.Config{
		Protocol: server.FastCGI, AccessLog: &log,
		Application: func(environ *app.Environ, start app.StartResponse) app.Body {
			if environ.Get("PATH_INFO") == "/late" {
				answer <- environ.Defer()
				return nil
			}
			start("200 OK", nil)
			return app.String("now")
		},
	})
	idle, busy := s.dial(), s.dial()
	for _, c := range []net.Conn{idle, busy} {
		if _, err := io.WriteString(c, fcgiGet(1, "/now")); err != nil {
			t.Fatal(err)
		}
		if got := fcgiEnd(t, c, 1); got != "now" {
			t.Errorf("%q", got)
		}
	}
	if _, err := io.WriteString(busy, fcgiGet(2, "/late")); err != nil {
		t.Fatal(err)
	}
	d := <-answer
	s.cancel()
	if rest, err := io.ReadAll(idle); err != nil || len(rest) > 0 {
		t.Errorf("the idle connection ends with %q, %v", rest, err)
	}
	if err := d.Answer(&app.Response{Status: "200 OK", Content: []byte("late")}); err != nil {
		t.Error(err)
	}
	if got := fcgiEnd(t, busy, 2); got != "late" {
		t.Errorf("%q", got)
	}
	if rest, err := io.ReadAll(busy); err != nil || len(rest) > 0 {
		t.Errorf("the busy connection ends with %q, %v", rest, err)
	}
	if err := s.wait(); err != nil {
		t.Error(err)
	}
	if strings.Count(log.String(), `"GET /now HTTP/1.0" 200 3`) != 2 || strings.Count(log.String(), `"GET /late HTTP/1.0" 200 4`) != 1 {
		t.Errorf("the access log is\n%s", log.String())
	}
}
