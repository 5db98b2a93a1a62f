package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/weirhttp/weir/server/exchange"
)

// feed is a stream and what asks for its content, on the test's goroutine as the loop.
type feed struct {
	*exchange.Stream
	exec *executor
	asks int // calls of more
}

func newFeed() *feed {
	f := &feed{exec: newExecutor()}
	f.Stream = exchange.NewStream(f.exec, func() { f.asks++ })
	return f
}

// reading runs read on a goroutine, as an application, and returns how to wait for it: by running the loop.
func (f *feed) reading(t *testing.T, read func()) (wait func()) {
	var mu sync.Mutex
	done := false
	go func() {
		read()
		mu.Lock()
		done = true
		mu.Unlock()
	}()
	return func() {
		t.Helper()
		f.exec.runUntil(t, "the reader", func() bool { mu.Lock(); defer mu.Unlock(); return done })
	}
}

// TestStreamAsksFirst: content is asked for when the application reads for the first time, not before.
func TestStreamAsksFirst(t *testing.T) {
	f := newFeed()
	var got []byte
	for f.exec.step() {
	}
	if f.asks != 0 {
		t.Fatal("content was asked for before it was read")
	}
	wait := f.reading(t, func() { got, _ = io.ReadAll(f) })
	f.exec.runUntil(t, "more", func() bool { return f.asks == 1 })
	if f.Feed([]byte("hello ")) {
		t.Error("6 octets make it full")
	}
	f.Feed([]byte("world"))
	f.End(io.EOF)
	wait()
	if string(got) != "hello world" || f.asks != 1 {
		t.Errorf("read %q, asked %d times", got, f.asks)
	}
}

// TestStreamBackPressure: Feed tells when the application is behind, and more is called when it has caught up.
func TestStreamBackPressure(t *testing.T) {
	f := newFeed()
	piece := bytes.Repeat([]byte("x"), 8<<10)
	fed, full := 0, false
	for !full {
		full = f.Feed(piece)
		fed += len(piece)
		if fed > 2*exchange.HighWater {
			t.Fatalf("%d octets were fed and it is not full", fed)
		}
	}
	if fed < exchange.HighWater/4 {
		t.Errorf("it is full with %d octets", fed)
	}
	buf := make([]byte, 1000)
	read := 0
	for f.exec.step(); f.asks == 0; f.exec.step() {
		n, err := f.Read(buf)
		if err != nil || n == 0 {
			t.Fatalf("Read returned %d, %v with %d octets to come", n, err, fed-read)
		}
		read += n
	}
	if left := fed - read; left > exchange.HighWater/2 || left <= 0 {
		t.Errorf("more was called with %d octets left", left)
	}
	f.Feed(piece)
	f.End(io.EOF)
	rest, err := io.ReadAll(f)
	if err != nil || read+len(rest) != fed+len(piece) {
		t.Errorf("read %d octets of %d, %v", read+len(rest), fed+len(piece), err)
	}
	for f.exec.step() {
	}
	if f.asks != 1 {
		t.Errorf("more was called %d times", f.asks)
	}
}

// TestStreamCopies: what Feed is given belongs to the loop again.
func TestStreamCopies(t *testing.T) {
	f := newFeed()
	p := []byte("abc")
	f.Feed(p)
	copy(p, "XXX")
	f.End(io.EOF)
	if got, _ := io.ReadAll(f); string(got) != "abc" {
		t.Errorf("read %q", got)
	}
}

// TestStreamErrors: what has come is read before the error, and the error stays.
func TestStreamErrors(t *testing.T) {
	cut := errors.New("cut off")
	f := newFeed()
	f.Feed([]byte("abc"))
	f.End(cut)
	f.End(io.EOF) // the first one stands
	got, err := io.ReadAll(f)
	if string(got) != "abc" || err != cut {
		t.Errorf("ReadAll returned %q, %v", got, err)
	}
	if n, err := f.Read(make([]byte, 1)); n != 0 || err != cut {
		t.Errorf("Read returned %d, %v", n, err)
	}
	if n, err := f.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing returned %d, %v", n, err)
	}
	if line, err := f.ReadLine(-1); len(line) != 0 || err != cut {
		t.Errorf("ReadLine returned %q, %v", line, err)
	}
	if n, err := f.WriteTo(io.Discard); n != 0 || err != cut {
		t.Errorf("WriteTo returned %d, %v", n, err)
	}
	if _, ok := f.View(); ok {
		t.Error("a stream can be viewed whole")
	}
}

// TestStreamErrorWakes: a reader that waits is told.
func TestStreamErrorWakes(t *testing.T) {
	for name, read := range map[string]func(f *feed) error{
		"Read":     func(f *feed) error { _, err := f.Read(make([]byte, 1)); return err },
		"ReadLine": func(f *feed) error { _, err := f.ReadLine(-1); return err },
		"WriteTo":  func(f *feed) error { _, err := f.WriteTo(io.Discard); return err },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed()
			cut := errors.New("cut off")
			var err error
			wait := f.reading(t, func() { err = read(f) })
			f.exec.runUntil(t, "more", func() bool { return f.asks == 1 })
			f.End(cut)
			wait()
			if err != cut {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStreamReadLine(t *testing.T) {
	const text = "one\ntwo\n\nfour is long\nlast"
	for _, c := range []struct {
		limit int
		want  string
	}{
		{-1, "one\n|two\n|\n|four is long\n|last"},
		{5, "one\n|two\n|\n|four |is lo|ng\n|last"},
		{1, "o|n|e|\n|t|w|o|\n|\n|f|o|u|r| |i|s| |l|o|n|g|\n|l|a|s|t"},
		{1000, "one\n|two\n|\n|four is long\n|last"},
	} {
		for _, piece := range []int{1, 3, len(text)} {
			f := newFeed()
			for rest := text; rest != ""; {
				n := min(piece, len(rest))
				f.Feed([]byte(rest[:n]))
				rest = rest[n:]
			}
			f.End(io.EOF)
			var lines []string
			for {
				line, err := f.ReadLine(c.limit)
				if err == io.EOF {
					break
				}
				if err != nil || len(lines) > 100 {
					t.Fatal(err, lines)
				}
				lines = append(lines, string(line))
			}
			if got := strings.Join(lines, "|"); got != c.want {
				t.Errorf("limit %d in pieces of %d: %q, want %q", c.limit, piece, got, c.want)
			}
		}
	}
	f := newFeed()
	f.Feed([]byte("abc\n"))
	if line, err := f.ReadLine(0); len(line) != 0 || err != nil {
		t.Errorf("ReadLine(0) returned %q, %v", line, err)
	}
}

// TestStreamReadLineWaits: a line is not cut where content has not come yet.
func TestStreamReadLineWaits(t *testing.T) {
	f := newFeed()
	f.Feed([]byte("first half, "))
	var line []byte
	var err error
	wait := f.reading(t, func() { line, err = f.ReadLine(-1) })
	f.Feed([]byte("second half\nrest"))
	wait()
	if string(line) != "first half, second half\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
}

// failing is an io.Writer that takes some octets and fails.
type failing struct{ room int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	n := min(f.room, len(p))
	f.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestStreamWriteTo(t *testing.T) {
	f := newFeed()
	f.Feed([]byte("hello"))
	f.End(io.EOF)
	var b bytes.Buffer
	if n, err := f.WriteTo(&b); n != 5 || err != nil || b.String() != "hello" {
		t.Errorf("WriteTo returned %d, %v", n, err)
	}
	f = newFeed()
	f.Feed([]byte("hello"))
	f.End(io.EOF)
	if n, err := f.WriteTo(&failing{room: 3}); n != 3 || err != errFull {
		t.Errorf("WriteTo returned %d, %v", n, err)
	}
}

// TestStreamWhole: all of a long content arrives, whatever the sizes of what is fed and read.
func TestStreamWhole(t *testing.T) {
	f := newFeed()
	content := make([]byte, 3<<20)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	var got bytes.Buffer
	var err error
	wait := f.reading(t, func() {
		buf := make([]byte, 10_007)
		for {
			var n int
			n, err = f.Read(buf)
			got.Write(buf[:n])
			if err != nil {
				return
			}
		}
	})
	rest, served := content, 0
	for size := 1; len(rest) > 0; size = size*3%50_021 + 1 {
		n := min(size, len(rest))
		full := f.Feed(rest[:n])
		rest = rest[n:]
		if full {
			served++
			f.exec.runUntil(t, "more", func() bool { return f.asks >= served })
		}
	}
	f.End(io.EOF)
	wait()
	if err != io.EOF || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("read %d octets of %d, %v", got.Len(), len(content), err)
	}
}
