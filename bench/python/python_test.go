package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// small is little enough for a test.
var small = sizes{warm: 50 * time.Millisecond, inProcess: time.Millisecond}

func TestHello(t *testing.T) {
	o := smallOptions(t, "raw,cost")
	r := measureAll(t.Context(), o, standInRows(o))
	if len(r.failures) > 0 || len(r.lines) != 2*len(rawHello.bars)+2 || len(r.tables) != 2 {
		t.Fatalf("failures %q, %d lines, %d tables", r.failures, len(r.lines), len(r.tables))
	}
	for _, l := range r.lines {
		switch peer := strings.Contains(l.Title, "requests/s"); {
		case peer && strings.HasSuffix(l.Bar, gunicornSync):
			if l.Runs != 2 || l.Measured != "1.00 x" || l.Verdict != verdict.NotMet {
				t.Errorf("%+v", l)
			}
		case peer:
			if l.Mark() != "NOT MEASURED" || len(l.Notes) != 1 {
				t.Errorf("%+v", l)
			}
		case l.Runs != 2 || l.Measured == "" || len(l.Failures) > 0:
			t.Errorf("%+v", l)
		}
	}
	if lines := r.tables[0].lines; len(lines) != 3 || lines[2][1] != "MISSING" || lines[1][6] != "1.00 x" || lines[0][7] != "2" {
		t.Errorf("%q", r.tables[0].lines)
	}
	for _, markdown := range []bool{false, true} {
		var text strings.Builder
		r.write(&text, machine.Machine{CPU: "a CPU"}, markdown)
		for _, want := range []string{"a CPU", "raw WSGI hello, 64 connections:\n", "at least 6 x gunicorn sync", "- uwsgi http router is MISSING: not installed\n"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in %s", want, text.String())
			}
		}
	}
}

// TestFaults: a run with an error is told, and is in no figure.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, value, failure string }{
		{"STANDIN_FAULT", "wrong", "Hello, Wrong!"},
		{"STANDIN_FAULT", "die", "last words"},
		{"STANDIN_WRK", "Non-2xx or 3xx responses: 3", "Non-2xx"},
	} {
		t.Run(c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			o := smallOptions(t, "raw,cost", "--rounds", "1")
			r := measureAll(t.Context(), o, standInRows(o)[:1])
			if got := oneLine(r.failures); !strings.Contains(got, c.failure) || !r.failed() {
				t.Errorf("failures %q", got)
			}
			for _, l := range r.lines {
				if l.Runs > 0 || l.Measured != "" {
					t.Errorf("%+v", l)
				}
			}
			if got := oneLine(r.lines[len(r.lines)-1].Failures); !strings.Contains(got, c.failure) {
				t.Errorf("failures of cost: %q", got)
			}
		})
	}
}

func TestSocketErrorsAreTold(t *testing.T) {
	t.Setenv("STANDIN_WRK", "Socket errors: connect 0, read 2, write 0, timeout 0")
	o := smallOptions(t, "raw", "--rounds", "1")
	r := measureAll(t.Context(), o, standInRows(o)[:2])
	if got := oneLine(r.remarks); len(r.failures) > 0 || !strings.Contains(got, "gunicorn sync: Socket errors: connect 0, read 2") {
		t.Errorf("failures %q, remarks %q", r.failures, got)
	}
}

func TestPaired(t *testing.T) {
	of := func(values ...float64) (runs []reading) {
		for _, v := range values {
			runs = append(runs, reading{perSecond: v})
		}
		return runs
	}
	for _, c := range []struct{ a, b, goodA, goodB []reading }{
		{of(1, 2, 3), of(4, 0, 6), of(1, 3), of(4, 6)},
		{of(1, 0, 3), of(4, 5), of(1, 3), of(4)},
		{of(0, 2), nil, of(2), nil},
	} {
		goodA, goodB := paired(c.a, c.b)
		if !slices.Equal(perSecond(goodA), perSecond(c.goodA)) || !slices.Equal(perSecond(goodB), perSecond(c.goodB)) {
			t.Errorf("%v and %v: %v and %v", perSecond(c.a), perSecond(c.b), perSecond(goodA), perSecond(goodB))
		}
	}
	l := &verdict.Line{}
	judgeTimes(l, 2, of(60, 50, 0), of(20, 25, 30))
	if l.Verdict != verdict.Met || l.Measured != "2.44 x" || l.Runs != 2 || !strings.HasPrefix(l.Detail, "55/s of 22/s; 95 % interval ") {
		t.Errorf("%+v", l)
	}
}

func TestUsage(t *testing.T) {
	before, after := usage{1 * time.Second, 2 * time.Second}, usage{1500 * time.Millisecond, 4 * time.Second}
	if got := after.since(before); got != (usage{500 * time.Millisecond, 2 * time.Second}) || got.all() != 2500*time.Millisecond {
		t.Errorf("%+v, %v", got, got.all())
	}
}

// TestRows: every peer has a command, and those that cannot run say why.
func TestRows(t *testing.T) {
	o := smallOptions(t, "raw")
	rows := o.rows(t.Context())
	if rows[0].name != weir {
		t.Errorf("the first row is %s", rows[0].name)
	}
	for _, r := range rows {
		l, err := r.prepare("raw", 26000)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		last := strings.Join(l.commands[len(l.commands)-1], " ")
		if r.name != nginxUwsgi && (!strings.Contains(last, "127.0.0.1:26000") || !strings.Contains(last, "raw")) {
			t.Errorf("%s: %s", r.name, last)
		}
		if strings.HasPrefix(r.name, "gunicorn") && !strings.Contains(r.missing, "apt-get install gunicorn") {
			t.Errorf("%s is missing: %q", r.name, r.missing)
		}
		if l.clean != nil {
			l.clean()
		}
	}
	for _, g := range []greeter{rawHello, flaskHello} {
		for _, b := range g.bars {
			if !slices.ContainsFunc(rows, func(r row) bool { return r.name == b.peer }) {
				t.Errorf("%s has a bar about %s", g.name, b.peer)
			}
		}
		if _, err := os.Stat(filepath.Join(o.apps(), g.app+".py")); err != nil {
			t.Error(err)
		}
	}
	o.only = []string{gunicornSync, weir}
	if chosen, err := o.chooseRows(rows); err != nil || len(chosen) != 2 || chosen[0].name != weir {
		t.Errorf("%v, %v", chosen, err)
	}
	o.only = []string{"none"}
	if _, err := o.chooseRows(rows); err == nil {
		t.Error("--only none: no error")
	}
}

func TestParseOptions(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(t.TempDir(), "docs.md")
	if err := os.WriteFile(document, []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"x", "--cases none", "--cases ,", "--rounds 0", "--rounds 51", "--seconds 0", "--seconds 31",
		"--weir /none/weir", "--wrk /none/wrk", "--dir /none", "--into " + document, "--into /none/docs.md"} {
		if _, err := parseOptions(append([]string{"--weir", self, "--wrk", self, "--dir", ".."}, strings.Fields(args)...)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	o, err := parseOptions([]string{"--weir", self, "--wrk", self, "--dir", "..", "--cases", "cost,raw", "--only", "weir, gunicorn sync"})
	if err != nil || len(o.cases) != 2 || o.cases[0].name != "raw" || !slices.Equal(o.only, []string{weir, gunicornSync}) || o.rounds != 5 {
		t.Errorf("%+v, %v", o, err)
	}
	if status := run([]string{"--cases", "none"}); status != exitUsage {
		t.Errorf("status %d", status)
	}
}
