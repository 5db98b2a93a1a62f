package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

// TestContentLength holds what length a response has, and how much of the body is sent.
func TestContentLength(t *testing.T) {
	length := func(n string) []app.Header { return []app.Header{header("Content-Length", n)} }
	iterable := func(list ...string) func(*journal) app.Body {
		return func(j *journal) app.Body { return &body{journal: j, steps: chunks(list...)} }
	}
	sized := func(size int64, list ...string) func(*journal) app.Body {
		return func(j *journal) app.Body { return sizedBody{&body{journal: j, steps: chunks(list...)}, size} }
	}
	for _, c := range []struct {
		name    string
		method  string
		status  string
		headers []app.Header
		body    func(*journal) app.Body
		length  int64
		content string
		whole   bool
	}{
		{"of a slice", "GET", "200 OK", nil, func(*journal) app.Body { return app.String("hello") }, 5, "hello", true},
		{"of a slice, declared", "GET", "200 OK", length("5"), func(*journal) app.Body { return app.String("hello") }, 5, "hello", true},
		{"of nothing", "GET", "200 OK", nil, func(*journal) app.Body { return nil }, 0, "", true},
		{"of an empty slice", "POST", "201 Created", nil, func(*journal) app.Body { return app.Empty() }, 0, "", true},
		{"of a sized body", "GET", "200 OK", nil, sized(6, "abc", "def"), 6, "abcdef", true},
		{"not of an iterable: there is no look-ahead", "GET", "200 OK", nil, iterable("abc"), -1, "abc", true},
		{"of an iterable without content", "GET", "200 OK", nil, iterable("", ""), 0, "", true},
		{"declared of an iterable", "GET", "200 OK", length("6"), iterable("abc", "", "def"), 6, "abcdef", true},
		{"excess in a later chunk", "GET", "200 OK", length("4"), iterable("abc", "def"), 4, "abcd", true},
		{"excess in a chunk of its own", "GET", "200 OK", length("3"), iterable("abc", "def", "ghi"), 3, "abc", true},
		{"excess of a slice", "GET", "200 OK", length("2"), func(*journal) app.Body { return app.String("hello") }, 2, "he", true},
		{"excess over nothing", "GET", "200 OK", length("0"), iterable("abc"), 0, "", true},
		{"excess over the size", "GET", "200 OK", nil, sized(4, "abc", "def"), 4, "abcd", true},
		{"too short", "GET", "200 OK", length("7"), iterable("abc", "def"), 7, "abcdef", false},
		{"too short by all", "GET", "200 OK", length("1"), iterable(), 1, "", false},
		{"slice too short", "GET", "200 OK", length("6"), func(*journal) app.Body { return app.String("hello") }, 6, "hello", false},
		{"shorter than the size", "GET", "200 OK", nil, sized(7, "abc"), 7, "abc", false},
		{"HEAD of a slice", "HEAD", "200 OK", nil, func(*journal) app.Body { return app.String("hello") }, 5, "", true},
		{"HEAD declared", "HEAD", "200 OK", length("999"), iterable(), 999, "", true},
		{"HEAD of an iterable", "HEAD", "200 OK", nil, iterable("abc", "def"), -1, "", true},
		{"HEAD of an iterable without content", "HEAD", "200 OK", nil, iterable(""), -1, "", true},
		{"HEAD without a body", "HEAD", "200 OK", nil, func(*journal) app.Body { return nil }, -1, "", true},
		// RFC 9110 8.6: not unless it is the length that the content of a GET would have.
		{"HEAD of an empty slice", "HEAD", "200 OK", nil, func(*journal) app.Body { return app.Empty() }, -1, "", true},
		{"304 without a body", "GET", "304 Not Modified", nil, func(*journal) app.Body { return nil }, -1, "", true},
		{"304 of an empty slice", "GET", "304 Not Modified", nil, func(*journal) app.Body { return app.Empty() }, -1, "", true},
		{"304 declared", "GET", "304 Not Modified", length("999"), func(*journal) app.Body { return app.Empty() }, 999, "", true},
		{"304 with content", "GET", "304 Not Modified", nil, iterable("abc"), -1, "", true},
		{"204 with content", "GET", "204 No Content", nil, iterable("abc"), -1, "", true},
		{"204 with a slice", "DELETE", "204 No Content", nil, func(*journal) app.Body { return app.String("hello") }, -2, "", true},
		// RFC 9110 15.3.6: a server must not generate content in a 205.
		{"205 with a slice", "POST", "205 Reset Content", nil, func(*journal) app.Body { return app.String("hello") }, -2, "", true},
		{"205 with content", "POST", "205 Reset Content", nil, iterable("abc"), -2, "", true},
		{"reason phrase may be empty", "GET", "299 ", nil, func(*journal) app.Body { return app.String("x") }, 1, "x", true},
		{"unusual code", "GET", "999 Odd", nil, func(*journal) app.Body { return app.String("x") }, 1, "x", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(c.method)
			r.start(answering(c.body(r.journal), c.status, c.headers...))
			if r.ended != 1 || r.head.Status != c.status {
				t.Fatalf("calls are %s", r.journal)
			}
			if c.length != -2 && r.head.Length != c.length {
				t.Errorf("Length is %d, want %d", r.head.Length, c.length)
			}
			if got := r.content.String(); got != c.content {
				t.Errorf("content is %q, want %q", got, c.content)
			}
			if r.whole != c.whole {
				t.Errorf("Finish(%v), want %v", r.whole, c.whole)
			}
			noContent := c.method == "HEAD" || strings.Contains("204 304", c.status[:3])
			if c.status[:3] != "205" && r.head.NoContent != noContent {
				t.Errorf("NoContent is %v, want %v", r.head.NoContent, noContent)
			}
			if r.head.HasLength != (c.headers != nil) {
				t.Errorf("HasLength is %v", r.head.HasLength)
			}
			if strings.Contains(r.journal.String(), "EMPTY") || strings.Contains(r.journal.String(), "SECOND") {
				t.Errorf("calls are %s", r.journal)
			}
			if wrong := strings.HasPrefix(c.name, "excess") || !c.whole; wrong != (r.logs.String() != "") {
				t.Errorf("log is %q", r.logs.String())
			}
		})
	}
}

// TestStopsAskingWhenNothingMoreIsSent: a body whose content nobody gets is not read to its end.
func TestStopsAskingWhenNothingMoreIsSent(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		headers []app.Header
	}{
		"HEAD":   {"HEAD", nil},
		"excess": {"GET", []app.Header{header("Content-Length", "1")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(c.method)
			b := &body{journal: r.journal}
			for range 1000 {
				b.steps = append(b.steps, step{chunk: "ab"})
			}
			r.start(answering(b, "200 OK", c.headers...))
			if b.nexts > 2 || b.closed != 1 {
				t.Errorf("Next was called %d times and Close %d times", b.nexts, b.closed)
			}
		})
	}
}

// TestNoRoom: Next is not called when the client has no room, and goes on when it has.
func TestNoRoom(t *testing.T) {
	r := newRun("GET")
	b := &body{journal: r.journal, steps: chunks("abc", "def", "ghi")}
	r.full = true
	r.start(answering(b, "200 OK"))
	if b.nexts != 0 || r.head != nil {
		t.Fatalf("calls are %s: there was no room", r.journal)
	}
	if !r.source.detached {
		t.Error("the environ was not detached")
	}
	r.fullBy = 3
	r.full = false
	r.exchange.Resume()
	if b.nexts != 1 || r.content.String() != "abc" {
		t.Fatalf("calls are %s", r.journal)
	}
	r.exchange.Resume() // still full
	if b.nexts != 1 {
		t.Fatalf("calls are %s", r.journal)
	}
	r.resume()
	if b.nexts != 4 || r.content.String() != "abcdefghi" || !r.whole || b.closed != 1 {
		t.Fatalf("calls are %s", r.journal)
	}
	want := "next; head 200 OK; chunk abc; flush; next; chunk def; flush; next; chunk ghi; flush; next; finish true; close"
	if got := r.journal.String(); got != want {
		t.Errorf("calls are\n%s\nwant\n%s", got, want)
	}
}

// TestLargeChunk: a large chunk is passed on in pieces, as there is room, before the next is asked for.
func TestLargeChunk(t *testing.T) {
	r := newRun("GET")
	large := strings.Repeat("0123456789abcdef", 100_000)
	b := &body{journal: r.journal, steps: []step{{chunk: large}, {chunk: "end", err: io.EOF}}}
	r.fullBy = 1
	r.start(answering(b, "200 OK"))
	rounds := 0
	for r.ended == 0 {
		rounds++
		if sent := r.content.Len(); sent < len(large) && b.nexts != 1 {
			t.Fatalf("Next was called %d times when %d octets were sent", b.nexts, sent)
		}
		r.full = false
		r.exchange.Resume()
		if rounds > 1000 {
			t.Fatal("no end")
		}
	}
	if rounds < 2 {
		t.Error("1.6 MB were passed on at once to a client without room")
	}
	if r.content.String() != large+"end" || !r.whole || b.closed != 1 {
		t.Errorf("%d octets of content, complete %v", r.content.Len(), r.whole)
	}
}

// TestLargeSlice: what is in memory and known waits for room too.
func TestLargeSlice(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	r := newRun("GET")
	r.fullBy = 1
	r.start(answering(app.Bytes(large), "200 OK"))
	if r.ended > 0 {
		t.Fatal("1.6 MB were passed on at once to a client without room")
	}
	for range 100 {
		if r.ended == 0 {
			r.full = false
			r.exchange.Resume()
		}
	}
	if !bytes.Equal(r.content.Bytes(), large) || !r.whole || r.head.Length != int64(len(large)) {
		t.Errorf("%d octets of content, complete %v", r.content.Len(), r.whole)
	}
}

// TestEOFWithChunk: io.EOF may come together with the last chunk.
func TestEOFWithChunk(t *testing.T) {
	r := newRun("GET")
	b := &body{journal: r.journal, steps: []step{{chunk: "abc"}, {chunk: "def", err: io.EOF}, {chunk: "no"}}}
	r.start(answering(b, "200 OK"))
	if r.content.String() != "abcdef" || b.nexts != 2 || !r.whole {
		t.Errorf("calls are %s", r.journal)
	}
}

// TestErrorWithChunk: what came with an error is sent before the response is given up.
func TestErrorWithChunk(t *testing.T) {
	r := newRun("GET")
	b := &body{journal: r.journal, steps: []step{{chunk: "abc", err: errors.New("disk on fire")}}}
	r.start(answering(b, "200 OK"))
	if r.ended != 1 || r.whole || b.closed != 1 || !strings.Contains(r.logs.String(), "disk on fire") {
		t.Errorf("calls are %s, log %s", r.journal, r.logs.String())
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		method    string
		status    string
		declared  string
		offset, n int64
		content   string
		sendfile  bool
		whole     bool
	}{
		{"whole", "GET", "200 OK", "", 0, -1, "0123456789", true, true},
		{"part", "GET", "206 Partial Content", "", 2, 5, "23456", true, true},
		{"declared", "GET", "200 OK", "10", 0, -1, "0123456789", true, true},
		{"declared less", "GET", "200 OK", "4", 0, -1, "0123", false, true},
		{"declared more", "GET", "200 OK", "11", 0, -1, "0123456789", false, false},
		{"empty part", "GET", "200 OK", "", 10, -1, "", false, true},
		{"HEAD", "HEAD", "200 OK", "", 0, -1, "", false, true},
		{"304", "GET", "304 Not Modified", "", 0, -1, "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := app.FileBody(file, c.offset, c.n)
			if err != nil {
				t.Fatal(err)
			}
			var headers []app.Header
			if c.declared != "" {
				headers = append(headers, header("Content-Length", c.declared))
			}
			r := newRun(c.method).start(answering(b, c.status, headers...))
			if sendfile := strings.Contains(r.journal.String(), "file "); sendfile != c.sendfile {
				t.Errorf("calls are %s; want Wire.File: %v", r.journal, c.sendfile)
			}
			if c.sendfile {
				if _, err := file.Stat(); err != nil {
					t.Errorf("the file is closed while the wire sends it: %v", err)
				}
				r.exchange.Resume()
			}
			if r.ended != 1 || r.content.String() != c.content || r.whole != c.whole {
				t.Errorf("calls are %s; content %q, complete %v", r.journal, r.content.String(), r.whole)
			}
			if _, err := file.Stat(); err == nil {
				t.Error("the file is still open")
			}
		})
	}
}

// TestFileGone: the file is closed when the client leaves while it is sent.
func TestFileGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := app.FileBody(file, 0, -1)
	r := newRun("GET").start(answering(b, "200 OK"))
	r.exchange.Gone()
	r.exec.runUntil(t, "the file to be closed", func() bool { _, err := file.Stat(); return err != nil })
	if r.ended != 0 {
		t.Errorf("Finish was called; calls are %s", r.journal)
	}
}

// TestFileAfterWrite: what was written comes first, and the file follows.
func TestFileAfterWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := app.FileBody(file, 0, -1)
	r := newRun("GET").start(func(_ *app.Environ, start app.StartResponse) app.Body {
		write := start("200 OK", nil)
		_, _ = write([]byte("first "))
		return b
	})
	if got := r.content.String(); got != "first 0123456789" || !r.whole {
		t.Errorf("content is %q, calls are %s", got, r.journal)
	}
}
