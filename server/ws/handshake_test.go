package ws_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/app/websocket"
)

// TestHandshake: who asks rightly gets 101, and others are told what is wrong.
func TestHandshake(t *testing.T) {
	u := &websocket.Upgrader{
		Origins: []string{"https://friend.example"}, Subprotocols: []string{"chat.v2", "chat.v1"}, Compress: true,
	}
	s := serve(t, app.Validator(echo(u)))
	for _, test := range []struct {
		name         string
		old, new     string // in the place of what a handshake has
		status       int
		field, value string // of the response
	}{
		{"as it should be", "", "", 101, "Upgrade", "websocket"},
		{"Connection", "", "", 101, "Connection", "Upgrade"},
		{"other letters", "Upgrade: websocket\r\nConnection: Upgrade", "UPGRADE: WebSocket\r\nconnection: keep-alive, UPGRADE", 101, "Upgrade", "websocket"},
		{"no content", "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 101, "", ""},
		{"its own origin", "\r\n\r\n", "\r\nOrigin: http://server.example.com\r\n\r\n", 101, "", ""},
		{"its own origin, behind a proxy for TLS", "\r\n\r\n", "\r\nOrigin: https://SERVER.example.com:443\r\n\r\n", 101, "", ""},
		{"a friend's origin", "\r\n\r\n", "\r\nOrigin: https://friend.example\r\n\r\n", 101, "", ""},
		{"an origin with another scheme", "\r\n\r\n", "\r\nOrigin: http://friend.example\r\n\r\n", 403, "", ""},
		{"another origin", "\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 403, "", ""},
		{"its own host with another port", "\r\n\r\n", "\r\nOrigin: http://server.example.com:81\r\n\r\n", 403, "", ""},
		{"no origin that is known", "\r\n\r\n", "\r\nOrigin: null\r\n\r\n", 403, "", ""},
		{"a host that begins like ours", "\r\n\r\n", "\r\nOrigin: http://server.example.com.evil.example\r\n\r\n", 403, "", ""},
		{"subprotocols", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n", 101, "Sec-Websocket-Protocol", "chat.v2"},
		{"one subprotocol", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\n", 101, "Sec-Websocket-Protocol", "chat.v1"},
		{"no subprotocol that is known", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n", 101, "Sec-Websocket-Protocol", ""},
		{"an extension that is not known", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-magic\r\n\r\n", 101, "Sec-Websocket-Extensions", ""},
		{"deflate", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-magic, permessage-deflate; client_max_window_bits\r\n\r\n", 101,
			"Sec-Websocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"a small window: the second offer", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate\r\n\r\n", 101,
			"Sec-Websocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"a small window only", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n", 101, "Sec-Websocket-Extensions", ""},
		{"a large window", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n\r\n", 101,
			"Sec-Websocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"},
		{"a parameter that there is not", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; magic\r\n\r\n", 101, "Sec-Websocket-Extensions", ""},
		{"a window that cannot be", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n\r\n", 101, "Sec-Websocket-Extensions", ""},
		{"extensions that are no list", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: ;;=\r\n\r\n", 101, "Sec-Websocket-Extensions", ""},

		{"POST", "GET ", "POST ", 405, "Allow", "GET"},
		{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 426, "Upgrade", "websocket"},
		{"an ordinary request", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "", 426, "Upgrade", "websocket"},
		{"an ordinary request: Connection", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "", 426, "Connection", "Upgrade"},
		{"another protocol", "Upgrade: websocket", "Upgrade: h2c", 426, "Sec-Websocket-Version", "13"},
		{"without Connection", "Connection: Upgrade\r\n", "", 426, "", ""},
		{"without Upgrade", "Upgrade: websocket\r\n", "", 426, "", ""},
		{"without a version", "Sec-WebSocket-Version: 13\r\n", "", 426, "Sec-Websocket-Version", "13"},
		{"an old version", "Version: 13", "Version: 8", 426, "Sec-Websocket-Version", "13"},
		{"a version to come", "Version: 13", "Version: 14", 426, "Upgrade", "websocket"},
		{"without a key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400, "", ""},
		{"a key that is not base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400, "", ""},
		{"a short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400, "", ""},
		{"two keys", "\r\n\r\n", "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, "", ""},
		{"content", "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx", 400, "", ""},
		{"chunked content", "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 400, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := strings.Replace(handshake(""), test.old, test.new, 1)
			c := s.dial(t)
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(c)
			r := readResponse(t, in)
			if r.StatusCode != test.status || r.Header.Get(test.field) != test.value {
				t.Fatalf("%s, want %d; %v", r.Status, test.status, r.Header)
			}
			if test.status == 101 {
				if _, err := c.Write(octets(t, `c text "there"`)); err != nil {
					t.Fatal(err)
				}
				expect(t, in, `s text "there"`)
			}
		})
	}
}

// TestPipelined: an upgrade waits for its turn, and what comes behind it are frames.
func TestPipelined(t *testing.T) {
	u := &websocket.Upgrader{}
	s := serve(t, func(environ *app.Environ, start app.StartResponse) app.Body {
		if environ.Get("PATH_INFO") != "/echo" {
			start("200 OK", nil)
			return app.String("first")
		}
		return echo(u)(environ, start)
	})
	c := s.dial(t)
	out := "GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + handshake("") + string(octets(t, `c text "at once"`)) + string(octets(t, `c close 1000 ""`))
	if _, err := io.WriteString(c, out); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	r := readResponse(t, in)
	if content, err := io.ReadAll(r.Body); err != nil || string(content) != "first" {
		t.Fatal(string(content), err)
	}
	if r := readResponse(t, in); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	expect(t, in, `s text "at once"`)
	expect(t, in, "s close 1000")
	expect(t, in, "s end")
}

// TestRefusedGoesOn: a connection whose upgrade is refused speaks HTTP as before.
func TestRefusedGoesOn(t *testing.T) {
	s := serve(t, echo(&websocket.Upgrader{}))
	c := s.dial(t)
	in := bufio.NewReader(c)
	for _, request := range []string{
		strings.Replace(handshake(""), "Version: 13", "Version: 9", 1),
		strings.Replace(handshake(""), "dGhl", "", 1),
		handshake("Origin: http://evil.example\r\n"),
		handshake(""),
	} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		r := readResponse(t, in)
		if r.StatusCode == 101 {
			return
		}
		if text, err := io.ReadAll(r.Body); err != nil || len(text) == 0 {
			t.Fatalf("%s %q %v", r.Status, text, err)
		}
	}
	t.Error("was not upgraded")
}

// TestNetHTTP: a server of net/http's says clearly that it cannot.
func TestNetHTTP(t *testing.T) {
	s := httptest.NewServer(&nethttp.ApplicationHandler{Application: echo(&websocket.Upgrader{})})
	defer s.Close()
	request, err := http.NewRequest("GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		request.Header.Set(name, value)
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 501 || !strings.Contains(string(text), "weir's own server") {
		t.Errorf("%s %q %v", r.Status, text, err)
	}
}

// TestHTTP2: so does HTTP/2, which has no Upgrade, and so no request that could ask for one.
func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(&nethttp.ApplicationHandler{Application: echo(&websocket.Upgrader{})})
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	r, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 501 || !strings.Contains(string(text), "HTTP/1.1") {
		t.Errorf("%s %q %v", r.Status, text, err)
	}
}
