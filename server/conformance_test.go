package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requirement is a row of the tables in docs/conformance.md.
type requirement struct {
	line  int
	id    string
	cells []string
}

// reasons are the words with which the last cell of a row begins that has no test.
var reasons = []string{"n/a: ", "not yet: "}

// named is how a test is named in a cell: its file, from the root of the repository, and its name there.
var named = regexp.MustCompile("`([\\w./-]+\\.(?:go|cases)):([\\w-]+)`")

// readRequirements returns the rows of all tables of the file.
func readRequirements(t *testing.T, path string) (rows []requirement) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(content), "\n") {
		text, isRow := strings.CutPrefix(line, "| ")
		if !isRow || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "id |") {
			continue
		}
		row := requirement{line: i + 1}
		for cell := range strings.SplitSeq(strings.TrimSuffix(text, "|"), " | ") {
			row.cells = append(row.cells, strings.TrimSpace(cell))
		}
		row.id = row.cells[0]
		rows = append(rows, row)
	}
	return rows
}

// testsIn returns the names of the tests in a file: Test functions of a .go file, cases of a .cases file.
func testsIn(path string) (map[string]bool, error) {
	names := make(map[string]bool)
	if strings.HasSuffix(path, ".go") {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
		return names, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	begins := []string{"case"}
	if filepath.Base(filepath.Dir(filepath.Dir(path))) == "httpparse" {
		begins = []string{"head", "body"}
	}
	for line := range strings.Lines(string(content)) {
		word, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if slices.Contains(begins, word) {
			names[name] = true
		}
	}
	return names, nil
}

// TestConformance: every requirement has a test that exists, or a reason why it has none.
func TestConformance(t *testing.T) {
	rows := readRequirements(t, "../docs/conformance.md")
	if len(rows) < 150 {
		t.Errorf("there are %d rows", len(rows))
	}
	files := make(map[string]map[string]bool)
	ids := make(map[string]int)
	for _, row := range rows {
		if len(row.cells) != 4 {
			t.Errorf("line %d: %d cells, want 4", row.line, len(row.cells))
			continue
		}
		if before := ids[row.id]; before > 0 {
			t.Errorf("line %d: the id %s stands in line %d too", row.line, row.id, before)
		}
		ids[row.id] = row.line
		for i, cell := range row.cells {
			if cell == "" {
				t.Errorf("line %d: cell %d is empty", row.line, i+1)
			}
		}
		last := row.cells[3]
		tests := named.FindAllStringSubmatch(last, -1)
		if len(tests) == 0 && !isReason(last) {
			t.Errorf("line %d: %s has neither a test nor a reason: %q", row.line, row.id, last)
		}
		if rest := named.ReplaceAllString(last, ""); strings.Contains(rest, "`") && len(tests) > 0 {
			t.Errorf("line %d: %s names a test in a way that is not understood: %q", row.line, row.id, rest)
		}
		for _, test := range tests {
			path, name := test[1], test[2]
			if files[path] == nil {
				names, err := testsIn(filepath.Join("..", filepath.FromSlash(path)))
				if err != nil {
					t.Errorf("line %d: %v", row.line, err)
					names = make(map[string]bool)
				}
				files[path] = names
			}
			if !files[path][name] {
				t.Errorf("line %d: %s has no %s", row.line, path, name)
			}
		}
	}
}

// isReason tells whether a cell says why there is no test.
func isReason(cell string) bool {
	for _, word := range reasons {
		if why, ok := strings.CutPrefix(cell, word); ok && len(why) >= 10 {
			return true
		}
	}
	return false
}
