package httpparse

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// testCase is a case of the corpus; testdata/README.md describes its text.
type testCase struct {
	name   string
	body   bool // a chunked body, not a head
	input  []byte
	limits Limits
	want   string
}

// corpus reads all cases, in the order of files and lines.
func corpus(tb testing.TB) []testCase {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.cases")
	if err != nil {
		tb.Fatal(err)
	}
	var cases []testCase
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		topic := strings.TrimSuffix(filepath.Base(file), ".cases")
		for block := range strings.SplitSeq(string(text), "\n\n") {
			c, err := parseCase(block)
			if err != nil {
				tb.Fatalf("%s: %v in\n%s", file, err, block)
			}
			if c.name == "" {
				continue
			}
			c.name = topic + "/" + c.name
			cases = append(cases, c)
		}
	}
	return cases
}

func parseCase(block string) (testCase, error) {
	c := testCase{limits: DefaultLimits()}
	for line := range strings.Lines(block) {
		line = strings.TrimSuffix(line, "\n")
		key, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case key == "head" || key == "body":
			c.name, c.body = rest, key == "body"
		case key == "in":
			octets, err := unescape(rest)
			if err != nil {
				return c, err
			}
			c.input = append(c.input, octets...)
		case key == "repeat":
			count, rest, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(count)
			if err != nil {
				return c, err
			}
			octets, err := unescape(rest)
			if err != nil {
				return c, err
			}
			c.input = append(c.input, strings.Repeat(octets, n)...)
		case key == "limit":
			limit := map[string]*int{
				"RequestLine": &c.limits.RequestLine, "FieldSection": &c.limits.FieldSection,
				"FieldLine": &c.limits.FieldLine, "Fields": &c.limits.Fields,
			}
			which, value, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(value)
			if err != nil || limit[which] == nil {
				return c, fmt.Errorf("bad limit %q", line)
			}
			*limit[which] = n
		default:
			c.want += line + "\n"
		}
	}
	return c, nil
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for s != "" {
		r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return "", fmt.Errorf("%q: %w", s, err)
		}
		if multibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		s = tail
	}
	return b.String(), nil
}

// escape is the inverse of unescape. Every octet but the printable ones of
// ASCII is escaped.
func escape(octets []byte) string {
	quoted := strconv.QuoteToASCII(string(octets))
	if strings.ContainsFunc(string(octets), func(r rune) bool { return r >= 0x80 }) {
		var b strings.Builder
		for _, c := range octets {
			if c < 0x80 {
				b.WriteString(escape([]byte{c}))
			} else {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		return b.String()
	}
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
