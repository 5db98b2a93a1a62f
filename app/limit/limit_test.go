package limit_test

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/limit"
)

var plain = []app.Header{{Name: "Content-Type", Value: "text/plain"}}

func answer(_ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", plain)
	return app.String("content")
}

func from(address string) *http.Request {
	r, _ := http.NewRequest("GET", "/", nil)
	r.RemoteAddr = address
	return r
}

func TestRate(t *testing.T) {
	application, err := limit.Rate(app.Validator(answer), limit.RateOptions{PerSecond: 0.001, Burst: 2, Status: "429 Too Many Requests"})
	if err != nil {
		t.Fatal(err)
	}
	client := apptest.New(t, application)
	for _, c := range []struct {
		address string
		code    int
	}{
		{"192.0.2.1:1", 200}, {"192.0.2.1:2", 200}, {"192.0.2.1:3", 429}, {"192.0.2.2:1", 200}, {"[::ffff:192.0.2.1]:1", 429},
		{"[2001:db8::1]:1", 200}, {"[2001:db8::2]:1", 200}, {"[2001:db8::3]:1", 429}, {"[2001:db8:0:1::1]:1", 200},
	} {
		res := client.Do(from(c.address))
		if res.Code != c.code {
			t.Errorf("%s: %s", c.address, res.Status)
		}
		if after := res.Header.Get("Retry-After"); c.code == 429 && after != "1000" && after != "999" {
			t.Errorf("%s: Retry-After: %q", c.address, after)
		}
	}
}

// TestConcurrency: whatever the way of the answer, its place is free when it has ended.
func TestConcurrency(t *testing.T) {
	for name, c := range map[string]struct {
		application app.Application
		end         func(d app.Deferred) // of a deferred answer
		free        bool                 // at once
	}{
		"answer": {answer, nil, true},
		"panic":  {func(*app.Environ, app.StartResponse) app.Body { panic("why") }, nil, true},
		"stream": {func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", plain)
			return app.Seq(func(yield func([]byte) bool) { yield([]byte("content")) })
		}, nil, true},
		"blocking":       {app.Blocking(answer), nil, true},
		"blocking panic": {app.Blocking(func(*app.Environ, app.StartResponse) app.Body { panic("why") }), nil, true},
		"nothing":        {func(_ *app.Environ, start app.StartResponse) app.Body { start("204 No Content", nil); return nil }, nil, true},
		"answered":       {nil, func(d app.Deferred) { _ = d.Answer(&app.Response{Status: "204 No Content"}) }, false},
		"closed":         {nil, func(d app.Deferred) { _ = d.Start("204 No Content", nil); _ = d.Close() }, false},
		"aborted":        {nil, func(d app.Deferred) { d.Abort(app.ErrAbort) }, false},
		"expired":        {nil, func(d app.Deferred) { d.SetDeadline(time.Millisecond, &app.Response{Status: "204 No Content"}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			held := make(chan app.Deferred, 1)
			inner := c.application
			if inner == nil {
				inner = func(environ *app.Environ, _ app.StartResponse) app.Body {
					held <- environ.Defer()
					return nil
				}
			}
			application, err := limit.Concurrency(inner, limit.ConcurrencyOptions{Max: 1, RetryAfter: 3 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			server := apptest.NewServer(t, application)
			for range 3 {
				if c.free {
					if code := get(t, server); code == 503 {
						t.Fatal("there is no place")
					}
					continue
				}
				done := make(chan int)
				go func() { done <- get(t, server) }()
				d := <-held
				if code := get(t, server); code != 503 {
					t.Errorf("a second request got %d", code)
				}
				c.end(d)
				if code := <-done; code == 503 {
					t.Error("the first request was refused")
				}
			}
		})
	}
}

// get returns the status code of an answer, 0 for none.
func get(t *testing.T, server *apptest.Server) int {
	res, err := server.Client.Post(server.URL, "", nil) // a GET is tried again when it is cut off
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode == 503 && res.Header.Get("Retry-After") != "3" {
		t.Errorf("Retry-After: %q", res.Header.Get("Retry-After"))
	}
	return res.StatusCode
}

// TestConcurrencyLeft: the place of a client that has left is free.
func TestConcurrencyLeft(t *testing.T) {
	held := make(chan app.Deferred, 1)
	application, err := limit.Concurrency(func(environ *app.Environ, _ app.StartResponse) app.Body {
		held <- environ.Defer()
		return nil
	}, limit.ConcurrencyOptions{MaxPerKey: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := apptest.NewServer(t, application)
	conn, err := server.Listener.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	d := <-held
	_ = conn.Close()
	<-d.Done()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		go func() {
			select {
			case d := <-held:
				_ = d.Answer(&app.Response{Status: "204 No Content"})
			case <-t.Context().Done():
			}
		}()
		if get503(t, server) != 503 {
			return
		}
	}
	t.Error("the place is taken for ever")
}

func get503(t *testing.T, server *apptest.Server) int {
	res, err := server.Client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestPerKey: one key does not take the places of others.
func TestPerKey(t *testing.T) {
	held := make(chan app.Deferred, 10)
	application, err := limit.Concurrency(func(environ *app.Environ, _ app.StartResponse) app.Body {
		held <- environ.Defer()
		return nil
	}, limit.ConcurrencyOptions{Max: 3, MaxPerKey: 2, Key: func(environ *app.Environ) string { return environ.Get("HTTP_X_USER") }})
	if err != nil {
		t.Fatal(err)
	}
	server := apptest.NewServer(t, application)
	codes := make(chan int, 10)
	ask := func(user string) {
		r, _ := http.NewRequest("GET", server.URL, nil)
		r.Header.Set("X-User", user)
		res, err := server.Client.Do(r)
		if err != nil {
			t.Error(err)
			codes <- 0
			return
		}
		_ = res.Body.Close()
		codes <- res.StatusCode
	}
	var waiting []app.Deferred
	for _, c := range []struct {
		user    string
		refused bool
	}{{"a", false}, {"a", false}, {"a", true}, {"b", false}, {"c", true}} {
		go ask(c.user)
		select {
		case d := <-held:
			waiting = append(waiting, d)
			if c.refused {
				t.Errorf("%s got a place", c.user)
			}
		case code := <-codes:
			if !c.refused || code != 503 {
				t.Errorf("%s got %d", c.user, code)
			}
		}
	}
	for _, d := range waiting {
		_ = d.Answer(&app.Response{Status: "204 No Content"})
		if code := <-codes; code != 204 {
			t.Errorf("a request that had its place got %d", code)
		}
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]limit.RateOptions{
		"RateOptions.PerSecond": {},
		"PerSecond must":        {PerSecond: math.NaN()},
		"RateOptions.Burst":     {PerSecond: 1, Burst: -1},
		"RateOptions.MaxKeys":   {PerSecond: 1, MaxKeys: -1},
		"RateOptions.Status":    {PerSecond: 1, Status: "429"},
	} {
		if _, err := limit.Rate(answer, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for want, o := range map[string]limit.ConcurrencyOptions{
		"neither Max nor MaxPerKey": {},
		"must be 1 or more":         {Max: -1},
		"ConcurrencyOptions.Status": {Max: 1, Status: "503"},
	} {
		if _, err := limit.Concurrency(answer, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
