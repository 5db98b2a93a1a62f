package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
)

type demoCommand struct {
	serveFlags
	ContentMemory int64 `group:"Limits" default:"33554432" placeholder:"OCTETS" help:"Memory for request bodies of more than 64 KiB that are read whole, in all, 0 for none; others stream (default: ${default})."`
	TestRoutes    bool  `help:"Add routes for tests: /sink, /spin, /panic and /internals."`
}

func (d *demoCommand) Run() (err error) {
	if err := d.apply(); err != nil {
		return err
	}
	l, err := newLifecycle()
	if err != nil {
		return err
	}
	defer func() { l.close(err) }()
	topics, err := d.hubFlags.open(d.gripFlags.maxMessage())
	if err != nil {
		return err
	}
	defer d.hubFlags.close()
	defer topics.Close()
	d.adminFlags.topics = topics
	application := d.gripFlags.around(newDemo(topics).answer, topics, d.hubFlags.store != nil)
	if d.TestRoutes {
		application = testRoutes(application, topics)
		defer func() { fmt.Printf("weir made %d calls\n", testCalls.Load()) }()
	}
	l.holders = []io.Closer{d.hubFlags.holder(topics)}
	l.reconfigure = func(fresh *cli, _ bool) error {
		if err := fresh.Demo.apply(); err != nil {
			return err
		}
		return d.reload(l, &fresh.Demo.serveFlags, application)
	}
	return d.serve(l, "the demo", application, loopsAlone, nil)
}

// apply puts the demo's own flags into those of all commands.
func (d *demoCommand) apply() error {
	if d.ContentMemory < 0 {
		return &usageError{"--content-memory must be 0 or more"}
	}
	d.contentMemory = d.ContentMemory
	return nil
}

// checkAll tells what is wrong with the flags.
func (d *demoCommand) checkAll() error {
	if err := d.apply(); err != nil {
		return err
	}
	return d.serveFlags.checkAll()
}

//go:embed demo.html
var demoPage []byte

var (
	hello        = []byte("Hello, World!")
	plainHeaders = []app.Header{{Name: "Content-Type", Value: "text/plain"}}
	jsonHeaders  = []app.Header{{Name: "Content-Type", Value: "application/json"}}
	htmlHeaders  = []app.Header{{Name: "Content-Type", Value: "text/html; charset=utf-8"}}
)

// demo is the demo application.
type demo struct{ poll, events, publish, socket app.Application }

func newDemo(topics *hub.Hub) *demo {
	return &demo{topics.Poll("/poll/"), topics.Events("/events/"), topics.Publisher("/publish/"), topics.Sockets("/socket/", nil, nil)}
}

// answer is an app.Application.
func (d *demo) answer(environ *app.Environ, start app.StartResponse) app.Body {
	path := environ.Path()
	switch string(path) {
	case "/plaintext":
		return onlyGet(plaintext, environ, start)
	case "/json":
		return onlyGet(hellojson, environ, start)
	case "/":
		return onlyGet(page, environ, start)
	case "/echo":
		return echo(environ, start)
	case "/environ":
		return showEnviron(environ, start)
	case "/stream":
		return onlyGet(stream, environ, start)
	case "/sleep":
		return onlyGet(sleep, environ, start)
	case "/websocket":
		return webSocket(environ, start)
	case "/bytes":
		return onlyGet(octets, environ, start)
	}
	switch prefix, _, _ := strings.Cut(string(path[min(1, len(path)):]), "/"); prefix {
	case "environ":
		return showEnviron(environ, start)
	case "poll":
		return d.poll(environ, start)
	case "events":
		return d.events(environ, start)
	case "publish":
		return d.publish(environ, start)
	case "socket":
		return d.socket(environ, start)
	}
	return text(environ, start, "404 Not Found", "there is no such page; / lists those that there are\n")
}

// onlyGet runs application for GET and HEAD.
func onlyGet(application app.Application, environ *app.Environ, start app.StartResponse) app.Body {
	switch environ.Method() {
	case "GET", "HEAD":
		return application(environ, start)
	case "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE":
	default: // RFC 9110 9.1
		return text(environ, start, "501 Not Implemented", "this method is not known\n")
	}
	start("405 Method Not Allowed", []app.Header{plainHeaders[0], {Name: "Allow", Value: "GET, HEAD"}})
	return environ.Bytes([]byte("this page answers GET and HEAD\n"))
}

func text(environ *app.Environ, start app.StartResponse, status, message string) app.Body {
	start(status, plainHeaders)
	return environ.Bytes([]byte(message))
}

func plaintext(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", plainHeaders)
	return environ.Bytes(hello)
}

func hellojson(environ *app.Environ, start app.StartResponse) app.Body {
	message, err := json.Marshal(struct {
		Message string `json:"message"`
	}{"Hello, World!"})
	if err != nil {
		panic(err)
	}
	start("200 OK", jsonHeaders)
	return environ.Bytes(message)
}

func page(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", htmlHeaders)
	return environ.Bytes(demoPage)
}

// echo answers with the content of the request.
func echo(environ *app.Environ, start app.StartResponse) app.Body {
	kind := "application/octet-stream"
	if value, ok := environ.Header("Content-Type"); ok {
		kind = string(value)
	}
	start("200 OK", []app.Header{{Name: "Content-Type", Value: kind}})
	if content, whole := environ.Input().View(); whole {
		return environ.Bytes(content)
	}
	if n := environ.ContentLength(); n >= 0 {
		return app.ReaderN(environ.Input(), n)
	}
	return app.Reader(environ.Input())
}

// showEnviron answers with the keys of the environ whose values have a string form.
func showEnviron(environ *app.Environ, start app.StartResponse) app.Body {
	object := make(map[string]string)
	for key, value := range environ.All() {
		switch value := value.(type) {
		case string:
			object[key] = latin1(value)
		case bool, fmt.Stringer:
			object[key] = fmt.Sprint(value)
		}
	}
	message, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		panic(err)
	}
	start("200 OK", jsonHeaders)
	return environ.Bytes(append(message, '\n'))
}

// latin1 is s with each octet as one character, which is how PEP 3333 shows octets as text.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// stream sends chunks=N chunks, one every ms=M milliseconds. It blocks in between.
func stream(environ *app.Environ, start app.StartResponse) app.Body {
	chunks, wrong := number(environ, "chunks", 10, 1_000_000)
	ms, wrong2 := number(environ, "ms", 100, 60_000)
	if wrong += wrong2; wrong != "" {
		return text(environ, start, "400 Bad Request", wrong)
	}
	start("200 OK", plainHeaders)
	return app.Seq(func(yield func([]byte) bool) {
		for i := range chunks {
			if i > 0 {
				time.Sleep(time.Duration(ms) * time.Millisecond)
			}
			if !yield(fmt.Appendf(nil, "chunk %d of %d\n", i+1, chunks)) {
				return
			}
		}
	})
}

// sleep blocks for ms=M milliseconds.
func sleep(environ *app.Environ, start app.StartResponse) app.Body {
	ms, wrong := number(environ, "ms", 100, 600_000)
	if wrong != "" {
		return text(environ, start, "400 Bad Request", wrong)
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return text(environ, start, "200 OK", fmt.Sprintf("slept %d ms\n", ms))
}

// octets sends n=N octets.
func octets(environ *app.Environ, start app.StartResponse) app.Body {
	n, wrong := number(environ, "n", 1024, 1<<30)
	if wrong != "" {
		return text(environ, start, "400 Bad Request", wrong)
	}
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "application/octet-stream"}})
	return &pattern{size: n, left: n}
}

// pattern is a body of a repeated block, so that its length costs no memory.
type pattern struct{ size, left int64 }

var block = []byte(strings.Repeat("0123456789abcdef", 4096))

func (p *pattern) Next() ([]byte, error) {
	n := min(p.left, int64(len(block)))
	p.left -= n
	if p.left == 0 {
		return block[:n], io.EOF
	}
	return block[:n], nil
}

func (p *pattern) Close() error { return nil }
func (p *pattern) Size() int64  { return p.size }

// number is a parameter of the query. wrong is what to tell the client, if anything.
func number(environ *app.Environ, name string, fallback, most int64) (n int64, wrong string) {
	query, err := url.ParseQuery(string(environ.Query()))
	if err != nil {
		return 0, "the query is malformed\n"
	}
	if !query.Has(name) {
		return fallback, ""
	}
	n, err = strconv.ParseInt(query.Get(name), 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Sprintf("%s must be a number from 0 to %d\n", name, most)
	}
	return n, ""
}
