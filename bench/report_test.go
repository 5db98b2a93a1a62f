package main

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/report again")

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", "report", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test -update . writes it again, and git diff shows how", name)
	}
}

// TestReport renders fixed results: with failed runs, a server that is missing, one that does not offer a case, and marked clients.
func TestReport(t *testing.T) {
	r, err := readResults(filepath.Join("testdata", "report"))
	if err != nil {
		t.Fatal(err)
	}
	var text, html bytes.Buffer
	markdown(&text, r)
	golden(t, "report.md", text.Bytes())
	if err := page(&html, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.html", html.Bytes())
	for _, c := range []struct{ what, want string }{
		{"a verdict", "| slower |"}, {"another", "| no difference shown |"}, {"a failed run", "FAILED 1"}, {"its reason", "it broke"},
		{"what is missing", "Debian's package is nginx-light"}, {"a bottleneck", "**1 of 5 runs**"}, {"a bar", "**missed**"}, {"clients that wait", "| Pushpin | slower |"},
	} {
		if !strings.Contains(text.String(), c.want) {
			t.Errorf("%s, %q, is not in the report", c.what, c.want)
		}
	}
}

// TestPageStandsAlone: it asks for nothing elsewhere, every picture says in words what it shows, and what the results hold is escaped.
func TestPageStandsAlone(t *testing.T) {
	r, err := readResults(filepath.Join("testdata", "report"))
	if err != nil {
		t.Fatal(err)
	}
	r.Machine.CPU = "<script>alert(1)</script>"
	r.Servers[1].Version = "</pre><img src=x>"
	var html bytes.Buffer
	if err := page(&html, r); err != nil {
		t.Fatal(err)
	}
	got := html.String()
	for _, bad := range []string{"<script", "<img", "<link", "@import", "url(", "src=\"http"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	pictures := regexp.MustCompile(`(?s)<svg viewBox="0 0 360.*?</svg>`).FindAllString(got, -1)
	if len(pictures) < 6 {
		t.Errorf("%d pictures", len(pictures))
	}
	for _, svg := range pictures {
		if !strings.Contains(svg, `role="img" aria-label="`) || !regexp.MustCompile(`<desc>.*weir.*</desc>`).MatchString(svg) {
			t.Errorf("a picture without words: %.200s", svg)
		}
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := decoder.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
	}
}

// TestLegend: keys are beside each other as far as the names leave room.
func TestLegend(t *testing.T) {
	for _, c := range []struct {
		names   string
		columns int
	}{{"weir nginx", 4}, {"weir tornado-long-poll", 2}, {strings.Repeat("a", 80), 1}} {
		var legend []legendEntry
		for range 4 {
			for _, name := range strings.Fields(c.names) {
				legend = append(legend, legendEntry{Name: name, Class: "series-0"})
			}
		}
		svg := standalone("<svg viewBox=\"0 0 360 240\">\n</svg>\n", legend)
		if rows := (len(legend) + c.columns - 1) / c.columns; !strings.Contains(svg, fmt.Sprintf("viewBox=\"0 0 360 %d\"", 240+18*rows)) {
			t.Errorf("%s: %.80s", c.names, svg)
		}
	}
}

// TestIntoDocument: the tables with pictures, which have their styles and a legend, and only between the marks.
func TestIntoDocument(t *testing.T) {
	r, err := readResults(filepath.Join("testdata", "report"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "docs.md")
	if err := os.WriteFile(name, []byte("before\n"+marksOf("").Begin+"old\n"+marksOf("").End+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := intoDocument(r, name); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil || strings.Contains(string(text), "old") || !strings.HasPrefix(string(text), "before\n") || !strings.HasSuffix(string(text), "after\n") {
		t.Fatalf("%s, %v", text, err)
	}
	for _, file := range []string{"bench-cpu.svg", "bench-latency.svg", "longpoll-memory.svg", "longpoll-wake.svg"} {
		svg, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(text), "]("+file+")") {
			t.Fatalf("%s: %v", file, err)
		}
		if err := xml.Unmarshal(svg, new(struct{})); err != nil || !bytes.Contains(svg, []byte("<style>")) {
			t.Errorf("%s: %v", file, err)
		}
		if legend := bytes.Count(svg, []byte(`class="key series-`)); file == "bench-latency.svg" && legend != 5 {
			t.Errorf("%d keys for five servers at a rate", legend)
		}
	}
}

func TestCompareDirs(t *testing.T) {
	a, err := readResults(filepath.Join("testdata", "report"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range a.Runs {
		if a.Runs[i].Server == "weir" {
			a.Runs[i].CPUPer *= 1.5
		}
	}
	a.Machine.Cores++
	if err := a.write(dir); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := compareDirs(&out, filepath.Join("testdata", "report"), dir); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"machines differ", "| slower |", "| no difference shown |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if !regexp.MustCompile(`\| plaintext-64 \| weir \|.*\| slower \|`).MatchString(out.String()) {
		t.Errorf("weir is not slower:\n%s", out.String())
	}
}

func TestReadResults(t *testing.T) {
	for text, want := range map[string]string{
		`{"schema": 99}`: "schema 99", `{`: "results.json", `{"schema": 1, "cases": [{"name": "x", "kind": "odd"}]}`: `"odd"`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, resultsFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readResults(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestResultsDir(t *testing.T) {
	under := filepath.Join(t.TempDir(), "results")
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, want := range []string{"2026-11-22-intel-xeon-e5-2650-v3", "2026-11-22-intel-xeon-e5-2650-v3-2"} {
		dir, err := newResultsDir(under, now, "Intel(R) Xeon(R) CPU E5-2650 v3 Processor")
		if err != nil || dir != filepath.Join(under, want) {
			t.Errorf("got %s, %v, want %s", dir, err, want)
		}
	}
}
