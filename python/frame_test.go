package python_test

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/python"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// TestGoldenFrames: what the supervisor sends is what testdata/frames.txt has, octet for octet.
func TestGoldenFrames(t *testing.T) {
	const path = "testdata/frames.txt"
	environ := func() *app.Environ {
		e := new(app.Environ)
		e.Reset(goldenSource{}, app.NewMemory(nil), &app.Gateway{Software: "weir"})
		return e
	}
	frames := []struct {
		name   string
		octets []byte
	}{
		{"CONFIG", python.ConfigFrame(python.Options{
			App: "hello:app", Chdir: "/", Path: []string{"lib"}, Class: python.Threads, Workers: 2, Threads: 4, Software: "weir/1", Environ: map[string]string{"A": "b"},
		})},
		{"REQUEST", python.RequestPacket(environ(), nil, true, 1)},
		{"REQUEST with content", python.RequestPacket(environ(), []byte("a=b"), true, 2)},
		{"REQUEST whose content follows", python.RequestPacket(environ(), nil, false, 3)},
		{"BODY", python.AppendFrame(nil, 3, 0, 3, []byte("first"))},
		{"BODY END", python.AppendFrame(nil, 3, 1, 3, []byte("last"))},
		{"CREDIT", python.AppendFrame(nil, 4, 0, 3, []byte{0, 0, 1, 0})},
		{"GONE", python.AppendFrame(nil, 5, 0, 3, nil)},
		{"STOP", python.AppendFrame(nil, 6, 0, 0, nil)},
		{"RESULT", python.AppendFrame(nil, 7, 0, 9, python.AppendMarshal(nil, python.Tuple{12, 3}))},
	}
	if *update {
		var text strings.Builder
		fmt.Fprintln(&text, "# Frames as the supervisor sends them: name, octets. go test -run Golden -update writes them anew.")
		for _, f := range frames {
			fmt.Fprintf(&text, "%s: %s\n", f.name, hex.EncodeToString(f.octets))
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	golden := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, octets, ok := strings.Cut(lines.Text(), ": "); ok && name[0] != '#' {
			golden[name] = octets
		}
	}
	if len(golden) != len(frames) {
		t.Errorf("%d golden frames, want %d", len(golden), len(frames))
	}
	for _, f := range frames {
		if got := hex.EncodeToString(f.octets); got != golden[f.name] {
			t.Errorf("%s is\n%s, want\n%s", f.name, got, golden[f.name])
		}
	}
}

// goldenSource is a request of which every octet is known.
type goldenSource struct{}

var (
	goldenTarget = []byte("/caf%C3%A9?q=1")
	goldenFields = [][2][]byte{
		{[]byte("Host"), []byte("example.org")}, {[]byte("X-Own-Field"), []byte("caf\xe9")}, {[]byte("Accept"), []byte("*/*")},
	}
)

func (goldenSource) Method() string            { return "GET" }
func (goldenSource) Target() []byte            { return goldenTarget }
func (goldenSource) Path() []byte              { return goldenTarget[:10] }
func (goldenSource) Query() []byte             { return goldenTarget[11:] }
func (goldenSource) Protocol() string          { return "HTTP/1.1" }
func (goldenSource) Scheme() string            { return "http" }
func (goldenSource) Fields() int               { return len(goldenFields) }
func (goldenSource) ContentLength() int64      { return -1 }
func (goldenSource) Remote() (string, int)     { return "127.0.0.1", 40000 }
func (goldenSource) Local() (string, int)      { return "127.0.0.1", 8000 }
func (goldenSource) Detach()                   {}
func (goldenSource) Field(i int) (n, v []byte) { return goldenFields[i][0], goldenFields[i][1] }
