package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
)

// intercepted is middleware that takes responses with a field X-Take, and answers with what they had, in brackets.
func intercepted(application app.Application) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		wanted := func(headers []app.Header) bool { return len(headers) > 0 && headers[0].Name == "X-Take" }
		return app.Intercept(application, environ, start, 10, wanted, func(d app.Deferred, r *app.Response) {
			_ = d.Answer(&app.Response{Status: r.Status, Headers: r.Headers[1:], Content: []byte("[" + string(r.Content) + "]")})
		})
	}
}

// TestIntercept: each way to answer, with content that is taken, left alone, and too large.
func TestIntercept(t *testing.T) {
	ways := map[string]func(headers []app.Header, chunks []string) app.Application{
		"body": func(headers []app.Header, chunks []string) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				start("201 Created", headers)
				return app.String(strings.Join(chunks, ""))
			}
		},
		"write and body": func(headers []app.Header, chunks []string) app.Application {
			return func(_ *app.Environ, start app.StartResponse) app.Body {
				_, _ = start("201 Created", headers)([]byte(chunks[0]))
				return app.String(strings.Join(chunks[1:], ""))
			}
		},
		"start in Next": func(headers []app.Header, chunks []string) app.Application {
			return app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
				return app.Seq(func(yield func([]byte) bool) {
					start("201 Created", headers)
					for _, c := range chunks {
						if !yield([]byte(c)) {
							return
						}
					}
				})
			})
		},
		"answer": func(headers []app.Header, chunks []string) app.Application {
			return func(environ *app.Environ, _ app.StartResponse) app.Body {
				_ = environ.Defer().Answer(&app.Response{Status: "201 Created", Headers: headers, Content: []byte(strings.Join(chunks, ""))})
				return nil
			}
		},
		"deferred": func(headers []app.Header, chunks []string) app.Application {
			return func(environ *app.Environ, _ app.StartResponse) app.Body {
				d := environ.Defer()
				_ = d.Start("201 Created", headers)
				for _, c := range chunks {
					_, _ = d.Write([]byte(c))
				}
				_ = d.Close()
				return nil
			}
		},
	}
	text := app.Header{Name: "Content-Type", Value: "text/plain"}
	take, leave := []app.Header{{Name: "X-Take", Value: "1"}, text}, []app.Header{{Name: "X-Leave", Value: "1"}, text}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			taken := apptest.New(t, intercepted(way(take, []string{"ab", "cd"}))).Get("/")
			if taken.Code != 201 || taken.String() != "[abcd]" {
				t.Errorf("taken: %d %q", taken.Code, taken)
			}
			left := apptest.New(t, intercepted(way(leave, []string{"abcdefgh", "ijklmnop"}))).Get("/")
			if left.Code != 201 || left.String() != "abcdefghijklmnop" || left.Header.Get("X-Leave") != "1" {
				t.Errorf("left alone: %d %q", left.Code, left)
			}
			large := apptest.New(t, intercepted(way(take, []string{"abcdefgh", "ijklmnop"}))).Get("/")
			if large.Code != 500 || name != "write and body" && !errors.Is(large.Err, app.ErrIntercepted) {
				t.Errorf("too large: %d %q, %v", large.Code, large, large.Err)
			}
		})
	}
}

// TestInterceptFile: the content of a file is taken too. One that turns out to be shorter is no content with zeros in the place of what is missing.
func TestInterceptFile(t *testing.T) {
	for count, want := range map[int64]string{0: "200 []", 4: "200 [abcd]", 6: "200 [abcdef]", 7: "500 Internal Server Error\n"} {
		r := apptest.New(t, intercepted(func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			_ = d.Start("200 OK", []app.Header{{Name: "X-Take", Value: "1"}, {Name: "Content-Type", Value: "text/plain"}})
			_ = d.SendFile(owned(t, "abcdef"), 0, count)
			_ = d.Close()
			return nil
		})).Get("/")
		if got := fmt.Sprint(r.Code, " ", r); got != want {
			t.Errorf("%d octets: %q, want %q", count, got, want)
		}
	}
}

// TestInterceptOutside: middleware inside sees the application's response, and that outside the answer in its place; neither sees both.
func TestInterceptOutside(t *testing.T) {
	adds := func(value string, application app.Application) app.Application {
		return func(environ *app.Environ, start app.StartResponse) app.Body {
			return application(environ, app.FilterHead(environ, start, func(h *app.Head) { h.Add("X-Way", value) }))
		}
	}
	application := func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "X-Take", Value: "1"}, {Name: "Content-Type", Value: "text/plain"}})
		return app.String("a")
	}
	r := apptest.New(t, adds("outer", intercepted(adds("inner", application)))).Get("/")
	if way := r.Header.Values("X-Way"); r.String() != "[a]" || strings.Join(way, " ") != "inner outer" {
		t.Errorf("%q, %v", r, way)
	}
}
