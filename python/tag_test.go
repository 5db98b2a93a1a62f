package python_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/weirhttp/weir/python"
)

// TestUntag: what is no tag is text.
func TestUntag(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   " []",
		"plain":                              "plain []",
		"\x1e7 GET /a b\x1ftext":             "text [id=5-7 method=GET path=/a b]",
		"\x1e4294967295 PUT /\x1f":           " [id=5-4294967295 method=PUT path=/]",
		"\x1e7 GET /\x1f\x1e8 GET /\x1ftext": "\x1e8 GET /\x1ftext [id=5-7 method=GET path=/]",
		"\x1e\x1f\x1e7 GET /\x1ftext":        "\x1e7 GET /\x1ftext []",
		"\x1e7 GET / text":                   "\x1e7 GET / text []",
		"\x1e4294967296 GET /\x1ftext":       "\x1e4294967296 GET /\x1ftext []",
		"\x1e-1 GET /\x1ftext":               "\x1e-1 GET /\x1ftext []",
		"\x1eGET\x1ftext":                    "\x1eGET\x1ftext []",
		"\x1e7\x1ftext":                      "text [id=5-7 method= path=]",
		"\x1e":                               "\x1e []",
		"text \x1e7 GET /\x1f":               "text \x1e7 GET /\x1f []",
	} {
		text, request := python.Untag([]byte(line), 5)
		var group []slog.Attr
		if request.Key != "" {
			group = request.Value.Group()
		}
		if got := fmt.Sprintf("%s %v", text, group); got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

// logged is a line of the log.
type logged struct {
	Text    string `json:"msg"`
	PID     int    `json:"pid"`
	Stream  string `json:"stream"`
	Request *struct{ ID, Method, Path string }
}

func (l logged) String() string {
	if l.Request == nil {
		return l.Stream + " " + l.Text
	}
	return fmt.Sprintf("%s %s %s %s", l.Stream, l.Request.Method, l.Request.Path, l.Text)
}

// TestUnfinishedLine: the last line of a worker that is killed is logged although it has no end.
func TestUnfinishedLine(t *testing.T) {
	h := host(t, python.Options{})
	h.want(h.get("/unfinished"), 502, "Bad Gateway\n")
	h.eventually("it is logged", func() bool { return strings.Contains(h.log.String(), "a line without an end") })
}

// TestLines: what calls write becomes lines of the log, whole ones, with the request. It is not to be forged.
func TestLines(t *testing.T) {
	for _, class := range []python.Class{python.Sync, python.Threads, python.Gevent} {
		t.Run(string(class), func(t *testing.T) {
			out := &record{}
			h := host(t, python.Options{Workers: 2, Class: class, Threads: 8, Python: "/usr/bin/python3", Logger: slog.New(slog.NewJSONHandler(out, nil))})
			const requests = 24
			want := map[string]int{}
			var group sync.WaitGroup
			for i := range requests {
				path, query := fmt.Sprintf("/talk/%d", i), fmt.Sprint("q", i)
				shown := path
				if i%8 == 7 {
					path, shown = path+"%0A%1Fb", path+"??b"
				}
				front := " GET " + shown + " "
				for _, line := range []string{
					"stderr" + front + "errors says " + query + " twice", "stderr" + front + "stderr says " + query + " twice", "stdout" + front + "stdout says " + query + " twice",
					"stderr" + front + query, "stderr" + front + query, "stdout" + front + query,
					"stderr" + front + "\x1e1 GET /forged\x1f" + query, "stderr" + front + "unfinished " + query,
				} {
					want[line]++
				}
				group.Go(func() {
					if r, err := h.try("GET", path+"?"+query, nil, nil); err != nil || r.code != 200 {
						t.Errorf("%s: %+v, %v", path, r, err)
					}
				})
			}
			group.Wait()
			h.want(h.get("/long"), 200, "ok")
			h.want(h.get("/raise"), 500, "Internal Server Error\n")
			var lines []logged
			h.eventually("all is logged", func() bool {
				lines = nil
				for line := range bytes.Lines([]byte(out.String())) {
					var l logged
					if err := json.Unmarshal(line, &l); err != nil {
						t.Fatal(err)
					}
					lines = append(lines, l)
				}
				n := 0
				for _, l := range lines {
					if l.Text == "the application failed" && l.Request != nil && l.Request.Path == "/raise" {
						n = len(lines)
					}
				}
				return n > 0 && strings.Count(out.String(), "xxxx\"") == 2 && len(lines) >= 8*requests
			})
			ids := map[string]string{}
			got := map[string]int{}
			for _, l := range lines {
				got[l.String()]++
				switch {
				case l.Request == nil:
					if strings.Contains(l.Text, "says") || strings.Contains(l.Text, "xxx") {
						t.Errorf("%+v is about no request", l)
					}
				case !strings.HasPrefix(l.Request.ID, fmt.Sprintf("%d-", l.PID)):
					t.Errorf("worker %d has request %s", l.PID, l.Request.ID)
				case ids[l.Request.Path] != "" && ids[l.Request.Path] != l.Request.ID:
					t.Errorf("%s is both %s and %s", l.Request.Path, ids[l.Request.Path], l.Request.ID)
				default:
					ids[l.Request.Path] = l.Request.ID
				}
			}
			for line, n := range want {
				if got[line] < n {
					t.Errorf("%q is there %d times, want %d", line, got[line], n)
				}
			}
			if got["stdout \x1e1 GET /forged\x1fimported"] != 2 {
				t.Error("what the import has written is not as it was")
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}
