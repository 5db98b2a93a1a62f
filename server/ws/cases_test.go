package ws_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/weirhttp/weir/app/websocket"
)

// A case is a dialogue: "c" and "raw" are what the client sends, "s" what the server does; testdata has them. Opcodes have "-" behind
// them when FIN is not set, and +rsv1, +rsv2, +rsv3, +nomask. Content is a Go string, or x*1000 for that many letters;
// deflate before it compresses it. What the server sends with RSV1 is given inflated.
type dialogue struct {
	name  string
	lines []string
}

// readCases reads a file of testdata. with is the settings of the server.
func readCases(t *testing.T, path string) (with string, list []dialogue) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "== "):
			list = append(list, dialogue{name: line[3:]})
		case strings.HasPrefix(line, "with "):
			with = line[5:]
		default:
			d := &list[len(list)-1]
			d.lines = append(d.lines, line)
		}
	}
	return with, list
}

var opcodes = map[string]ws.OpCode{
	"cont": ws.OpContinuation, "text": ws.OpText, "binary": ws.OpBinary, "close": ws.OpClose, "ping": ws.OpPing, "pong": ws.OpPong,
}

// parseFrame parses what stands behind "c" and "s". inflated tells that the content of a frame with RSV1 is given inflated.
func parseFrame(t *testing.T, line string, inflated bool) (f ws.Frame, masked bool) {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	masked = true
	parts := strings.Split(kind, "+")
	for _, flag := range parts[1:] {
		switch flag {
		case "nomask":
			masked = false
		case "rsv1", "rsv2", "rsv3":
			f.Header.Rsv |= 8 >> (flag[3] - '0')
		default:
			t.Fatalf("%s: what is %q?", line, flag)
		}
	}
	name, fragment := strings.CutSuffix(parts[0], "-")
	f.Header.Fin = !fragment
	code, ok := opcodes[name]
	if number, other := strings.CutPrefix(name, "op"); !ok && other {
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(line, err)
		}
		code, ok = ws.OpCode(n), true
	}
	if !ok {
		t.Fatalf("%s: what is %q?", line, name)
	}
	f.Header.OpCode = code
	if code == ws.OpClose && rest != "" {
		number, why, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(line, err)
		}
		f.Payload, rest = []byte{byte(n >> 8), byte(n)}, why
	}
	text, compress := strings.CutPrefix(rest, "deflate ")
	content := parseContent(t, text)
	if compress && !inflated {
		whole := websocket.Frame(websocket.Binary, content, true)
		h, err := ws.ReadFrame(strings.NewReader(string(whole)))
		if err != nil {
			t.Fatal(err)
		}
		content = h.Payload
	}
	f.Payload = append(f.Payload, content...)
	f.Header.Length = int64(len(f.Payload))
	return f, masked
}

func parseContent(t *testing.T, text string) []byte {
	t.Helper()
	if text == "" {
		return nil
	}
	if letter, times, ok := strings.Cut(text, "*"); ok && len(letter) == 1 {
		n, err := strconv.Atoi(times)
		if err != nil {
			t.Fatal(text, err)
		}
		return []byte(strings.Repeat(letter, n))
	}
	s, err := strconv.Unquote(text)
	if err != nil {
		t.Fatal(text, err)
	}
	return []byte(s)
}

// octets is what a line has the client send.
func octets(t *testing.T, line string) []byte {
	t.Helper()
	if digits, ok := strings.CutPrefix(line, "raw "); ok {
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatal(line, err)
		}
		return b
	}
	f, masked := parseFrame(t, line[2:], false)
	if masked {
		f = ws.MaskFrameWith(f, [4]byte{0x12, 0xfe, 0x00, 0x9a})
	}
	b, err := ws.CompileFrame(f)
	if err != nil {
		t.Fatal(line, err)
	}
	return b
}

// expect reads what a line has the server send.
func expect(t *testing.T, in *bufio.Reader, line string) {
	t.Helper()
	if line == "s end" {
		if b, err := in.ReadByte(); err != io.EOF {
			t.Fatalf("the server goes on: %x %v", b, err)
		}
		return
	}
	want, _ := parseFrame(t, line[2:], true)
	got, err := ws.ReadFrame(in)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	payload := got.Payload
	if got.Header.Rsv1() {
		if payload, err = websocket.Inflate(payload, 1<<20); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if want.Header.OpCode == ws.OpClose && len(want.Payload) == 2 && len(payload) > 2 { // the words of a refusal are free
		payload = payload[:2]
	}
	if got.Header.OpCode != want.Header.OpCode || got.Header.Rsv != want.Header.Rsv || !got.Header.Fin || got.Header.Masked ||
		string(payload) != string(want.Payload) {
		t.Fatalf("%s: the server has sent %+v %.80q", line, got.Header, payload)
	}
}

// settings are the servers of testdata.
var settings = map[string]websocket.Upgrader{
	"":        {},
	"limits":  {MaxMessage: 1000, MaxFrame: 600, MaxFragments: 4},
	"deflate": {MaxMessage: 1000, MaxFrame: 1 << 20, Compress: true, CompressFrom: 100},
}

// TestCases holds the dialogues of testdata, over a socket: frames in one write as far as the client need not wait, and in pieces
// that cut them everywhere.
func TestCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	total := 0
	for _, path := range paths {
		with, list := readCases(t, path)
		total += len(list)
		u := settings[with]
		s := serve(t, echo(&u))
		for _, d := range list {
			for _, piece := range []int{1 << 30, 1, 3, 4093} {
				name := fmt.Sprintf("%s/%s/%d", filepath.Base(path), d.name, piece)
				t.Run(name, func(t *testing.T) { d.hold(t, s, with == "deflate", piece) })
			}
		}
	}
	if total < 100 {
		t.Errorf("there are %d cases", total)
	}
}

func (d *dialogue) hold(t *testing.T, s *running, deflate bool, piece int) {
	extra := ""
	if deflate {
		extra = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	}
	c, in := s.open(t, extra)
	defer c.Close()
	var out []byte
	flush := func() {
		for part := range slices.Chunk(out, max(min(piece, len(out)), len(out)/2000, 1)) {
			if _, err := c.Write(part); err != nil {
				break // the server has closed: what it said shows
			}
		}
		out = out[:0]
	}
	for _, line := range d.lines {
		if line[0] != 's' {
			out = append(out, octets(t, line)...)
			continue
		}
		flush()
		expect(t, in, line)
	}
	flush()
	last := d.lines[len(d.lines)-1]
	if last != "s end" { // it is still there
		if _, err := c.Write(octets(t, `c ping "end"`)); err != nil {
			t.Fatal(err)
		}
		expect(t, in, `s pong "end"`)
	}
}
