package app_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	weir "github.com/weirhttp/weir/server"
)

// stuck is a Coder that takes until it is released.
type stuck struct{ begun, release chan bool }

func (s *stuck) Encode(dst, chunk []byte, _ bool) ([]byte, error) {
	select {
	case s.begun <- true:
	default:
	}
	<-s.release
	return append(dst, chunk...), nil
}

func (s *stuck) Close() {}

// TestFilterLongContent: long content and files are not coded on the loop, which has others to serve. Nothing else would spare it: it does not watch
// its calls.
func TestFilterLongContent(t *testing.T) {
	content := strings.Repeat("0123456789", 10_000)
	read := file(t, content).Name()
	for name, application := range map[string]app.Application{
		"bytes": func(_ *app.Environ, start app.StartResponse) app.Body {
			start("200 OK", nil)
			return app.String(content)
		},
		"file": func(_ *app.Environ, start app.StartResponse) app.Body {
			f, err := os.Open(read)
			if err != nil {
				panic(err)
			}
			start("200 OK", nil)
			return app.FileWrapper(f, 0)
		},
		"answer": func(environ *app.Environ, _ app.StartResponse) app.Body {
			_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Content: []byte(content)})
			return nil
		},
		"write": func(environ *app.Environ, _ app.StartResponse) app.Body {
			d := environ.Defer()
			_ = d.Start("200 OK", nil)
			_, _ = d.Write([]byte(content))
			_ = d.Close()
			return nil
		},
		"deferred file": func(environ *app.Environ, _ app.StartResponse) app.Body {
			f, err := os.Open(read)
			if err != nil {
				panic(err)
			}
			d := environ.Defer()
			_ = d.Start("200 OK", nil)
			_ = d.SendFile(f, 0, int64(len(content)))
			_ = d.Close()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			coder := &stuck{make(chan bool, 1), make(chan bool)}
			address := serveWith(t, weir.Config{Inline: true, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
				if environ.Get("PATH_INFO") == "/other" {
					start("204 No Content", nil)
					return nil
				}
				return app.FilterContent(application, environ, start, func(h *app.Head) { h.Coder = coder })
			}})
			client := &http.Client{Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			got := make(chan string, 1)
			go func() {
				res, err := client.Get("http://" + address)
				if err != nil {
					got <- err.Error()
					return
				}
				defer res.Body.Close()
				all, _ := io.ReadAll(res.Body)
				got <- string(all)
			}()
			<-coder.begun
			res, err := client.Get("http://" + address + "/other")
			if err != nil {
				t.Error("the loop serves nobody else:", err)
			} else {
				_ = res.Body.Close()
			}
			close(coder.release)
			if all := <-got; all != content {
				t.Errorf("%d octets, want %d", len(all), len(content))
			}
		})
	}
}
