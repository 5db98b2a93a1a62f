package httpparse

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// replayHead parses input as a connection would that receives it in pieces,
// which end at the cuts and at the end of input, and describes the outcome.
// Every call sees the octets in fresh memory without a single one to spare.
func replayHead(tb testing.TB, input []byte, limits Limits, cuts []int) string {
	tb.Helper()
	var r Request
	dropped := 0
	for _, end := range append(cuts[:len(cuts):len(cuts)], len(input)) {
		buf := bytes.Clone(input[dropped:end])
		n, err := r.Parse(buf, &limits)
		var refused *Error
		switch {
		case err == nil:
			return describeHead(tb, &r, buf, n) + rest(input[dropped+n:])
		case err == NeedMore:
			if n != 0 && n != len(buf) || len(bytes.Trim(buf[:n], "\r\n")) > 0 {
				tb.Fatalf("%d octets of %q are to be dropped", n, buf)
			}
			dropped += n
		case errors.As(err, &refused):
			if n != 0 || refused.Offset < 0 || refused.Offset > len(buf) {
				tb.Fatalf("Parse(%q) = %d, %v", buf, n, err)
			}
			return describeError(refused, dropped)
		default:
			tb.Fatal(err)
		}
	}
	return "incomplete\n"
}

func describeError(e *Error, dropped int) string {
	return fmt.Sprintf("refuse %d %v\noctet %d\n", e.Status(), e.Kind, e.Offset+dropped)
}

func rest(octets []byte) string {
	if len(octets) == 0 {
		return ""
	}
	return "rest " + escape(octets) + "\n"
}

// describeHead renders all that Parse says of a request, and checks that no
// span leaves the n octets of the head.
func describeHead(tb testing.TB, r *Request, buf []byte, n int) string {
	tb.Helper()
	if n <= 0 || n > len(buf) {
		tb.Fatalf("head of %d octets in a buffer of %d", n, len(buf))
	}
	text := func(s Span) string {
		if s.Start > s.End || int(s.End) > n {
			tb.Fatalf("span %v leaves the head of %d octets", s, n)
		}
		return escape(s.Of(buf))
	}
	var b strings.Builder
	line := func(key, value string) {
		b.WriteString(strings.TrimSuffix(key+" "+value, " ") + "\n")
	}
	part := func(key string, s Span) {
		if s != (Span{}) {
			line(key, text(s))
		}
	}
	line("method", text(r.Method))
	line("target", text(r.Target))
	line("form", [...]string{"origin", "absolute", "authority", "asterisk"}[r.Form])
	part("scheme", r.Scheme)
	part("authority", r.Authority)
	part("path", r.Path)
	if r.HasQuery {
		line("query", text(r.Query))
	}
	line("version", fmt.Sprintf("1.%d", r.ClientMinor))
	if want := min(r.ClientMinor, 1); r.Minor != want {
		tb.Fatalf("Minor is %d", r.Minor)
	}
	for _, f := range r.Fields {
		line("field", text(f.Name)+": "+text(f.Value))
	}
	if r.HasHost {
		line("host", text(r.Host))
	}
	if r.ContentLength >= 0 {
		line("length", fmt.Sprint(r.ContentLength))
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"chunked", r.Chunked},
		{"persists", r.KeepAlive},
		{"close", r.ConnectionClose},
		{"expect continue", r.Expect == ExpectContinue},
		{"expect other", r.Expect == ExpectOther},
		{"underscore", r.UnderscoreFields},
	} {
		if flag.set {
			line(flag.name, "")
		}
	}
	return b.String()
}

// replayBody is replayHead for a chunked body.
func replayBody(tb testing.TB, input []byte, limits Limits, cuts []int) string {
	tb.Helper()
	var c Chunked
	var decoded []byte
	at := 0
	for _, end := range append(cuts[:len(cuts):len(cuts)], len(input)) {
		for at < end {
			buf := bytes.Clone(input[at:end])
			data, n, done, err := c.Decode(buf, &limits)
			var refused *Error
			if errors.As(err, &refused) {
				if refused.Offset < 0 || refused.Offset >= end {
					tb.Fatalf("offset %d of %d octets", refused.Offset, end)
				}
				return dataLine(decoded) + describeError(refused, 0)
			}
			if n <= 0 || n > len(buf) || len(data) > n || cap(data) != len(data) {
				tb.Fatalf("Decode(%q) = %q, %d, %v, %v", buf, data, n, done, err)
			}
			decoded = append(decoded, data...)
			at += n
			if done {
				return dataLine(decoded) + "done\n" + rest(input[at:])
			}
		}
	}
	return dataLine(decoded) + "incomplete\n"
}

func dataLine(decoded []byte) string {
	if len(decoded) == 0 {
		return ""
	}
	return "data " + escape(decoded) + "\n"
}
