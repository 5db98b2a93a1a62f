package python_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/weirhttp/weir/python"
)

// interpret runs Python code and returns what it prints.
func interpret(t *testing.T, code, input string) string {
	t.Helper()
	c := exec.Command("python3", "-c", code)
	c.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, &stderr)
	}
	return string(out)
}

// TestMarshalWriter: Python reads what is written.
func TestMarshalWriter(t *testing.T) {
	cases := []struct {
		value any
		want  string // repr
	}{
		{nil, "None"}, {true, "True"}, {false, "False"},
		{0, "0"}, {-1, "-1"}, {math.MaxInt32, "2147483647"}, {math.MaxInt32 + 1, "2147483648"}, {math.MinInt32 - 1, "-2147483649"},
		{math.MaxInt64, "9223372036854775807"}, {math.MinInt64, "-9223372036854775808"}, {1 << 45, "35184372088832"},
		{0.0005, "0.0005"}, {"", "''"}, {"héé €", "'héé €'"}, {[]byte{0, 255}, `b'\x00\xff'`},
		{[]string{}, "[]"}, {[]string{"a", "b"}, "['a', 'b']"}, {[]any{1, "x"}, "[1, 'x']"}, {python.Tuple{7, nil}, "(7, None)"},
		{map[string]string{"b": "2", "a": "1"}, "{'a': '1', 'b': '2'}"},
		{map[string]any{"k": map[string]any{}, "l": []string{"x"}}, "{'k': {}, 'l': ['x']}"},
	}
	var input, want strings.Builder
	for _, c := range cases {
		fmt.Fprintln(&input, "repr", hex.EncodeToString(python.AppendMarshal(nil, c.value)))
		fmt.Fprintln(&want, c.want)
	}
	for _, text := range []string{
		"", "a", "\x00\x7f", "caf\xe9", "\xff\xfe", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("\x80y", 400),
	} {
		fmt.Fprintln(&input, "latin1", hex.EncodeToString(python.AppendLatin1(nil, text)))
		fmt.Fprintln(&want, hex.EncodeToString([]byte(text)))
	}
	got := strings.Split(interpret(t, `
import marshal, sys
sys.stdout.reconfigure(encoding="utf-8")
for line in sys.stdin:
    form, data = line.split()
    value = marshal.loads(bytes.fromhex(data))
    print(repr(value) if form == "repr" else value.encode("latin-1").hex())
`, input.String()), "\n")
	for i, line := range strings.Split(want.String(), "\n") {
		if i >= len(got) || got[i] != line {
			t.Errorf("case %d: Python reads %q, want %q", i, got[min(i, len(got)-1)], line)
		}
	}
}

// TestMarshalReader: what Python writes is read.
func TestMarshalReader(t *testing.T) {
	want := []any{
		nil, true, false, int64(0), int64(-5), int64(1 << 40), -int64(1 << 62), 1.5, "text", "h\u00e9\u20ac", "", []byte("\x00\xff"),
		[]any{}, []any{int64(1), "a"}, []any{"200 OK", []any{[]any{"A", "b"}, []any{"C", "d"}}},
		map[string]any{}, map[string]any{"rss": int64(12345678), "requests": int64(3)},
	}
	out := interpret(t, `
import marshal
for v in (None, True, False, 0, -5, 1 << 40, -(1 << 62), 1.5, "text", "h\u00e9\u20ac", "", b"\x00\xff",
          [], [1, "a"], ("200 OK", [("A", "b"), ("C", "d")]), {}, {"rss": 12345678, "requests": 3}):
    print(marshal.dumps(v, 2).hex())
`, "")
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		data, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		got, err := python.Unmarshal(data)
		if err != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%s is read as %#v (%v), want %#v", line, got, err, want[i])
		}
		for n := range data {
			if v, err := python.Unmarshal(data[:n]); err == nil {
				t.Errorf("%s is read as %v though it ends too early", line[:2*n], v)
			}
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, v := range []any{nil, 1 << 40, "x", []any{1, "é"}, map[string]any{"a": 1.5}} {
		f.Add(python.AppendMarshal(nil, v))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = python.Unmarshal(data) // it does not panic, and ends
	})
}
