package accesslog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/accesslog"
)

// at is the time of all lines.
var at = time.Date(2000, 10, 10, 13, 55, 36, 0, time.FixedZone("", -7*3600))

func render(t *testing.T, format accesslog.Format, e *accesslog.Entry) string {
	t.Helper()
	line, err := accesslog.Render(format, at, 0, 1, e)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// lineCase is a case of testdata/lines.txt.
type lineCase struct {
	name, want       string
	format           accesslog.Format
	took             time.Duration
	weight           int
	entry            accesslog.Entry
	in, out, environ []string
}

// set takes a line of a case.
func (c *lineCase) set(key, value string) (err error) {
	if strings.HasPrefix(value, `"`) {
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
	}
	switch key {
	case "name":
		c.name = value
	case "format":
		c.format = accesslog.Format(value)
	case "remote":
		c.entry.Remote, err = netip.ParseAddr(value)
	case "line":
		c.entry.RequestLine = []byte(value)
	case "status":
		c.entry.Status, err = strconv.Atoi(value)
	case "octets":
		c.entry.Octets, err = strconv.ParseInt(value, 10, 64)
	case "took":
		c.took, err = time.ParseDuration(value)
		c.entry.Begun = 1
	case "sample":
		c.weight, err = strconv.Atoi(value)
	case "in":
		c.in = append(c.in, value)
	case "out":
		c.out = append(c.out, value)
	case "environ":
		c.environ = append(c.environ, value)
	case "want":
		c.want = strings.ReplaceAll(value, "<PID>", fmt.Sprintf("<%d>", os.Getpid())) + "\n"
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

// find is the value that NAME=VALUE pairs have for a name.
func find(pairs []string, name string) string {
	for _, pair := range pairs {
		if key, value, _ := strings.Cut(pair, "="); strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

func lineCases(t *testing.T) (cases []lineCase) {
	text, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, paragraph := range strings.Split(string(text), "\n\n")[1:] { // without the comment
		c := lineCase{weight: 1}
		for line := range strings.Lines(paragraph) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			if err := c.set(key, value); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		cases = append(cases, c)
	}
	return cases
}

func TestLines(t *testing.T) {
	for _, c := range lineCases(t) {
		if err := c.format.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		wants := accesslog.WantsOf(c.format)
		for _, name := range wants.In {
			c.entry.In = append(c.entry.In, []byte(find(c.in, name)))
		}
		for _, name := range wants.Out {
			c.entry.Out = append(c.entry.Out, find(c.out, name))
		}
		for _, name := range wants.Environ {
			c.entry.Environ = append(c.entry.Environ, find(c.environ, name))
		}
		got, err := accesslog.Render(c.format, at, int64(c.took), c.weight, &c.entry)
		if err != nil || got != c.want {
			t.Errorf("%s: %v\ngot  %swant %s", c.name, err, got, c.want)
		}
		if clone, _ := accesslog.Render(c.format, at, int64(c.took), c.weight, c.entry.Clone()); clone != got {
			t.Errorf("%s: of the clone it is %s", c.name, clone)
		}
		if c.format == accesslog.JSON && !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON", c.name)
		}
	}
}

// TestWrongFormats: what is wrong is named.
func TestWrongFormats(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		n++
		format, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
		if plain, err := strconv.Unquote(format); err == nil {
			format = plain
		}
		if err := accesslog.Format(format).Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", format, err, want)
		}
	}
	if n < 10 {
		t.Errorf("only %d cases", n)
	}
}

// TestWants: only what a line has is asked for.
func TestWants(t *testing.T) {
	for format, want := range map[accesslog.Format]accesslog.Wants{
		accesslog.Common:              {},
		accesslog.Combined:            {In: []string{"Referer", "User-Agent"}},
		`%(D)s %({a}i)s %({A}i)s`:     {In: []string{"a"}, Time: true},
		`%({o}o)s %({e}e)s %({f}e)s`:  {Out: []string{"o"}, Environ: []string{"e", "f"}},
		`%(u)s %({authorization}i)s.`: {In: []string{"Authorization"}},
	} {
		got := accesslog.WantsOf(format)
		if !slices.Equal(got.In, want.In) || !slices.Equal(got.Out, want.Out) || !slices.Equal(got.Environ, want.Environ) || got.Time != want.Time {
			t.Errorf("%s: %+v, want %+v", format, got, want)
		}
	}
}

// TestLinesInTurn: what is kept from one line to the next makes no difference.
func TestLinesInTurn(t *testing.T) {
	var out buffer
	log := accesslog.New(&out, accesslog.Options{Format: accesslog.JSON, Logger: slog.New(slog.DiscardHandler)})
	s := log.Scribe()
	long := "/" + strings.Repeat("x", 300)
	var want []string
	for i, path := range []string{"/a", "/a", "/b", "/", "/b", long, long, "/a", long + "y", "/b"} {
		for _, remote := range []string{"192.0.2.1", "2001:db8::1", ""} {
			e := accesslog.Entry{RequestLine: []byte("GET " + path + " HTTP/1.1"), Octets: int64(i)}
			if remote != "" {
				e.Remote = netip.MustParseAddr(remote)
			}
			s.Append(0, &e)
			clear(e.RequestLine) // it was a view
			want = append(want, remote+" "+path+" "+strconv.Itoa(i))
		}
	}
	log.Close()
	var got []string
	for line := range strings.Lines(out.String()) {
		var o struct {
			Remote, Path string
			Bytes        int
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Remote+" "+o.Path+" "+strconv.Itoa(o.Bytes))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
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

// checkOctets: a line is one line of printable characters, in which the fields can be told apart and read back, in all forms.
func checkOctets(t *testing.T, line, referer []byte) {
	t.Helper()
	e := &accesslog.Entry{RequestLine: line, In: [][]byte{referer}}
	got := render(t, accesslog.Combined, e)
	match := fields.FindStringSubmatch(got)
	if match == nil || strings.Count(got, "\n") != 1 {
		t.Fatalf("%q", got)
	}
	if unescape(t, match[1]) != string(line) || unescape(t, match[2]) != string(referer) {
		t.Errorf("%q of %q and %q", got, line, referer)
	}
	got = render(t, accesslog.JSON, e)
	for i, r := range got[:len(got)-1] {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' {
			t.Fatalf("%q has %q at %d", got, r, i)
		}
	}
	var object struct{ Method, Path, Query, Protocol, Request, Referer string }
	if err := json.Unmarshal([]byte(got), &object); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	asJSON := func(p []byte) (s string) { // what encoding/json makes of it
		text, err := json.Marshal(string(p))
		if err != nil || json.Unmarshal(text, &s) != nil {
			t.Fatalf("%q, %v", text, err)
		}
		return s
	}
	if object.Referer != asJSON(referer) {
		t.Errorf("%q of %q", got, referer)
	}
	if object.Method == "" && object.Request != asJSON(line) {
		t.Errorf("%q of %q", got, line)
	}
	if !strings.Contains(asJSON(line), object.Path) || !strings.HasPrefix(asJSON(line), object.Method) || !strings.HasSuffix(asJSON(line), object.Protocol) {
		t.Errorf("%q of %q", got, line)
	}
}

func TestEveryOctet(t *testing.T) {
	for octet := range 256 {
		for n := range 20 { // wherever it stands
			text := append(bytes.Repeat([]byte{'a'}, n), byte(octet), 'b')
			checkOctets(t, text, bytes.Repeat(text, 2))
			checkOctets(t, slices.Concat([]byte("GET /"), text, []byte("?c HTTP/1.1")), []byte("r"))
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1"), []byte("\\x22\"\n"))
	f.Add([]byte("GET http://a/?b HTTP/1.1"), []byte("\xc3\xa9\xff"))
	f.Add([]byte("\x00\x7f GET"), []byte("        \x7f"))
	f.Fuzz(func(t *testing.T, line, referer []byte) {
		if len(line) == 0 || len(referer) == 0 {
			return
		}
		checkOctets(t, line, referer)
		all := `%(u)s %(m)s "%(U)s" %(q)s %(H)s` // never more than a line, whatever it is
		got := render(t, accesslog.Format(all), &accesslog.Entry{RequestLine: line, In: [][]byte{append([]byte("Basic "), referer...)}})
		if strings.Count(got, "\n") != 1 || strings.ContainsFunc(got[:len(got)-1], func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q", got)
		}
	})
}
