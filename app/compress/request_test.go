package compress_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/compress"
)

// encoded is content in a coding.
func encoded(t *testing.T, coding string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out)
	case "br":
		w = brotli.NewWriter(&out)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// echo answers with what it finds of the request.
func echo(environ *app.Environ, start app.StartResponse) app.Body {
	content, err := io.ReadAll(environ.Input())
	if err != nil {
		panic(err)
	}
	start("200 OK", []app.Header{field("Content-Type", "text/plain")})
	return app.String(environ.Get("CONTENT_LENGTH") + "|" + environ.Get("HTTP_CONTENT_ENCODING") + "|" + string(content))
}

func TestRequests(t *testing.T) {
	limits := compress.Limits{MaxSize: 4 << 20, MaxRatio: 50}
	zeros := make([]byte, 3<<20) // of a ratio above 1000
	for name, c := range map[string]struct {
		coding  string
		content []byte
		code    int
		want    string
	}{
		"as it is":             {"", []byte("content"), 200, "7||content"},
		"identity":             {"identity", []byte("content"), 200, "7|identity|content"},
		"gzip":                 {"gzip", encoded(t, "gzip", []byte(text)), 200, "4000||" + text},
		"two members":          {"gzip", append(encoded(t, "gzip", []byte("one ")), encoded(t, "gzip", []byte("two"))...), 200, "7||one two"},
		"x-gzip":               {" X-Gzip", encoded(t, "gzip", []byte("content")), 200, "7||content"},
		"zstd":                 {"zstd", encoded(t, "zstd", []byte(text)), 200, "4000||" + text},
		"br":                   {"br", encoded(t, "br", []byte(text)), 200, "4000||" + text},
		"empty":                {"gzip", encoded(t, "gzip", nil), 200, "0||"},
		"unknown":              {"deflate", []byte("content"), 415, ""},
		"two codings":          {"gzip, gzip", encoded(t, "gzip", encoded(t, "gzip", []byte("content"))), 415, ""},
		"no gzip":              {"gzip", []byte("content"), 400, ""},
		"no zstd":              {"zstd", []byte("content"), 400, ""},
		"no br":                {"br", []byte("content"), 400, ""},
		"nothing":              {"gzip", nil, 400, ""},
		"half of gzip":         {"gzip", encoded(t, "gzip", []byte(text))[:40], 400, ""},
		"half of zstd":         {"zstd", encoded(t, "zstd", []byte(text))[:20], 400, ""},
		"half of br":           {"br", encoded(t, "br", []byte(text))[:20], 400, ""},
		"garbage behind":       {"gzip", append(encoded(t, "gzip", []byte("content")), "garbage"...), 400, ""},
		"too dense gzip":       {"gzip", encoded(t, "gzip", zeros), 413, ""},
		"too dense zstd":       {"zstd", encoded(t, "zstd", zeros), 413, ""},
		"too dense br":         {"br", encoded(t, "br", zeros), 413, ""},
		"too long":             {"gzip", encoded(t, "gzip", noise(5<<20)), 413, ""},
		"dense, but short":     {"gzip", encoded(t, "gzip", zeros[:1<<20]), 200, "1048576||" + string(zeros[:1<<20])},
		"long, but not longer": {"gzip", encoded(t, "gzip", noise(4<<20)), 200, "4194304||" + string(noise(4<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			application, err := compress.Request(app.Validator(echo), limits)
			if err != nil {
				t.Fatal(err)
			}
			r, _ := http.NewRequest("POST", "/", bytes.NewReader(c.content))
			if c.coding != "" {
				r.Header.Set("Content-Encoding", c.coding)
			}
			res := apptest.New(t, application).Do(r)
			if res.Code != c.code || c.code == 200 && res.String() != c.want {
				t.Errorf("%s %.80q", res.Status, res.Body)
			}
			if (res.Header.Get("Accept-Encoding") != "") != (c.code == 415) {
				t.Errorf("Accept-Encoding: %q", res.Header.Get("Accept-Encoding"))
			}
		})
	}
}

// noise is n octets that cannot be compressed, the same ones each time.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// FuzzRequest: whatever comes as content, the request is answered, and what is let through is within the limits.
func FuzzRequest(f *testing.F) {
	const most = 1 << 16
	for _, coding := range []string{"gzip", "zstd", "br", "deflate", ""} {
		f.Add(coding, []byte(strings.Repeat("content", 10)))
	}
	f.Add("gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
	f.Add("zstd", []byte("\x28\xb5\x2f\xfd\x04\x00\x51\x00\x00content"))
	f.Fuzz(func(t *testing.T, coding string, content []byte) {
		if app.CheckHeader(field("Content-Encoding", coding)) != "" {
			return
		}
		application, err := compress.Request(func(environ *app.Environ, start app.StartResponse) app.Body {
			if n := environ.ContentLength(); n > most && environ.Get("HTTP_CONTENT_ENCODING") == "" && n != int64(len(content)) {
				t.Errorf("%d octets were let through", n)
			}
			start("204 No Content", nil)
			return nil
		}, compress.Limits{MaxSize: most})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("POST", "/", bytes.NewReader(content))
		r.Header.Set("Content-Encoding", coding)
		if code := apptest.New(t, application).Do(r).Code; code != 204 && code != 400 && code != 413 && code != 415 {
			t.Errorf("answered with %d", code)
		}
	})
}
