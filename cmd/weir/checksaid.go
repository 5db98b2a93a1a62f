package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// said is the slog.Handler of weir check: it keeps what the application prints, and the tracebacks of its exceptions.
type said struct {
	mu         sync.Mutex
	lines      []string
	tracebacks []string
	failures   []string // others
}

func (p *said) Enabled(context.Context, slog.Level) bool { return true }
func (p *said) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p *said) WithGroup(string) slog.Handler            { return p }

// mostPrinted is how many lines are kept.
const mostPrinted = 1000

func (p *said) Handle(_ context.Context, r slog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	printed, traceback := false, ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "stream":
			printed = true
		case "traceback":
			traceback = a.Value.String()
		}
		return true
	})
	switch {
	case traceback != "":
		p.tracebacks = append(p.tracebacks, traceback)
	case !printed && r.Level >= slog.LevelError:
		p.failures = append(p.failures, r.Message)
	case printed && len(p.lines) < mostPrinted:
		p.lines = append(p.lines, r.Message)
	}
	return nil
}

// problems are what the tracebacks and the lines tell to be wrong, in a line each.
func (p *said) problems() (problems []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, traceback := range p.tracebacks {
		problems = append(problems, problem(strings.Split(strings.TrimSpace(traceback), "\n")))
	}
	begun := -1
	for i, line := range p.lines {
		_, warning, warned := strings.Cut(line, "WSGIWarning: ")
		switch {
		case strings.HasPrefix(line, "weir: "): // a worker's complaint
			problems = append(problems, line)
		case warned:
			problems = append(problems, "wsgiref.validate warns: "+warning)
		case strings.HasPrefix(line, "Traceback (most recent call last)"):
			begun = i
		case begun >= 0 && !strings.HasPrefix(line, " "):
			// One that has come through the validator is of a call that had no answer left to spoil. Others are the application's own affair.
			if block := p.lines[begun : i+1]; slices.ContainsFunc(block, ofValidator) {
				problems = append(problems, problem(block))
			}
			begun = -1
		}
	}
	return append(problems, p.failures...)
}

// ofValidator tells whether a line of a traceback names a place in wsgiref.validate.
func ofValidator(line string) bool {
	return strings.HasPrefix(line, "  File ") && strings.Contains(line, "wsgiref/validate.py")
}

// problem is what a traceback says, with who complains.
func problem(traceback []string) string {
	last := traceback[len(traceback)-1]
	var places []int
	for i, line := range traceback {
		if strings.HasPrefix(line, "  File ") && !strings.HasSuffix(line, ", in assert_") {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return last
	}
	at := places[len(places)-1]
	text, isAssertion := strings.CutPrefix(last, "AssertionError")
	switch {
	case strings.HasPrefix(traceback[at], `  File "<weir worker>"`):
		_, text, _ = strings.Cut(last, ": ")
		return "weir: " + text
	case !isAssertion || !ofValidator(traceback[at]):
		return "the application has raised " + last
	case text == "": // the line that asserts has to do
		text = ": " + strings.TrimSpace(traceback[at+1])
	}
	return "wsgiref.validate" + text
}

// show prints what was kept.
func (p *said) show(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) > 0 {
		fmt.Fprintf(w, "\nThe application has printed:\n%s\n", strings.Join(p.lines, "\n"))
	}
	for _, traceback := range p.tracebacks {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(traceback))
	}
}
