package gateway_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server/gateway"
)

var formats = map[string]gateway.Format{"uwsgi": gateway.UWSGI, "fastcgi": gateway.FastCGI, "scgi": gateway.SCGI}

// testCase is a case of the corpus; testdata/README.md describes its text.
type testCase struct {
	name   string
	format gateway.Format
	config map[string]int
	steps  []stepOf
	want   []string // lines that come back
	end    string   // kept, closed
	left   int      // deferred answers whose clients have left
}

// stepOf is something that the web server or the time does.
type stepOf struct {
	what   string // in, eof, timeout, shutdown
	octets []byte
}

func readCases(t *testing.T) (cases []testCase) {
	files, err := filepath.Glob("testdata/*.cases")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		topic := strings.TrimSuffix(filepath.Base(file), ".cases")
		for block := range strings.SplitSeq(string(text), "\n\n") {
			c := testCase{format: formats[topic], config: map[string]int{}}
			if err := c.parse(block); err != nil {
				t.Fatalf("%s: %v in\n%s", file, err, block)
			}
			if c.name != "" {
				c.name = topic + "/" + c.name
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func (c *testCase) parse(text string) error {
	var pairs []pair
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		word, tail, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(word)
		m, _ := strconv.Atoi(tail)
		tail, err := strconv.Unquote(`"` + strings.ReplaceAll(tail, `"`, `\"`) + `"`)
		if err != nil {
			return err
		}
		var octets []byte
		switch key {
		case "", "#":
		case "case":
			c.name = rest
		case "config":
			c.config[word] = m
		case "var":
			pairs = append(pairs, pair{word, tail})
		case "packet":
			octets, pairs = uwsgiPacket(byte(n), pairs), nil
		case "netstring":
			octets, pairs = netstring(pairs), nil
		case "begin": // ID FLAGS
			octets = record(1, uint16(n), []byte{0, 1, byte(m), 0, 0, 0, 0, 0}, n%3)
		case "params": // ID: in two records, and the empty one
			b := block(pairs)
			octets = append(record(4, uint16(n), b[:len(b)/3], 5), record(4, uint16(n), b[len(b)/3:], 0)...)
			octets, pairs = append(octets, record(4, uint16(n), nil, 0)...), nil
		case "stdin": // ID TEXT
			octets = record(5, uint16(n), []byte(tail), 1)
		case "record": // TYPE ID TEXT
			id, text, _ := strings.Cut(tail, " ")
			number, _ := strconv.Atoi(id)
			octets = record(byte(n), uint16(number), []byte(text), 0)
		case "in":
			s, err := strconv.Unquote(`"` + rest + `"`)
			if err != nil {
				return err
			}
			octets = []byte(s)
		case "repeat": // N TEXT
			octets = bytes.Repeat([]byte(tail), n)
		case "eof", "timeout", "shutdown":
			c.steps = append(c.steps, stepOf{what: key})
		case "out":
			c.want = append(c.want, rest)
		case "left":
			c.left = n
		case "kept", "closed":
			c.end = key
		default:
			return fmt.Errorf("unknown line %q", line)
		}
		if last := len(c.steps) - 1; len(octets) > 0 && last >= 0 && c.steps[last].what == "in" {
			c.steps[last].octets = append(c.steps[last].octets, octets...)
		} else if len(octets) > 0 {
			c.steps = append(c.steps, stepOf{"in", octets})
		}
	}
	if c.name != "" && c.end == "" {
		return fmt.Errorf("the end of %s is missing", c.name)
	}
	return nil
}

// replay plays c; split cuts what the web server sends into the pieces in which it arrives. It returns what came back, in lines.
func (c *testCase) replay(t *testing.T, split func([]byte) [][]byte) (lines []string, err error) {
	h := newHouse(t)
	for name, n := range c.config {
		switch name {
		case "ContentBuffer":
			h.config.ContentBuffer = n
		case "MaxContent":
			h.config.MaxContent = int64(n)
		case "MaxRequests":
			h.config.MaxRequests = n
		case "Fields":
			h.config.Limits.Fields = n
		case "FieldLine":
			h.config.Limits.FieldLine = n
		case "RequestLine":
			h.config.Limits.RequestLine = n
		case "FieldSection":
			h.config.Limits.FieldSection = n
		default:
			t.Fatalf("there is no configuration of %s", name)
		}
	}
	client := h.dial(c.format)
	defer client.Reset()
	for _, s := range c.steps {
		switch s.what {
		case "in":
			for _, piece := range split(s.octets) {
				client.Feed(piece)
				h.loop.RunPosted()
			}
		case "eof":
			client.EOF()
		case "timeout":
			client.event(client.handler.Timeout)
		case "shutdown":
			client.Shutdown()
		}
	}
	ok := h.until(func() bool {
		lines, err = c.read(client.out.Bytes())
		return err == nil && (slices.Equal(lines, c.want) || len(lines) > len(c.want)) && (!client.isOpen() || c.end == "kept") && h.left >= c.left
	})
	switch {
	case !ok || err != nil || len(lines) > len(c.want):
		return lines, fmt.Errorf("%v; open: %v, want it %s; %d have left", err, client.isOpen(), c.end, h.left)
	case client.isOpen() != (c.end == "kept"):
		return lines, fmt.Errorf("the connection is open: %v, want it %s", client.isOpen(), c.end)
	case h.left != c.left:
		return lines, fmt.Errorf("%d clients have left, want %d", h.left, c.left)
	}
	return lines, nil
}

// read is what came back: records of FastCGI, or lines of a response.
func (c *testCase) read(out []byte) (lines []string, err error) {
	if c.format == gateway.FastCGI && !bytes.HasPrefix(out, []byte("HTTP/")) {
		return readRecords(out)
	}
	if len(out) > 0 {
		lines = append(lines, strings.Trim(strconv.Quote(string(out)), `"`))
	}
	return lines, nil
}

// TestCases replays the corpus whole, an octet at a time, and in random pieces.
func TestCases(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 40 {
		t.Errorf("there are %d cases", len(cases))
	}
	random := rand.New(rand.NewPCG(1, 2))
	ways := map[string]func([]byte) [][]byte{
		"whole":    func(p []byte) [][]byte { return [][]byte{p} },
		"octets":   func(p []byte) [][]byte { return slices.Collect(slices.Chunk(p, 1)) },
		"pieces":   func(p []byte) [][]byte { return pieces(random, p) },
		"pieces 2": func(p []byte) [][]byte { return pieces(random, p) },
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for way, split := range ways {
				if lines, err := c.replay(t, split); err != nil {
					t.Fatalf("%s: %v\n got\n%s\nwant\n%s", way, err, strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

// pieces cuts p at random.
func pieces(random *rand.Rand, p []byte) (list [][]byte) {
	for len(p) > 0 {
		n := 1 + random.IntN(min(len(p), 1+random.IntN(60)))
		list, p = append(list, p[:n]), p[n:]
	}
	return list
}
