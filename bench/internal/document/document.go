// Package document puts the tables of a run into a text.
package document

import (
	"fmt"
	"os"
	"strings"
)

// Marks are the lines between which a document has the tables of a program.
type Marks struct{ Begin, End string }

// MarksOf are those of a make target.
func MarksOf(target string) Marks {
	return Marks{"<!-- tables of make " + target + " -->\n", "<!-- end of the tables of make " + target + " -->\n"}
}

// A Document is a text around tables.
type Document struct {
	marks         Marks
	before, after string
}

// Read is an error when the document is not there, or has no such lines.
func (m Marks) Read(name string) (Document, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Document{}, err
	}
	d, err := m.Cut(string(text))
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return d, err
}

// Cut takes the tables out.
func (m Marks) Cut(text string) (Document, error) {
	before, rest, begins := strings.Cut(text, m.Begin)
	_, after, ends := strings.Cut(rest, m.End)
	if !begins || !ends {
		return Document{}, fmt.Errorf("there are no lines %q and %q", strings.TrimSpace(m.Begin), strings.TrimSpace(m.End))
	}
	return Document{m, before, after}, nil
}

// With is the text with other tables.
func (d Document) With(tables string) string {
	return d.before + d.marks.Begin + "\n" + strings.TrimSpace(tables) + "\n\n" + d.marks.End + d.after
}

// Write replaces the tables of the document.
func (m Marks) Write(name, tables string) error {
	d, err := m.Read(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(d.With(tables)), 0o644)
}
