package app_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weirhttp/weir/app"
)

// drain returns what a body holds, and the error that ended it.
func drain(body app.Body) (string, error) {
	var all strings.Builder
	for {
		chunk, err := body.Next()
		all.Write(chunk)
		if err != nil {
			return all.String(), err
		}
	}
}

// closer is a reader that counts how often it was closed.
type closer struct {
	io.Reader
	closed int
}

func (c *closer) Close() error { c.closed++; return errClose }

var (
	errClose = errors.New("closing failed")
	errRead  = errors.New("reading failed")
)

func file(t *testing.T, content string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

const unsized = -1

func TestBodies(t *testing.T) {
	long := strings.Repeat("0123456789", 20_000)
	must := func(body app.Body, err error) app.Body {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	at := func(f *os.File, offset int64) *os.File {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		return f
	}
	tests := []struct {
		name string
		body app.Body
		size int64
		want string
		err  error
	}{
		{"Bytes", app.Bytes([]byte("hello")), 5, "hello", io.EOF},
		{"Bytes without content", app.Bytes(nil), 0, "", io.EOF},
		{"String", app.String("hello"), 5, "hello", io.EOF},
		{"Empty", app.Empty(), 0, "", io.EOF},
		{"Seq", app.Seq(slices.Values([][]byte{[]byte("a"), nil, []byte("b")})), unsized, "ab", io.EOF},
		{"Seq without chunks", app.Seq(func(func([]byte) bool) {}), unsized, "", io.EOF},
		{"Reader", app.Reader(strings.NewReader(long)), unsized, long, io.EOF},
		{"Reader of octets", app.Reader(iotest.OneByteReader(strings.NewReader("abc"))), unsized, "abc", io.EOF},
		{"Reader with data and end", app.Reader(iotest.DataErrReader(strings.NewReader("abc"))), unsized, "abc", io.EOF},
		{"Reader that fails", app.Reader(io.MultiReader(strings.NewReader("a"), iotest.ErrReader(errRead))), unsized, "a", errRead},
		{"ReaderN", app.ReaderN(strings.NewReader("hello"), 5), 5, "hello", io.EOF},
		{"ReaderN long", app.ReaderN(strings.NewReader(long), 199_999), 199_999, long[:199_999], io.EOF},
		{"ReaderN of nothing", app.ReaderN(strings.NewReader("hello"), 0), 0, "", io.EOF},
		{"ReaderN short", app.ReaderN(strings.NewReader("hel"), 5), 5, "hel", io.ErrUnexpectedEOF},
		{"ReaderN of unknown length", app.ReaderN(strings.NewReader("hello"), -1), unsized, "hello", io.EOF},
		{"ReaderN that fails", app.ReaderN(iotest.ErrReader(errRead), 5), 5, "", errRead},
		{"FileBody", must(app.FileBody(file(t, "0123456789"), 0, -1)), 10, "0123456789", io.EOF},
		{"FileBody section", must(app.FileBody(file(t, "0123456789"), 2, 5)), 5, "23456", io.EOF},
		{"FileBody to the end", must(app.FileBody(at(file(t, "0123456789"), 4), 7, -1)), 3, "789", io.EOF},
		{"FileBody behind the end", must(app.FileBody(file(t, "0123456789"), 11, -1)), 0, "", io.EOF},
		{"FileBody of a file that shrank", must(app.FileBody(file(t, "0123"), 2, 5)), 5, "23", io.ErrUnexpectedEOF},
		{"FileBody long", must(app.FileBody(file(t, long), 1, -1)), 199_999, long[1:], io.EOF},
		{"FileWrapper", app.FileWrapper(at(file(t, "0123456789"), 3), 2), 7, "3456789", io.EOF},
		{"FileWrapper of a reader", app.FileWrapper(strings.NewReader("hello"), 2), unsized, "hello", io.EOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			size := int64(unsized)
			if sized, ok := test.body.(app.Sized); ok {
				size = sized.Size()
			}
			if size != test.size {
				t.Errorf("size is %d, want %d", size, test.size)
			}
			got, err := drain(test.body)
			if got != test.want || err != test.err {
				t.Errorf("got %d octets, %v; want %d, %v", len(got), err, len(test.want), test.err)
			}
			if err := test.body.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestSeqStopsAtClose(t *testing.T) {
	for _, pulled := range []int{0, 1, 2, 3} {
		started, stopped := false, false
		var seq iter.Seq[[]byte] = func(yield func([]byte) bool) {
			started = true
			defer func() { stopped = true }()
			_ = yield([]byte("a")) && yield([]byte("b"))
		}
		body := app.Seq(seq)
		for range pulled {
			_, _ = body.Next()
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
		if started != (pulled > 0) || started != stopped {
			t.Errorf("after %d chunks: started %v, stopped %v", pulled, started, stopped)
		}
	}
}

func TestReaderIsClosedWithBody(t *testing.T) {
	for name, open := range map[string]func(io.Reader) app.Body{
		"Reader":      app.Reader,
		"ReaderN":     func(r io.Reader) app.Body { return app.ReaderN(r, 1) },
		"FileWrapper": func(r io.Reader) app.Body { return app.FileWrapper(r, 0) },
	} {
		r := &closer{Reader: strings.NewReader("a")}
		if err := open(r).Close(); err != errClose || r.closed != 1 {
			t.Errorf("%s: Close = %v, %d times", name, err, r.closed)
		}
	}
}

func TestReaderNLeavesTheRest(t *testing.T) {
	r := bytes.NewBufferString("content and more")
	if got, err := drain(app.ReaderN(r, 7)); got != "content" || err != io.EOF {
		t.Fatalf("got %q, %v", got, err)
	}
	if r.String() != " and more" {
		t.Errorf("left: %q", r)
	}
}

func TestFileBodyIsAFile(t *testing.T) {
	f := file(t, "0123456789")
	body, err := app.FileBody(f, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	opened, offset := body.(app.Filer).File()
	if opened.Fd() != f.Fd() || offset != 2 {
		t.Errorf("descriptor %d at %d", opened.Fd(), offset)
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
		t.Errorf("the file's own offset is %d, %v", at, err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is open after Close: %v", err)
	}

	directory, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	if _, err := app.FileBody(directory, 0, -1); err == nil {
		t.Error("a directory has a length")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.WriteString("piped")
	_ = w.Close()
	piped := app.FileWrapper(r, 0)
	if _, ok := piped.(app.Sized); ok {
		t.Error("a pipe has a length")
	}
	if got, err := drain(piped); got != "piped" || err != io.EOF {
		t.Errorf("a pipe gives %q, %v", got, err)
	}
	if err := piped.Close(); err != nil {
		t.Error(err)
	}
}

func TestBlocking(t *testing.T) {
	src := newSource("GET", "/")
	e := newEnviron(src)
	calls, closed := 0, &closer{Reader: strings.NewReader("answer")}
	application := app.Blocking(func(e *app.Environ, start app.StartResponse) app.Body {
		calls++
		start("200 OK", nil)
		return app.Reader(closed)
	})
	started := 0
	start := func(string, []app.Header, ...error) app.Write { started++; return nil }

	body := application(e, start)
	if calls != 0 || src.detached != 1 {
		t.Fatalf("called %d times, detached %d times", calls, src.detached)
	}
	if err := body.Close(); err != nil || calls != 0 {
		t.Errorf("Close of a call that was not made: %v, %d calls", err, calls)
	}

	body = application(e, start)
	if got, err := drain(body); got != "answer" || err != io.EOF {
		t.Errorf("got %q, %v", got, err)
	}
	if err := body.Close(); err != errClose || closed.closed != 1 || calls != 1 || started != 1 {
		t.Errorf("Close = %v, closed %d times, called %d times, started %d times", err, closed.closed, calls, started)
	}

	none := 0
	body = app.Blocking(func(*app.Environ, app.StartResponse) app.Body { none++; return nil })(e, start)
	for range 2 {
		if got, err := drain(body); got != "" || err != io.EOF {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if none != 1 {
		t.Errorf("called %d times", none)
	}
}

func TestBlockingCallUsesTheStartOfMiddleware(t *testing.T) {
	inner := app.Blocking(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", nil)
		return app.Empty()
	})
	middleware := func(e *app.Environ, start app.StartResponse) app.Body {
		return inner(e, func(status string, headers []app.Header, cause ...error) app.Write {
			return start(status, append(headers, app.Header{Name: "X-Added", Value: "1"}), cause...)
		})
	}
	for name, call := range map[string]func(*app.BlockingBody){
		"Call":        func(b *app.BlockingBody) { b.Call() },
		"Application": func(b *app.BlockingBody) { b.Application()(nil, nil) },
	} {
		var got []app.Header
		body := middleware(get("/"), func(_ string, headers []app.Header, _ ...error) app.Write {
			got = headers
			return nil
		})
		call(body.(*app.BlockingBody))
		if len(got) != 1 || got[0].Name != "X-Added" {
			t.Errorf("%s: the headers are %v", name, got)
		}
	}
}
