package main

import (
	"fmt"
	"os"
	"strings"
)

// Between these lines a document has the tables of a run.
const (
	tablesBegin = "<!-- tables of make abuse -->\n"
	tablesEnd   = "<!-- end of the tables -->\n"
)

// replaceTables puts tables into the document.
func replaceTables(document, tables string) (string, error) {
	before, rest, begins := strings.Cut(document, tablesBegin)
	_, after, ends := strings.Cut(rest, tablesEnd)
	if !begins || !ends {
		return "", fmt.Errorf("there are no lines %q and %q", strings.TrimSpace(tablesBegin), strings.TrimSpace(tablesEnd))
	}
	return before + tablesBegin + "\n" + strings.TrimSpace(tables) + "\n\n" + tablesEnd + after, nil
}

func writeTables(name, tables string) error {
	document, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text, err := replaceTables(string(document), tables)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, []byte(text), 0o644)
}
