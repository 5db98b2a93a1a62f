package h1_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

// applications are what the cases call, by the first segment of the path. testdata/README.md describes them.
var applications = map[string]app.Application{
	"probe":    answer("200 OK", "probe"),
	"about":    about,
	"echo":     echo,
	"count":    count,
	"ignore":   answer("200 OK", "ignored"),
	"status":   status,
	"declared": declared,
	"chunks":   seq("one", "", "two", "three"),
	"nothing": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return nil
	},
	"write": func(_ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", plainHeaders)
		_, _ = write([]byte("first "))
		return app.String("second")
	},
	"panic": func(*app.Environ, app.StartResponse) app.Body { panic("oops") },
	"panic-after-start": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "X-Secret", Value: "1"}})
		panic("oops")
	},
	"break": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plainHeaders)
		return &breaking{}
	},
	"break-known": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Content-Length", Value: "100"}})
		return &breaking{}
	},
	"unstarted": func(*app.Environ, app.StartResponse) app.Body { return app.String("x") },
	"close": func(environ *app.Environ, start app.StartResponse) app.Body {
		environ.CloseConnection()
		start("200 OK", plainHeaders)
		return app.String("closing")
	},
	"hop": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "Connection", Value: "keep-alive"}})
		return app.String("x")
	},
	"split": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "X", Value: "1\r\nX-Evil: 1"}})
		return app.String("x")
	},
	"own": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "date", Value: "Sun, 06 Nov 1994 08:49:37 GMT"}, {Name: "SERVER", Value: "mine"}})
		return app.String("own")
	},
	// The same head is started twice; only its status differs from that of the response before.
	"withdrawn": func(_ *app.Environ, start app.StartResponse) app.Body {
		start("404 Not Found", plainHeaders)
		start("404 Not Found", plainHeaders, errors.New("cause"))
		return app.String("probe")
	},
	"hints":          hinted(answer("200 OK", "hinted")),
	"hints-count":    hinted(count),
	"blocking-hints": app.Blocking(hinted(answer("200 OK", "hinted"))),
	"deferred-hints": func(environ *app.Environ, _ app.StartResponse) app.Body {
		d := environ.Defer()
		go func() {
			hint(d.EarlyHints)
			_ = d.Answer(&app.Response{Status: "200 OK", Headers: plainHeaders, Content: []byte("hinted")})
		}()
		return nil
	},
	"bytes": octets,
	"early": func(environ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", plainHeaders)
		_, _ = write([]byte("early, "))
		n, err := io.Copy(io.Discard, environ.Input())
		return app.String(counted(n, err))
	},
	"blocking":        app.Blocking(answer("200 OK", "blocked")),
	"blocking-chunks": app.Blocking(seq("one", "", "two", "three")),
	"blocking-break": app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plainHeaders)
		return &breaking{}
	}),
	"blocking-count": app.Blocking(count),
	"blocking-about": app.Blocking(about),
	"blocking-bytes": app.Blocking(octets),
}

// every is all the applications as one.
func every(environ *app.Environ, start app.StartResponse) app.Body {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(environ.Path()), "/"), "/")
	if application := applications[name]; application != nil {
		return application(environ, start)
	}
	start("404 Not Found", plainHeaders)
	return app.String("no application " + name)
}

func argument(environ *app.Environ) string {
	path := string(environ.Path())
	return path[strings.LastIndexByte(path, '/')+1:]
}

func answer(status, content string) app.Application {
	return func(_ *app.Environ, start app.StartResponse) app.Body {
		start(status, plainHeaders)
		return app.String(content)
	}
}

// hinted sends two interim responses before it answers.
func hinted(application app.Application) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		hint(environ.EarlyHints)
		return application(environ, start)
	}
}

func hint(send func([]app.Header) error) {
	_ = send([]app.Header{{Name: "Link", Value: "</a.css>; rel=preload"}, {Name: "content-length", Value: "6"}})
	_ = send([]app.Header{{Name: "Link", Value: "</b.js>; rel=preload"}})
}

func seq(chunks ...string) app.Application {
	return func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", plainHeaders)
		return app.Seq(func(yield func([]byte) bool) {
			for _, c := range chunks {
				if !yield([]byte(c)) {
					return
				}
			}
		})
	}
}

func about(environ *app.Environ, start app.StartResponse) app.Body {
	content, err := io.ReadAll(environ.Input())
	start("200 OK", plainHeaders)
	host, ok := environ.Lookup("HTTP_HOST")
	if !ok {
		host = "none"
	}
	length, ok := environ.Lookup("CONTENT_LENGTH")
	if !ok {
		length = "none"
	}
	if _, ok := environ.Lookup("HTTP_TRANSFER_ENCODING"); ok {
		length = "coded"
	}
	s := fmt.Sprintf("%s %s %q %q %s host=%s length=%s content=%q", environ.Method(), environ.Get("REQUEST_URI"), environ.Path(),
		environ.Query(), environ.Get("SERVER_PROTOCOL"), host, length, content)
	if err != nil {
		s += " " + err.Error()
	}
	return app.String(s)
}

func echo(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", plainHeaders)
	if content, whole := environ.Input().View(); whole {
		return environ.Bytes(content)
	}
	return app.ReaderN(environ.Input(), environ.ContentLength())
}

func counted(n int64, err error) string {
	if err != nil {
		return fmt.Sprintf("%d octets and an error", n)
	}
	return fmt.Sprintf("%d octets", n)
}

func count(environ *app.Environ, start app.StartResponse) app.Body {
	n, err := io.Copy(io.Discard, environ.Input())
	start("200 OK", plainHeaders)
	return app.String(counted(n, err))
}

func status(environ *app.Environ, start app.StartResponse) app.Body {
	start(argument(environ)+" Status", plainHeaders)
	return app.String("content")
}

func declared(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Content-Length", Value: argument(environ)}})
	return app.String("hello")
}

// octets answers with as many octets as the path says, in chunks, their number known.
func octets(environ *app.Environ, start app.StartResponse) app.Body {
	n, err := strconv.ParseInt(argument(environ), 10, 64)
	if err != nil {
		start("400 Bad Request", plainHeaders)
		return nil
	}
	start("200 OK", plainHeaders)
	return &pattern{n, n}
}

// pattern is a body of digits, of known size.
type pattern struct{ size, left int64 }

func (p *pattern) Next() ([]byte, error) {
	n := min(p.left, 10_000)
	p.left -= n
	if n == 0 {
		return nil, io.EOF
	}
	return digits[:n], nil
}

func (p *pattern) Close() error { return nil }
func (p *pattern) Size() int64  { return p.size }

var digits = text("0123456789", 10_000)

// breaking is a body that fails behind its first chunk.
type breaking struct{ called bool }

func (b *breaking) Next() ([]byte, error) {
	if b.called {
		return nil, errors.New("the disk is on fire")
	}
	b.called = true
	return []byte("some"), nil
}

func (b *breaking) Close() error { return nil }

// fileOf is a file with these octets.
func fileOf(t testing.TB, content []byte) *os.File {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	return file
}
