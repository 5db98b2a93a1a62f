package app_test

import (
	"io"
	"testing"

	"github.com/weirhttp/weir/app"
)

// oddInput is an Input that breaks the rules.
type oddInput struct {
	*app.Memory
	n    int
	line string
}

func (in oddInput) Read([]byte) (int, error)         { return in.n, nil }
func (in oddInput) ReadLine(int) ([]byte, error)     { return []byte(in.line), nil }
func (in oddInput) WriteTo(io.Writer) (int64, error) { return 0, nil }

func TestValidatorInput(t *testing.T) {
	read := func(in app.Input) { _, _ = in.Read(make([]byte, 4)) }
	line := func(limit int) func(app.Input) {
		return func(in app.Input) { _, _ = in.ReadLine(limit) }
	}
	for _, test := range []struct {
		input app.Input
		call  func(app.Input)
		rule  string
	}{
		{app.NewMemory([]byte("content")), read, ""},
		{app.NewMemory([]byte("content")), line(-1), ""},
		{app.NewMemory([]byte("content")), line(0), ""},
		{app.NewMemory(nil), line(-1), ""},
		{oddInput{n: 5}, read, "returns what fits: 5 for 4"},
		{oddInput{n: -1}, read, "returns what fits: -1 for 4"},
		{oddInput{line: "long"}, line(3), "one line within the limit"},
		{oddInput{line: "one\ntwo"}, line(-1), "one line within the limit"},
		{oddInput{}, line(-1), "returns io.EOF at the end"},
	} {
		e := get("/")
		e.Set("wsgi.input", test.input)
		application := func(e *app.Environ, start app.StartResponse) app.Body {
			test.call(e.Input())
			return hello(e, start)
		}
		side := app.ServerSide
		if test.rule == "" {
			side = ""
		}
		expect(t, side, test.rule, func() { new(server).run(app.Validator(application), e) })
	}

	for _, call := range []func(app.Input){
		read, line(-1),
		func(in app.Input) { in.View() },
		func(in app.Input) { _, _ = in.WriteTo(io.Discard) },
	} {
		var kept app.Input
		application := func(e *app.Environ, start app.StartResponse) app.Body {
			kept = e.Input()
			call(kept)
			return hello(e, start)
		}
		new(server).run(app.Validator(application), get("/"))
		expect(t, app.ApplicationSide, "wsgi.input is not used after Close", func() { call(kept) })
	}
}
