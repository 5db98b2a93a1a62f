package nethttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
)

func openFile(t *testing.T, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// closed waits for the file to be closed.
func closed(t *testing.T, f *os.File) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := f.Stat(); errors.Is(err, os.ErrClosed) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a file is left open")
		}
	}
}

func TestDeferredFile(t *testing.T) {
	cause := errors.New("cause")
	long := bytes.Repeat([]byte("0123456789"), 30_000)
	for _, test := range []struct {
		name    string
		method  string
		headers []app.Header
		content []byte
		answer  func(d app.Deferred, f *os.File) error // behind Start
		want    string
		failure string
	}{
		{"alone", "GET", length("3"), []byte("0123456"), func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 2, 3), d.Close())
		}, `200 text/plain "234"`, ""},
		{"between others", "GET", typed, []byte("0123456"), func(d app.Deferred, f *os.File) error {
			_, _ = d.Write([]byte("<"))
			err := d.SendFile(f, 5, 2)
			_, _ = d.Write([]byte(">"))
			return errors.Join(err, d.Close())
		}, `200 text/plain "<56>"`, ""},
		{"long", "GET", typed, long, func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 0, int64(len(long))), d.Close())
		}, fmt.Sprintf("200 text/plain %q", long), ""},
		{"empty", "GET", typed, nil, func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 0, 0), d.Close())
		}, `200 text/plain ""`, ""},
		{"HEAD", "HEAD", typed, []byte("0123456"), func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 0, 7), d.Close())
		}, `200 text/plain ""`, ""},
		{"more than declared", "GET", length("2"), []byte("0123456"), func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 0, 7), d.Close())
		}, `200 text/plain "01"`, "longer than Content-Length"},
		{"less than declared", "GET", length("9"), []byte("0123456"), func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 0, 7), d.Close())
		}, `200 text/plain "0123456" cut`, "7 of 9 octets"},
		{"shorter than it was", "GET", typed, []byte("0123456"), func(d app.Deferred, f *os.File) error {
			return errors.Join(d.SendFile(f, 0, 9), d.Close())
		}, `200 text/plain "0123456" cut`, "shorter than what was to be sent"},
		{"given up", "GET", typed, []byte("0123456"), func(d app.Deferred, f *os.File) error {
			_, _ = d.Write([]byte("<"))
			d.Abort(cause)
			if err := d.SendFile(f, 0, 7); err != app.ErrGone {
				t.Error(err)
			}
			return nil
		}, `200 text/plain "<" cut`, "cause"},
		{"no such part", "GET", typed, []byte("0123456"), func(d app.Deferred, f *os.File) error {
			if d.SendFile(f, -1, 7) == nil {
				t.Error("no error")
			}
			return d.Close()
		}, `200 text/plain ""`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f *os.File
			onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
				d := e.Defer()
				go func() {
					if err := errors.Join(d.Start("200 OK", test.headers), test.answer(d, f)); err != nil {
						t.Error(err)
					}
				}()
				return nil
			}, func(t *testing.T, s *wire) {
				f = openFile(t, test.content)
				if got := s.do(t, test.method, "/"); got != test.want {
					t.Errorf("got %.200s, want %.200s", got, test.want)
				}
				<-s.served
				failure := s.all()
				if (failure == nil) != (test.failure == "") || failure != nil && !strings.Contains(failure.Error(), test.failure) {
					t.Errorf("failed with %v, want %q", failure, test.failure)
				}
				closed(t, f)
			})
		})
	}
}

// TestDeferredFileEnds: a file is closed, and one that waits behind it, when the response ends in the middle of it.
func TestDeferredFileEnds(t *testing.T) {
	for name, end := range map[string]func(d app.Deferred, body io.Closer){
		"client leaves": func(_ app.Deferred, body io.Closer) { _ = body.Close() },
		"given up":      func(d app.Deferred, _ io.Closer) { d.Abort(app.ErrAbort) },
	} {
		t.Run(name, func(t *testing.T) {
			const size = 64 << 20
			var files [2]*os.File
			deferred := make(chan app.Deferred, 1)
			onEachWire(t, func(e *app.Environ, _ app.StartResponse) app.Body {
				d := e.Defer()
				_ = d.Start("200 OK", typed)
				for _, f := range files {
					if err := d.SendFile(f, 0, size); err != nil {
						t.Error(err)
					}
				}
				if n, _ := d.Write([]byte("x")); n != 2*size+1 {
					t.Errorf("%d octets are unsent", n)
				}
				deferred <- d
				return nil
			}, func(t *testing.T, s *wire) {
				for i := range files {
					files[i] = openFile(t, nil)
					if err := files[i].Truncate(size); err != nil {
						t.Fatal(err)
					}
				}
				res, err := s.Client().Get(s.URL)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if _, err := io.CopyN(io.Discard, res.Body, 100_000); err != nil {
					t.Fatal(err)
				}
				if _, err := files[0].Stat(); err != nil {
					t.Fatal(err)
				}
				d := <-deferred
				end(d, res.Body)
				if n, err := io.Copy(io.Discard, res.Body); err == nil {
					t.Errorf("the response looks complete, with %d octets more", n)
				}
				<-s.served
				<-d.Done()
				for _, f := range files {
					closed(t, f)
				}
				if err := s.all(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
