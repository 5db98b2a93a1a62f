package python_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/python"
)

// makeFile returns the path and the content of a file.
func makeFile(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	content = make([]byte, size)
	_, _ = rand.Read(content)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// serverKinds are what the supervisor's applications run on.
var serverKinds = map[string]func(t *testing.T, h *hosted) (url string){
	"weir": func(_ *testing.T, h *hosted) string { return "http://" + h.server.Addresses()[0] },
	"net/http": func(t *testing.T, h *hosted) string {
		s := httptest.NewUnstartedServer(nethttp.Handler(h.Application))
		s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(h.log, nil), slog.LevelError)
		s.Start()
		t.Cleanup(s.Close)
		return s.URL
	},
}

// TestFileWrapper: what wsgi.file_wrapper is given is sent from its position to its end, or as far as Content-Length says.
func TestFileWrapper(t *testing.T) {
	h := host(t, python.Options{App: "files:app"})
	path, content := makeFile(t, 3<<20)
	digits := strings.Repeat("0123456789", 20000)
	size := len(content)
	for _, c := range []struct {
		method, target string
		want           string
		length         int  // Content-Length; -1: there need not be one
		cut            bool // the response is not complete
	}{
		{"GET", "/file?" + path, string(content), size, false},
		{"GET", "/file?" + path + ",1048577", string(content[1048577:]), size - 1048577, false},
		{"GET", "/file?" + path + ",7,9", string(content[7:16]), 9, false},
		{"GET", fmt.Sprintf("/file?%s,%d", path, size), "", 0, false},
		{"GET", fmt.Sprintf("/file?%s,%d,10", path, size-5), string(content[size-5:]), 10, true},
		{"HEAD", "/file?" + path + ",,99", "", 99, false},
		{"GET", "/moved?" + path + ",100", string(content[100:]), size - 100, false},
		{"GET", "/written?" + path + ",5", "written, " + string(content[5:]), -1, false},
		{"GET", "/written?" + path + ",5,20", "written, " + string(content[5:16]), 20, false},
		{"GET", "/no-content?" + path, "", -1, false},
		{"GET", "/bytesio", digits, -1, false},
		{"GET", "/bytesio?,5,100", digits[5:105], 100, false},
		{"GET", "/pipe", "through a pipe", -1, false},
		{"GET", "/gzip", "unpacked", -1, false},
	} {
		for kind, start := range serverKinds {
			t.Run(kind+" "+c.method+" "+strings.ReplaceAll(c.target, path, "file"), func(t *testing.T) {
				request, err := http.NewRequest(c.method, start(t, h)+c.target, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := h.client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				got, err := io.ReadAll(response.Body)
				if string(got) != c.want || (err != nil) != c.cut {
					t.Errorf("%d octets of %d, or others: %v", len(got), len(c.want), err)
				}
				if n := response.ContentLength; c.length >= 0 && n != int64(c.length) {
					t.Errorf("Content-Length is %d, want %d", n, c.length)
				}
			})
		}
	}
}

// TestFileEnds: a file whose response ends in the middle of it is closed, whatever the reason, and the worker goes on. That no descriptor
// is left is looked at in the end.
func TestFileEnds(t *testing.T) {
	for _, kind := range []string{"weir", "net/http"} {
		t.Run(kind, func(t *testing.T) {
			h := host(t, python.Options{App: "files:app"})
			url := serverKinds[kind](t, h)
			begin := func(path string) *http.Response {
				t.Helper()
				response, err := h.client.Get(url + "/file?" + path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, response.Body, 100_000); err != nil {
					t.Fatal(err)
				}
				return response
			}
			path := filepath.Join(t.TempDir(), "sparse")
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<30)); err != nil {
				t.Fatal(err)
			}
			_ = begin(path).Body.Close() // the client leaves
			truncated := begin(path)
			h.eventually("the worker is free", func() bool { return h.Stats().Workers[0].InFlight == 0 })
			if err := os.Truncate(path, 1<<20); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, truncated.Body); err == nil {
				t.Errorf("the response looks complete, with %d octets more", n)
			}
			_ = truncated.Body.Close()
			h.eventually("the log", func() bool { return strings.Contains(h.log.String(), "shorter than what was to be sent") })
			small, content := makeFile(t, 10)
			h.want(h.get("/file?"+small), 200, string(content))
		})
	}
}
