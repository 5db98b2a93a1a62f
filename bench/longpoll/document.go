package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/weirhttp/weir/bench/internal/machine"
)

// Between these lines a document has the tables of a run.
const (
	tablesBegin = "<!-- tables of make bench-longpoll -->\n"
	tablesEnd   = "<!-- end of the tables of make bench-longpoll -->\n"
)

// A document is a text around tables.
type document struct{ before, after string }

func readDocument(name string) (document, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return document{}, err
	}
	d, err := cutDocument(string(text))
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return d, err
}

func cutDocument(text string) (document, error) {
	before, rest, begins := strings.Cut(text, tablesBegin)
	_, after, ends := strings.Cut(rest, tablesEnd)
	if !begins || !ends {
		return document{}, fmt.Errorf("there are no lines %q and %q", strings.TrimSpace(tablesBegin), strings.TrimSpace(tablesEnd))
	}
	return document{before, after}, nil
}

func (d document) with(tables string) string {
	return d.before + tablesBegin + "\n" + strings.TrimSpace(tables) + "\n\n" + tablesEnd + d.after
}

func writeReport(name string, where machine.Machine, r *results) error {
	d, err := readDocument(name)
	if err != nil {
		return err
	}
	var tables strings.Builder
	report(&tables, where, r, true)
	return os.WriteFile(name, []byte(d.with(tables.String())), 0o644)
}
