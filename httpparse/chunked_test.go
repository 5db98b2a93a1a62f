package httpparse

import (
	"strings"
	"testing"
)

// TestDecodeRuns says how octets and data are handed over from call to call.
func TestDecodeRuns(t *testing.T) {
	limits := DefaultLimits()
	var c Chunked
	for _, step := range []struct {
		buf, data string
		n         int
		done      bool
	}{
		{"", "", 0, false},
		{"5\r\nhel", "hel", 6, false},
		{"lo\r\n6\r\n world", "lo", 2, false},
		{"\r\n6\r\n world", " world", 11, false},
		{"\r\n0\r\n", "", 5, false},
		{"\r\nGET", "", 2, true},
		{"GET", "", 0, true},
	} {
		data, n, done, err := c.Decode([]byte(step.buf), &limits)
		if string(data) != step.data || n != step.n || done != step.done || err != nil {
			t.Fatalf("Decode(%q) = %q, %d, %v, %v, want %+v", step.buf, data, n, done, err, step)
		}
	}
	c.Reset()
	if c != (Chunked{}) {
		t.Errorf("after Reset: %+v", c)
	}
}

// TestDecodeOffset holds that offsets count from the start of the coded body,
// behind data of any length.
func TestDecodeOffset(t *testing.T) {
	limits := DefaultLimits()
	var c Chunked
	for range 3 {
		for rest := []byte("400\r\n" + strings.Repeat("x", 1024) + "\r\n"); len(rest) > 0; {
			_, n, _, err := c.Decode(rest, &limits)
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}
	_, _, _, err := c.Decode([]byte("0\r\nX:\r\nHost: a"), &limits)
	e, ok := err.(*Error)
	if !ok || e.Kind != ForbiddenTrailer || e.Offset != 3*1031+7 || e.Status() != 400 {
		t.Fatalf("%v", err)
	}
}
