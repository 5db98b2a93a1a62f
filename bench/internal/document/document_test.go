package document

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	m := MarksOf("x")
	name := filepath.Join(t.TempDir(), "docs.md")
	for _, tables := range []string{"old", "\nnew\n", "new"} {
		if tables == "old" {
			if err := os.WriteFile(name, []byte("text\n"+m.Begin+"old\n"+m.End+"more\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := m.Write(name, tables); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if want := "text\n<!-- tables of make x -->\n\nnew\n\n<!-- end of the tables of make x -->\nmore\n"; string(got) != want || err != nil {
			t.Errorf("%q: got %q, %v; want %q", tables, got, err, want)
		}
	}
}

func TestWithoutMarks(t *testing.T) {
	m := MarksOf("x")
	for _, text := range []string{"", "text\n" + m.Begin, "text\n" + m.End} {
		if _, err := m.Cut(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if _, err := m.Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no document: no error")
	}
}
