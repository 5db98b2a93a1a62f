package grip_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub/grip"
)

// instructions is an application that answers as its path says.
func instructions(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Own", "1")
	switch r.URL.Path {
	case "/response":
		w.Header().Set("Grip-Hold", "response")
	case "/stream":
		w.Header().Set("Grip-Hold", "stream")
		defer func() { _, _ = io.WriteString(w, "open\n") }()
	}
	w.Header().Set("Grip-Channel", r.URL.Query().Get("channel"))
}

// TestResponse: a published answer takes the place of the application's, whose fields go with it.
func TestResponse(t *testing.T) {
	w := handler(t, instructions)
	c := w.get(t, "/response?channel=a,b")
	w.held(t, "b", 1)
	w.publish(`{"channel":"b","formats":{"http-response":{"code":201,"headers":{"Content-Type":"text/x"},"body":"news\n"}}}`)
	r, content := c.answer()
	if r.Status != "201 Created" || content != "news\n" || r.Header.Get("Content-Type") != "text/x" || r.Header.Get("X-Own") != "1" || r.Header.Get("Grip-Channel") != "" {
		t.Errorf("%s %q %v", r.Status, content, r.Header)
	}
	w.held(t, "a", 0)
	w.held(t, "b", 0)
}

// TestStream: what is there goes out at once, and what is published behind it, in either form, until that says close.
func TestStream(t *testing.T) {
	w := handler(t, instructions)
	r := w.get(t, "/stream?channel=a").response()
	expect(t, r.Body, "open\n")
	w.held(t, "a", 1)
	w.publish(`{"channel":"a","http-stream":{"content":"one\n"}},{"channel":"a","formats":{"http-stream":{"content-bin":"dHdvCg=="}}}`)
	expect(t, r.Body, "one\ntwo\n")
	w.publish(`{"channel":"a","formats":{"http-stream":{"action":"close"}}}`)
	if rest, err := io.ReadAll(r.Body); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	w.held(t, "a", 0)
	if n := w.proxy.Channels(); n != 0 {
		t.Errorf("%d channels are left", n)
	}
}

// TestWays: a response is taken away whichever way the application gives it.
func TestWays(t *testing.T) {
	headers := []app.Header{{Name: "Grip-Hold", Value: "stream"}, {Name: "Grip-Channel", Value: "a"}}
	begin := []byte("open\n")
	for name, application := range map[string]app.Application{
		"body": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", headers)
			return app.Bytes(begin)
		},
		"write": func(_ *app.Environ, start app.StartResponse) app.Body {
			_, _ = start("200 OK", headers)(begin)
			return nil
		},
		"generator": func(_ *app.Environ, start app.StartResponse) app.Body {
			return app.Seq(func(yield func([]byte) bool) {
				start("200 OK", headers)
				_ = yield(begin[:2]) && yield(begin[2:])
			})
		},
		"answer": func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			go func() { _ = d.Answer(&app.Response{Status: "200 OK", Headers: headers, Content: begin}) }()
			return nil
		},
		"deferred": func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			go func() {
				_ = d.Start("200 OK", headers)
				_, _ = d.Write(begin)
				_ = d.Close()
			}()
			return nil
		},
		"blocking": app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", headers)
			return app.Bytes(begin)
		}),
		"withdrawn": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", []app.Header{{Name: "Grip-Hold", Value: "response"}})
			start("200 OK", headers, io.ErrUnexpectedEOF)
			return app.Bytes(begin)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, grip.Options{}, application)
			r := w.get(t, "/").response()
			expect(t, r.Body, "open\n")
			w.held(t, "a", 1)
			w.publish(`{"channel":"a","http-stream":{"content":"one\n"}}`)
			expect(t, r.Body, "one\n")
		})
	}
}

// TestVanished: a client that leaves leaves nothing behind.
func TestVanished(t *testing.T) {
	w := handler(t, instructions)
	clients := []*client{w.get(t, "/stream?channel=a"), w.get(t, "/response?channel=a"), w.get(t, "/stream?channel=a")}
	w.held(t, "a", 3)
	for _, c := range clients {
		_ = c.conn.Close()
	}
	w.held(t, "a", 0)
	if s := w.hub.Stats(); s.Streams != 0 || s.Topics != 0 {
		t.Errorf("the hub has %+v", s)
	}
}

// TestClosed: when the hub closes, a stream ends, and a held request gets the answer that it has for the case that nothing comes; with a channel or
// without.
func TestClosed(t *testing.T) {
	t.Parallel()
	w := handler(t, instructions)
	var streams, responses []*client
	for _, query := range []string{"?channel=a", ""} {
		streams, responses = append(streams, w.get(t, "/stream"+query)), append(responses, w.get(t, "/response"+query))
	}
	eventually(t, "four requests are held", func() bool { return w.hub.Stats().Streams == 4 })
	w.stop()
	for i := range streams {
		if _, content := streams[i].answer(); content != "open\n" {
			t.Errorf("stream %d: %q", i, content)
		}
		if r, _ := responses[i].answer(); r.StatusCode != 200 {
			t.Errorf("response %d: %s", i, r.Status)
		}
	}
}
