package h1_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server/h1"
)

// testCase is a case of the corpus; testdata/README.md describes its text.
type testCase struct {
	name   string
	config map[string]int
	server string
	whole  bool
	steps  []stepOf
	want   []wanted
	end    string // kept, closed, cut
}

// stepOf is something that the client or the time does.
type stepOf struct {
	what   string // in, await, eof, timeout, shutdown
	octets []byte
}

// wanted is what a response must have.
type wanted struct {
	status  int
	isHead  bool
	fields  []string // that it has, once
	without []string // names that it has not
	body    *string
}

func readCases(t *testing.T) (cases []testCase) {
	files, err := filepath.Glob("testdata/*.cases")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		topic := strings.TrimSuffix(filepath.Base(file), ".cases")
		for block := range strings.SplitSeq(string(content), "\n\n") {
			c, err := parseCase(block)
			if err != nil {
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

func parseCase(block string) (c testCase, err error) {
	c.config, c.server = make(map[string]int), "weir"
	var answer *wanted
	for line := range strings.Lines(block) {
		key, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "", "#":
		case "case":
			c.name = rest
		case "config":
			name, value, _ := strings.Cut(rest, " ")
			if c.config[name], err = strconv.Atoi(value); err != nil {
				return c, err
			}
		case "server":
			c.server = rest
		case "whole":
			c.whole = true
		case "in", "await", "repeat":
			n := 1
			if key == "repeat" {
				count, text, _ := strings.Cut(rest, " ")
				if n, err = strconv.Atoi(count); err != nil {
					return c, err
				}
				key, rest = "in", text
			}
			octets, err := unescape(rest)
			if err != nil {
				return c, err
			}
			octets = bytes.Repeat(octets, n)
			if last := len(c.steps) - 1; key == "in" && last >= 0 && c.steps[last].what == "in" {
				c.steps[last].octets = append(c.steps[last].octets, octets...)
			} else {
				c.steps = append(c.steps, stepOf{key, octets})
			}
		case "eof", "timeout", "shutdown":
			c.steps = append(c.steps, stepOf{what: key})
		case "answer":
			status, method, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(status)
			if err != nil {
				return c, err
			}
			c.want = append(c.want, wanted{status: n, isHead: method == "HEAD"})
			answer = &c.want[len(c.want)-1]
		case "field", "no", "body", "body-repeat":
			if answer == nil {
				return c, fmt.Errorf("%s comes before answer", key)
			}
			switch key {
			case "field":
				answer.fields = append(answer.fields, rest)
			case "no":
				answer.without = append(answer.without, rest)
			case "body":
				octets, err := unescape(rest)
				if err != nil {
					return c, err
				}
				body := string(octets)
				answer.body = &body
			default:
				count, text, _ := strings.Cut(rest, " ")
				n, err := strconv.Atoi(count)
				if err != nil {
					return c, err
				}
				body := strings.Repeat(text, n)
				answer.body = &body
			}
		case "kept", "closed", "cut":
			c.end = key
		default:
			return c, fmt.Errorf("unknown line %q", line)
		}
	}
	if c.name != "" && c.end == "" {
		err = fmt.Errorf("the end of %s is missing", c.name)
	}
	return c, err
}

func unescape(s string) (octets []byte, err error) {
	for s != "" {
		r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		if multibyte {
			octets = append(octets, string(r)...)
		} else {
			octets = append(octets, byte(r))
		}
		s = tail
	}
	return octets, nil
}

func (c *testCase) house(t *testing.T) *house {
	return newHouse(t, every, func(config *h1.Config) {
		config.Server = c.server
		for name, n := range c.config {
			switch name {
			case "ContentBuffer":
				config.ContentBuffer = n
			case "MaxContent":
				config.MaxContent = int64(n)
			case "MaxBlocking":
				config.Exchange.MaxBlocking = n
			case "RequestLine":
				config.Limits.RequestLine = n
			case "FieldSection":
				config.Limits.FieldSection = n
			case "FieldLine":
				config.Limits.FieldLine = n
			case "Fields":
				config.Limits.Fields = n
			default:
				t.Fatalf("there is no configuration of %s", name)
			}
		}
	})
}

// replay plays c; split cuts what the client sends into the pieces in which it arrives. It returns what came back.
func (c *testCase) replay(h *house, split func([]byte) [][]byte) (got []response, err error) {
	client := h.dial()
	defer client.Reset()
	for _, s := range c.steps {
		switch s.what {
		case "in":
			for _, piece := range split(s.octets) {
				client.Feed(piece)
				h.loop.RunPosted()
			}
		case "await":
			if !h.until(func() bool { return bytes.Contains(client.out.Bytes(), s.octets) }) {
				return nil, fmt.Errorf("waited in vain for %q; received %.2000q", s.octets, client.out.Bytes())
			}
		case "eof":
			client.EOF()
		case "timeout":
			client.timeout()
		case "shutdown":
			client.Shutdown()
		}
	}
	seen, open := -1, true
	h.until(func() bool {
		if n := client.out.Len(); n != seen || open != client.isOpen() {
			seen, open = n, client.isOpen()
			got, err = readAll(client.out.Bytes(), c.want, !open)
		}
		return !open || err != nil || len(got) >= len(c.want) && h1.StateOf(client.handler) <= h1.InHead
	})
	if err != nil {
		return got, err
	}
	if open != (c.end == "kept") {
		return got, fmt.Errorf("the connection is open: %v; want it %s", open, c.end)
	}
	if open {
		before := client.out.Len()
		client.Feed([]byte("GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n"))
		r, rest, err := readResponse(client.out.Bytes()[before:], false, false)
		if err != nil || r.status != 200 || r.body != "probe" || len(rest) > 0 {
			return got, fmt.Errorf("the next request was answered %v, %v, with %q behind", r, err, rest)
		}
	}
	return got, nil
}

// readAll reads the responses in out; want tells which answer a HEAD.
func readAll(out []byte, want []wanted, ended bool) (got []response, err error) {
	for len(out) > 0 {
		isHead := len(got) < len(want) && want[len(got)].isHead
		r, rest, err := readResponse(out, isHead, ended)
		if err == errIncomplete {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got, out = append(got, r), rest
	}
	return got, nil
}

// judge compares what came with what was wanted.
func (c *testCase) judge(got []response) error {
	if len(got) != len(c.want) {
		return fmt.Errorf("%d responses, want %d", len(got), len(c.want))
	}
	for i, w := range c.want {
		r := got[i]
		if r.status != w.status {
			return fmt.Errorf("response %d has status %d, want %d", i+1, r.status, w.status)
		}
		for _, line := range w.fields {
			name, value, _ := strings.Cut(line, ": ")
			if v := r.values(name); len(v) != 1 || v[0] != value {
				return fmt.Errorf("response %d has %s: %q, want %q", i+1, name, v, value)
			}
		}
		for _, name := range w.without {
			if v := r.values(name); len(v) > 0 {
				return fmt.Errorf("response %d has %s: %q", i+1, name, v)
			}
		}
		if w.body != nil && r.body != *w.body {
			return fmt.Errorf("response %d has content %.300q, want %.300q", i+1, r.body, *w.body)
		}
		if cut := c.end == "cut" && i == len(c.want)-1; r.cut != cut {
			return fmt.Errorf("response %d is cut off: %v", i+1, r.cut)
		}
		if r.last() && (i < len(c.want)-1 || c.end == "kept") {
			return fmt.Errorf("response %d says that the connection is closed", i+1)
		}
		if refusals[r.status] && !r.last() {
			return fmt.Errorf("response %d does not say that the connection is closed", i+1)
		}
	}
	return nil
}

// refusals are the statuses of the server's own answers to what it does not go on with.
var refusals = map[int]bool{400: true, 408: true, 413: true, 414: true, 417: true, 431: true, 501: true, 505: true}

// TestCases replays the corpus whole, whole again behind requests that begin alike, an octet at a time, and in random pieces.
func TestCases(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 80 {
		t.Errorf("there are %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := c.house(t)
			whole, err := c.replay(h, func(p []byte) [][]byte { return [][]byte{p} })
			if err == nil {
				err = c.judge(whole)
			}
			if err != nil {
				t.Fatalf("%v\nreceived %v", err, whole)
			}
			for range 3 { // the head is that of the requests before, then
				before := h.dial()
				before.Feed(c.steps[0].octets)
				h.loop.RunPosted()
				before.Reset()
			}
			again, err := c.replay(h, func(p []byte) [][]byte { return [][]byte{p} })
			if err != nil || !reflect.DeepEqual(again, whole) {
				t.Fatalf("again: %v\nreceived %v\nat first %v", err, again, whole)
			}
			if c.whole {
				return
			}
			octets, err := c.replay(h, func(p []byte) [][]byte { return slices.Collect(slices.Chunk(p, 1)) })
			if err != nil || !reflect.DeepEqual(octets, whole) {
				t.Fatalf("an octet at a time: %v\nreceived %v\nwhole    %v", err, octets, whole)
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 8 {
				var sizes []int
				pieces, err := c.replay(h, func(p []byte) (pieces [][]byte) {
					for len(p) > 0 {
						n := min(len(p), 1+random.IntN(1+random.IntN(len(p))))
						pieces, p = append(pieces, p[:n]), p[n:]
						sizes = append(sizes, n)
					}
					return pieces
				})
				if err != nil || !reflect.DeepEqual(pieces, whole) {
					t.Fatalf("in pieces of %v: %v\nreceived %v\nwhole    %v", sizes, err, pieces, whole)
				}
			}
		})
	}
}
