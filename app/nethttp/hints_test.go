package nethttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
)

// askHinted returns the interim responses, and then the final one, each as its code and fields.
func askHinted(t *testing.T, s *wire) string {
	t.Helper()
	var got []string
	note := func(code int, h http.Header) {
		for _, name := range []string{"Date", "Content-Type"} {
			delete(h, name)
		}
		got = append(got, fmt.Sprint(code, h))
	}
	r, err := http.NewRequest(http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error { note(code, http.Header(h)); return nil },
	}))
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	note(res.StatusCode, res.Header)
	content, err := io.ReadAll(res.Body)
	return fmt.Sprintf("%s %q %v", strings.Join(got, " "), content, err)
}

func link(to string) []app.Header {
	return []app.Header{{Name: "Link", Value: to}, {Name: "Content-Length", Value: "99"}}
}

// TestEarlyHints: interim responses go before the final one, in order, and leave it as it would be without.
func TestEarlyHints(t *testing.T) {
	const want = `103 map[Link:[a]] 103 map[Link:[b]] 200 map[Content-Length:[5] X-A:[1]] "hello" <nil>`
	final := []app.Header{typed[0], {Name: "X-A", Value: "1"}}
	hints := func(give func([]app.Header) error) {
		for _, to := range []string{"a", "b"} {
			if err := give(link(to)); err != nil {
				t.Error(err)
			}
		}
	}
	tooLate := func(give func([]app.Header) error) {
		if err := give(link("c")); err == nil {
			t.Error("no error behind the head")
		}
	}
	for name, application := range map[string]app.Application{
		"call": func(e *app.Environ, start app.StartResponse) app.Body {
			hints(e.EarlyHints)
			start("200 OK", final)
			return app.String("hello")
		},
		"behind start": func(e *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", append(final, app.Header{Name: "Content-Length", Value: "5"}))
			return app.Seq(func(yield func([]byte) bool) {
				hints(e.EarlyHints)
				yield([]byte("hello"))
			})
		},
		"answered later": func(e *app.Environ, _ app.StartResponse) app.Body {
			d := e.Defer()
			if err := e.EarlyHints(link("c")); err == nil {
				t.Error("no error although the answer is deferred")
			}
			go func() {
				hints(d.EarlyHints)
				if err := d.EarlyHints([]app.Header{{Name: "Connection", Value: "close"}}); err == nil {
					t.Error("a field of the server's is no error")
				}
				_ = d.Answer(&app.Response{Status: "200 OK", Headers: final, Content: []byte("hello")})
				tooLate(d.EarlyHints)
			}()
			return nil
		},
		"begun later": func(e *app.Environ, _ app.StartResponse) app.Body {
			d := e.Defer()
			go func() {
				_ = d.Start("200 OK", append(final, app.Header{Name: "Content-Length", Value: "5"}))
				hints(d.EarlyHints)
				_, _ = d.Write([]byte("hel"))
				tooLate(d.EarlyHints)
				_, err := d.Write([]byte("lo"))
				if err = errors.Join(err, d.Close()); err != nil {
					t.Error(err)
				}
			}()
			return nil
		},
		"handler": nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, to := range []string{"a", "b"} {
				w.Header().Set("Link", to)
				w.Header().Set("Content-Length", "5")
				w.Header().Set("Connection", "close")
				w.WriteHeader(http.StatusEarlyHints)
			}
			w.WriteHeader(http.StatusProcessing) // for which there is no way
			clear(w.Header())
			w.Header().Set("X-A", "1")
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "hello")
			w.WriteHeader(http.StatusEarlyHints)
		})),
	} {
		t.Run(name, func(t *testing.T) {
			onEachWire(t, application, func(t *testing.T, s *wire) {
				if got := askHinted(t, s); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				<-s.served
				if err := s.all(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestEarlyHintsKeepTheHeader: what others have put into the header stays out of interim responses, and in the final one.
func TestEarlyHintsKeepTheHeader(t *testing.T) {
	handler := nethttp.Handler(func(e *app.Environ, start app.StartResponse) app.Body {
		if err := e.EarlyHints(link("a")); err != nil {
			t.Error(err)
		}
		start("200 OK", typed)
		return app.String("hello")
	})
	s := &wire{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "1")
		handler.ServeHTTP(w, r)
	}))}
	defer s.Close()
	if got, want := askHinted(t, s), `103 map[Link:[a]] 200 map[Content-Length:[5] X-Outer:[1]] "hello" <nil>`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestEarlyHintsForHTTP10: there are no interim responses.
func TestEarlyHintsForHTTP10(t *testing.T) {
	for name, deferred := range map[string]bool{"call": false, "deferred": true} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(nethttp.Handler(func(e *app.Environ, start app.StartResponse) app.Body {
				give := e.EarlyHints
				var d app.Deferred
				if deferred {
					d = e.Defer()
					give = d.EarlyHints
				}
				if err := give(link("a")); err != nil {
					t.Error(err)
				}
				if deferred {
					_ = d.Answer(&app.Response{Status: "200 OK", Headers: typed})
					return nil
				}
				start("200 OK", typed)
				return nil
			}))
			defer s.Close()
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || line != "HTTP/1.0 200 OK\r\n" {
				t.Errorf("%q, %v", line, err)
			}
		})
	}
}
