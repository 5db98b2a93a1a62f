package static

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFileName(t *testing.T) {
	for _, c := range []struct{ path, want, withDotfiles string }{ // "": refused
		{"", ".", "."}, {"/", ".", "."}, {"/a", "a", "a"}, {"/a/", "a", "a"}, {"/a/b.css", "a/b.css", "a/b.css"}, {"/a b", "a b", "a b"}, {"/\xff", "\xff", "\xff"},
		{"//", "", ""}, {"//a", "", ""}, {"/a//", "", ""}, {"/a//b", "", ""}, {"/..", "", ""}, {"/.", "", ""}, {"/a/../b", "", ""}, {"/a/..", "", ""},
		{"/./a", "", ""}, {"/../a", "", ""}, {"/a\x00", "", ""}, {"/a\\b", "", ""}, {"/..\\a", "", ""},
		{"/.git/config", "", ".git/config"}, {"/a/.htpasswd", "", "a/.htpasswd"}, {"/...", "", "..."},
		{"/.well-known/acme", ".well-known/acme", ".well-known/acme"}, {"/a/.well-known", "", "a/.well-known"}, {"/.well-known/.x", "", ".well-known/.x"},
	} {
		for dotfiles, want := range map[bool]string{false: c.want, true: c.withDotfiles} {
			got, ok := fileName(c.path, dotfiles)
			if ok != (want != "") || ok && got != want {
				t.Errorf("%q, dotfiles %v: %q, %v; want %q", c.path, dotfiles, got, ok, want)
			}
		}
	}
}

// FuzzRoot: whatever the path, what is opened is a file inside of the root.
func FuzzRoot(f *testing.F) {
	for _, seed := range []string{"/a.txt", "/sub/b.txt", "/../secret", "/sub/../../secret", "/in", "/out", "/away/secret", "/up", "/sub//b.txt", "/a.txt/", "\x00", "/..\\secret", "/fifo"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	base := f.TempDir()
	dir := filepath.Join(base, "root")
	for name, content := range map[string]string{"root/a.txt": "inside", "root/sub/b.txt": "inside", "root/.hidden": "inside", "secret": "outside", "root2/secret": "outside"} {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	for link, target := range map[string]string{"in": "sub/b.txt", "out": "../secret", "away": base, "up": "..", "sub/twice": "../../secret", "self": "self"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			f.Fatal(err)
		}
	}
	roots := map[bool]*root{}
	for _, links := range []bool{true, false} {
		r, err := openRoot(dir, links)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { _ = r.close() })
		roots[links] = r
	}
	f.Fuzz(func(t *testing.T, path string, loose bool) {
		name, ok := fileName(path, loose)
		if !ok {
			return
		}
		file, info, err := roots[loose].open(name)
		if err != nil {
			return
		}
		defer file.Close()
		content := make([]byte, 7)
		n, _ := file.ReadAt(content, 0)
		if string(content[:n]) != "inside" || !info.Mode().IsRegular() {
			t.Fatalf("%q opens %q with %q", path, name, content[:n])
		}
		if !loose && (strings.Contains(name, ".hidden") || strings.HasPrefix(name, "in")) {
			t.Fatalf("%q opens %q", path, name)
		}
	})
}

func TestParseRanges(t *testing.T) {
	for _, c := range []struct {
		field string
		size  int64
		want  string // offset+n; "-": ignored, "": 416
	}{
		{"bytes=0-0", 10, "0+1"},
		{"bytes=0-9", 10, "0+10"},
		{"bytes=0-", 10, "0+10"},
		{"bytes=3-", 10, "3+7"},
		{"bytes=3-100", 10, "3+7"},
		{"bytes=-3", 10, "7+3"},
		{"bytes=-100", 10, "0+10"},
		{"BYTES=0-0", 10, "0+1"},
		{"bytes= 0-0 ,\t2-3", 10, "0+1 2+2"},
		{"bytes=0-0,,5-5,", 10, "0+1 5+1"},
		{"bytes=5-5,0-0", 10, "5+1 0+1"},
		{"bytes=-1,0-0", 10, "9+1 0+1"},
		{"bytes=10-", 10, ""},
		{"bytes=10-20", 10, ""},
		{"bytes=-0", 10, ""},
		{"bytes=0-", 0, ""},
		{"bytes=-5", 0, ""},
		{"bytes=99999999999999999999999-", 10, ""},
		{"bytes=10000000000000000008-", 10, ""},
		{"bytes=1-99999999999999999999999", 10, "1+9"},
		{"bytes=-99999999999999999999999", 10, "0+10"},
		{"bytes=10-,3-4", 10, "3+2"},
		{"bytes=0-3,2-5", 10, "0+6"},
		{"bytes=0-3,4-5", 10, "0+6"},
		{"bytes=0-1,8-9,1-3", 10, "0+4 8+2"},
		{"bytes=0-1,5-6,1-5", 100, "0+7"},
		{"bytes=8-9,0-1,1-8", 100, "0+10"},
		{"bytes=0-9,0-0", 10, "-"},
		{"bytes=0-,0-,0-", 10, "-"},
		{"bytes=", 10, "-"},
		{"bytes=,", 10, "-"},
		{"bytes=-", 10, "-"},
		{"bytes=--1", 10, "-"},
		{"bytes=4-3", 10, "-"},
		{"bytes=0-1,4-3", 10, "-"},
		{"bytes=a-b", 10, "-"},
		{"bytes=+1-2", 10, "-"},
		{"bytes=1 -2", 10, "-"},
		{"bytes=1-2;3-4", 10, "-"},
		{"bytes 1-2", 10, "-"},
		{"bytes =1-2", 10, "-"},
		{"lines=1-2", 10, "-"},
		{"bytes=1-2,bytes=3-4", 10, "-"},
		{"", 10, "-"},
		{"bytes=" + strings.Repeat("1-1,", maxRanges), 10000, "1+1"},
		{"bytes=" + strings.Repeat("1-1,", maxRanges+1), 10000, "-"},
	} {
		spans, valid := parseRanges([]byte(c.field), c.size)
		var got []string
		for _, s := range spans {
			got = append(got, fmt.Sprintf("%d+%d", s.offset, s.n))
		}
		if !valid {
			got = []string{"-"}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q of %d: %q, want %q", c.field, c.size, s, c.want)
		}
	}
}

// TestMerge: joined spans cover what was asked for, and nothing else, each octet once.
func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var want [60]bool
		var spans, asked []span
		for range 1 + r.IntN(8) {
			s := span{int64(r.IntN(50)), int64(1 + r.IntN(10))}
			asked = append(asked, s)
			for i := s.offset; i < s.offset+s.n; i++ {
				want[i] = true
			}
			spans = merge(spans, s)
		}
		var got [60]int
		for i, s := range spans {
			for j := s.offset; j < s.offset+s.n; j++ {
				got[j]++
			}
			if slices.ContainsFunc(spans[i+1:], func(o span) bool { return s.offset <= o.offset+o.n && o.offset <= s.offset+s.n }) {
				t.Fatalf("%v: %v touch", asked, spans)
			}
		}
		for i := range want {
			if want[i] != (got[i] == 1) || got[i] > 1 {
				t.Fatalf("%v: %v", asked, spans)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		list, etag     string
		weakly, strong bool
	}{
		{`"a"`, `"a"`, true, true},
		{`"b"`, `"a"`, false, false},
		{`W/"a"`, `"a"`, true, false},
		{`"a"`, `W/"a"`, true, false},
		{`W/"a"`, `W/"a"`, true, false},
		{`"b", "a"`, `"a"`, true, true},
		{`"b" ,"c",  W/"x","a"`, `"a"`, true, true},
		{`,"a"`, `"a"`, true, true},
		{` * `, `"a"`, true, true},
		{`*`, ``, true, true},
		{`"*"`, `"a"`, false, false},
		{`"b,a"`, `"a"`, false, false},
		{`"b" "a"`, `"a"`, false, false},
		{`a`, `"a"`, false, false},
		{`"a`, `"a"`, false, false},
		{``, `"a"`, false, false},
		{`w/"a"`, `"a"`, false, false},
		{`""`, `""`, true, true},
		{`""`, ``, false, false},
	} {
		if got := matches([]byte(c.list), c.etag, true); got != c.weakly {
			t.Errorf("%s, %s, weakly: %v", c.list, c.etag, got)
		}
		if got := matches([]byte(c.list), c.etag, false); got != c.strong {
			t.Errorf("%s, %s, strongly: %v", c.list, c.etag, got)
		}
	}
}

// TestDates: RFC 9110 5.6.7 has three formats.
func TestDates(t *testing.T) {
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"} {
		if got, ok := parseDate(s); !ok || !got.Equal(want) {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	if formatDate(want) != "Sun, 06 Nov 1994 08:49:37 GMT" {
		t.Error(formatDate(want))
	}
	for _, s := range []string{"", "0", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37 +0100", "Sun, 31 Feb 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"} {
		if got, ok := parseDate(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
	// Two digits mean a year that is at most 50 years ahead.
	for _, ahead := range []int{-45, -1, 1, 45} {
		date := time.Date(time.Now().Year()+ahead, 1, 2, 3, 4, 5, 0, time.UTC)
		if got, ok := parseDate(date.Format("Monday, 02-Jan-06 15:04:05 GMT")); !ok || !got.Equal(date) {
			t.Errorf("%v became %v, %v", date, got, ok)
		}
	}
}

// TestPrecedence goes through the steps of RFC 9110 13.2.2.
func TestPrecedence(t *testing.T) {
	modified := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	v := validators{etag: `"a"`, lastModified: formatDate(modified), modified: modified}
	before, same, after := formatDate(modified.Add(-time.Second)), formatDate(modified), formatDate(modified.Add(time.Second))
	for _, c := range []struct {
		name                       string
		match, none, since, unless string
		want                       verdict
	}{
		{"nothing", "", "", "", "", proceed},
		{"If-Match, true", `"a"`, "", "", "", proceed},
		{"If-Match, any", `*`, "", "", "", proceed},
		{"If-Match, false", `"b"`, "", "", "", preconditionFailed},
		{"If-Match is strong", `W/"a"`, "", "", "", preconditionFailed},
		{"If-Match before If-Unmodified-Since", `"a"`, "", "", before, proceed},
		{"If-Unmodified-Since, false", "", "", "", before, preconditionFailed},
		{"If-Unmodified-Since, true", "", "", "", same, proceed},
		{"If-Unmodified-Since, no date", "", "", "", "soon", proceed},
		{"If-None-Match, false", "", `"a"`, "", "", notModified},
		{"If-None-Match is weak", "", `W/"a"`, "", "", notModified},
		{"If-None-Match, any", "", "*", "", "", notModified},
		{"If-None-Match, true", "", `"b"`, "", "", proceed},
		{"If-None-Match before If-Modified-Since", "", `"b"`, same, "", proceed},
		{"If-Modified-Since, false", "", "", same, "", notModified},
		{"If-Modified-Since, later", "", "", after, "", notModified},
		{"If-Modified-Since, true", "", "", before, "", proceed},
		{"If-Modified-Since, no date", "", "", "soon", "", proceed},
		{"If-Match and then If-None-Match", `"a"`, `"a"`, "", "", notModified},
		{"If-Match fails before If-None-Match", `"b"`, `"a"`, "", "", preconditionFailed},
		{"If-Unmodified-Since and then If-Modified-Since", "", "", same, same, notModified},
		{"If-Unmodified-Since fails before If-None-Match", "", `"a"`, "", before, preconditionFailed},
	} {
		asked := conditions{ifMatch: field(c.match), ifNoneMatch: field(c.none), ifModifiedSince: field(c.since), ifUnmodifiedSince: field(c.unless)}
		if got := asked.evaluate(&v); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func field(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// TestIfRange: RFC 9110 13.1.5.
func TestIfRange(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	old := now.Add(-time.Hour)
	for _, c := range []struct {
		name, field, etag string
		modified          time.Time
		want              bool
	}{
		{"none", "", `"a"`, old, true},
		{"tag", `"a"`, `"a"`, old, true},
		{"other tag", `"b"`, `"a"`, old, false},
		{"weak tag", `W/"a"`, `"a"`, old, false},
		{"weak tags", `W/"a"`, `W/"a"`, old, false},
		{"list", `"a", "b"`, `"a"`, old, false},
		{"any", `*`, `"a"`, old, false},
		{"date", formatDate(old.UTC()), `"a"`, old, true},
		{"later date", formatDate(old.UTC().Add(time.Second)), `"a"`, old, false},
		{"no date", "soon", `"a"`, old, false},
		{"too fresh", formatDate(now.UTC()), `"a"`, now, false},
	} {
		asked := conditions{ifRange: field(c.field)}
		v := validators{etag: c.etag, modified: c.modified, lastModified: formatDate(c.modified.UTC())}
		if got := asked.rangeHolds(&v, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestNegotiate(t *testing.T) {
	r := &resource{variants: []*variant{{coding: "", size: 100}, {coding: "br", size: 40}, {coding: "zstd", size: 45}, {coding: "gzip", size: 50}}}
	for accept, want := range map[string]string{
		"":                                   "",
		"gzip":                               "gzip",
		"x-gzip":                             "gzip",
		"GZIP":                               "gzip",
		"gzip, deflate, br":                  "br",
		"gzip, deflate, br, zstd":            "br",
		"gzip;q=1, br;q=0.5":                 "gzip",
		"gzip;q=0.5, br;q=0.50":              "br",
		"gzip ; q=0.4 , zstd ;q=0.8":         "zstd",
		"gzip;q=0":                           "",
		"gzip;q=0.000":                       "",
		"*":                                  "br",
		"*;q=0":                              "",
		"br;q=0, *":                          "zstd",
		"identity":                           "",
		"identity;q=1, gzip;q=0.5":           "",
		"identity;q=0.5, gzip;q=1":           "gzip",
		"identity, gzip":                     "gzip",
		"identity;q=0":                       "",
		"identity;q=0, gzip;q=0.1":           "gzip",
		"deflate":                            "",
		"gzip;q=2":                           "",
		"gzip;q=0.1234":                      "",
		"gzip;q=":                            "",
		"gzip;level=9":                       "",
		"gzipped, brotli":                    "",
		"gzip;q=0, gzip;q=1":                 "",
		", ,gzip":                            "gzip",
		"br;q=0.001":                         "br",
		"compress, deflate, zstd;q=1.000":    "zstd",
		"compress, deflate, zstd;q=1.001":    "",
		"identity;q=0.3, br;q=0.2, gzip;q=0": "",
	} {
		if got := r.negotiate(field(accept)).coding; got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

// TestTypes: text names its charset, what is not known is no text.
func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a.html": "text/html; charset=utf-8", "a/b.CSS": "text/css; charset=utf-8", "x.min.js": "text/javascript; charset=utf-8", "a.svg": "image/svg+xml",
		"a": "application/octet-stream", "a.": "application/octet-stream", "a.b/c": "application/octet-stream", "a.tar.gz": "application/gzip",
		"a.unknown": "application/octet-stream", ".html": "text/html; charset=utf-8",
	} {
		if got := typeOf(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for end, kind := range types {
		if strings.HasPrefix(kind, "text/") != strings.HasSuffix(kind, "; charset=utf-8") || end != strings.ToLower(end) {
			t.Errorf("%s: %s", end, kind)
		}
	}
}
