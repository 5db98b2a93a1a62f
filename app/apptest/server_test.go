package apptest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
)

func TestServer(t *testing.T) {
	server := apptest.NewServer(t, app.Blocking(echo))
	res, err := server.Client.Post(server.URL+"/p?q", "a/b", strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if want := `POST /p?q http 7 a/b example.com  "content" <nil>`; string(content) != want || err != nil {
		t.Errorf("got %s, %v; want %s", content, err, want)
	}
}

func TestServerTellsTheTest(t *testing.T) {
	tb := &fakeTB{TB: t}
	var kept io.Writer
	server := apptest.NewServer(tb, func(e *app.Environ, start app.StartResponse) app.Body {
		kept = e.Errors()
		switch string(e.Path()) {
		case "/breach":
			start("200", typed)
		case "/late":
			start("200 OK", typed)
			return app.Seq(func(yield func([]byte) bool) {
				yield([]byte("x"))
				panic("late")
			})
		}
		_, _ = io.WriteString(e.Errors(), "said")
		panic("oops")
	})
	for _, test := range []struct {
		path   string
		code   int
		err    error
		errors string
		logs   string
	}{
		{"/breach", 500, nil, "the status is code and reason phrase", ""},
		{"/panic", 500, nil, "", "said\nGET /panic: panic: oops"},
		{"/late", 200, io.ErrUnexpectedEOF, "", "GET /late: panic: late"},
	} {
		tb.errors, tb.logs = nil, nil
		res, err := server.Client.Get(server.URL + test.path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != test.code || !errors.Is(err, test.err) {
			t.Errorf("%s: %d, %v", test.path, res.StatusCode, err)
		}
		failed, logged := strings.Join(tb.errors, "\n"), strings.ReplaceAll(strings.Join(tb.logs, "\n"), "\n\n", "\n")
		if !strings.Contains(failed, test.errors) || (failed == "") != (test.errors == "") || !strings.Contains(logged, test.logs) {
			t.Errorf("%s: errors %q, logs %q", test.path, failed, logged)
		}
	}
	for _, f := range tb.cleanups {
		f()
	}
	n := len(tb.logs)
	_, _ = io.WriteString(kept, "too late")
	if len(tb.logs) != n {
		t.Error("a test that has ended was told something")
	}
	if _, err := server.Client.Get(server.URL); err == nil {
		t.Error("the server outlives its test")
	}
	var client http.Client = *server.Client
	client.CloseIdleConnections()
}
