package accesslog_test

import (
	"bytes"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server/accesslog"
)

const date = "10/Oct/2000:13:55:36 -0700"

func TestFormats(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.7")
	full := accesslog.Entry{
		Remote: client, RequestLine: []byte("GET /a?b HTTP/1.0"), Status: 200, Octets: 2326,
		Referer: []byte("http://example.com/start"), UserAgent: []byte("Mozilla/4.08 [en] (Win98; I)"),
	}
	for _, c := range []struct {
		name, want string
		format     accesslog.Format
		entry      accesslog.Entry
	}{
		{"common", `192.0.2.7 - - [` + date + `] "GET /a?b HTTP/1.0" 200 2326`, accesslog.Common, full},
		{"combined", `192.0.2.7 - - [` + date + `] "GET /a?b HTTP/1.0" 200 2326 "http://example.com/start" "Mozilla/4.08 [en] (Win98; I)"`,
			accesslog.Combined, full},
		{"nothing known, common", `- - - [` + date + `] "-" - -`, accesslog.Common, accesslog.Entry{}},
		{"nothing known, combined", `- - - [` + date + `] "-" - - "-" "-"`, accesslog.Combined, accesslog.Entry{}},
		{"no content", `192.0.2.7 - - [` + date + `] "-" 304 -`, accesslog.Common, accesslog.Entry{Remote: client, Status: 304}},
		{"IPv6", `2001:db8::1 - - [` + date + `] "-" 400 12`, accesslog.Common,
			accesslog.Entry{Remote: netip.MustParseAddr("2001:db8::1"), Status: 400, Octets: 12}},
		{"forged", `- - - [` + date + `] "GET / HTTP/1.1\x22 200 1\x0D\x0A192.0.2.1 - - [\x5C" - -`, accesslog.Common,
			accesslog.Entry{RequestLine: []byte("GET / HTTP/1.1\" 200 1\r\n192.0.2.1 - - [\\")}},
		{"terminal", `- - - [` + date + `] "-" - - "\x1B[2J" "\xC2\x9B\x7F\x00 ~"`, accesslog.Combined,
			accesslog.Entry{Referer: []byte("\x1b[2J"), UserAgent: []byte("\u009b\x7f\x00 ~")}},
	} {
		if got := accesslog.Render(c.format, date, &c.entry); got != c.want+"\n" {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want+"\n")
		}
	}
}

func TestCheck(t *testing.T) {
	for format, good := range map[accesslog.Format]bool{accesslog.Common: true, accesslog.Combined: true, "json": false, "": false} {
		if err := format.Check(); (err == nil) != good {
			t.Errorf("%q: %v", format, err)
		}
	}
}

var fields = regexp.MustCompile(`^- - - \[[^]]*\] "((?:[^"\\]|\\x[0-9A-F]{2})*)" - - "((?:[^"\\]|\\x[0-9A-F]{2})*)" "-"\n$`)

// unescape undoes what the log does to octets.
func unescape(t *testing.T, s string) string {
	t.Helper()
	plain, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestEveryOctet: each octet leaves one line of printable ASCII, in which the fields can be told apart and read back.
func TestEveryOctet(t *testing.T) {
	for octet := range 256 {
		line, referer := []byte{'a', byte(octet), 'b'}, bytes.Repeat([]byte{byte(octet)}, 3)
		got := accesslog.Render(accesslog.Combined, date, &accesslog.Entry{RequestLine: line, Referer: referer})
		for i := range len(got) - 1 {
			if got[i] < ' ' || got[i] > '~' {
				t.Fatalf("octet %#x: %q", octet, got)
			}
		}
		match := fields.FindStringSubmatch(got)
		if match == nil {
			t.Fatalf("octet %#x: %q", octet, got)
		}
		if unescape(t, match[1]) != string(line) || unescape(t, match[2]) != string(referer) {
			t.Errorf("octet %#x: %q", octet, got)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1"), []byte("\\x22\"\n"))
	f.Fuzz(func(t *testing.T, line, referer []byte) {
		if len(line) == 0 || len(referer) == 0 {
			return
		}
		got := accesslog.Render(accesslog.Combined, date, &accesslog.Entry{RequestLine: line, Referer: referer})
		match := fields.FindStringSubmatch(got)
		if match == nil || strings.Count(got, "\n") != 1 {
			t.Fatalf("%q", got)
		}
		if unescape(t, match[1]) != string(line) || unescape(t, match[2]) != string(referer) {
			t.Errorf("%q of %q and %q", got, line, referer)
		}
	})
}
